// No bytes are wanted.

fn store_bytes(lane: u32, values: vec4<f32>, row: u32, groups: u32, word: u32, inside: bool) {}

// `out = curve(gate) · up`: one lane computes 4 values; as floats, as bytes, or as both.

fn gated(at: u32) -> f32 {
    return exact(curve(gate[at]) * up[at]);
}

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let row = row_of(group.y);
    let word = group.x * THREADS + lane;
    let inside = word < (WIDTH + 3u) / 4u;
    var four = vec4<f32>(0.0);
    if inside {
        let at = row * WIDTH + 4u * word;
        for (var i = 0u; i < 4u; i += 1u) {
            if 4u * word + i < WIDTH {
                four[i] = gated(at + i);
                store_float(at + i, four[i]);
            }
        }
    }
    if BYTES {
        store_bytes(lane, four, row, WIDTH / 32u, word, inside);
    }
}

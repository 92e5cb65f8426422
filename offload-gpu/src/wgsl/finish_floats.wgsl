// An element of a head's result, as a float.

fn finish(lane: u32, head: u32, d: u32, x: f32) {
    if d < VALUE_WIDTH {
        out[head * VALUE_WIDTH + d] = x;
    }
}

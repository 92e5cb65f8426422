// `out = scale · table[token]` of a table of floats: one lane, one element.

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let token = id.y;
    if id.x >= WIDTH {
        return;
    }
    let row = tokens[token];
    if row < FIRST || row >= FIRST + ROWS {
        return;
    }
    out[token * WIDTH + id.x] = weight_at((row - FIRST) * WIDTH + id.x) * SCALE;
}

// `out = scale · table[token]`: one lane unpacks one group of 32.

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let group = id.x;
    let token = id.y;
    if group >= GROUPS {
        return;
    }
    let row = tokens[token];
    if row < FIRST || row >= FIRST + ROWS {
        return;
    }
    let found = unpack(row - FIRST, group);
    let at = token * GROUPS * 32u + group * 32u;
    for (var i = 0u; i < 32u; i += 1u) {
        let word = select(found.low, found.high, i >= 16u)[(i % 16u) / 4u];
        let half = i / 16u;
        let integer = f32(extractBits(bitcast<i32>(word), 8u * (i % 4u), 8u) - OFFSET);
        var value = exact(found.scale * exact(found.halves[half] * integer));
        if MIN {
            value = exact(value - exact(found.min * found.min_halves[half]));
        }
        out[at + i] = value * SCALE;
    }
}

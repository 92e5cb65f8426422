// `Q3_K`: planes of third bits (32 bytes), of bit pairs (64 bytes), of packed scales (12 bytes) and of scales (f16).

const OFFSET: i32 = 4;
const HALVES: bool = true;
const MIN: bool = false;

// Scale `j` of the twelve bytes, −32 to 31.
fn sub_scale(block: u32, j: u32) -> f32 {
    let packed = PLANE_2 + 3u * block;
    let low = byte_of(weight_words[packed + (j % 8u) / 4u], j % 4u) >> (4u * (j / 8u));
    let high = byte_of(weight_words[packed + 2u], j % 4u) >> (2u * (j / 4u));
    return f32((low & 15u) | ((high & 3u) << 4u)) - 32.0;
}

fn unpack(row: u32, group: u32) -> Group {
    let block = row * (GROUPS / 8u) + group / 8u;
    let index = group % 8u;
    let third = PLANE_0 / 4u + 2u * block;
    let at = PLANE_1 / 4u + 4u * block + 2u * (index / 4u);
    let shift = vec4<u32>(2u * (index % 4u));
    let top = vec4<u32>(index);
    let mask = vec4<u32>(0x03030303u);
    let ones = vec4<u32>(0x01010101u);
    let two = vec4<u32>(2u);
    let low = ((weight_fours[at] >> shift) & mask) | (((weight_fours[third] >> top) & ones) << two);
    let high = ((weight_fours[at + 1u] >> shift) & mask) | (((weight_fours[third + 1u] >> top) & ones) << two);
    var found = plain(low, high, half_at(PLANE_3, block));
    found.halves = vec2<f32>(sub_scale(block, 2u * index), sub_scale(block, 2u * index + 1u));
    return found;
}

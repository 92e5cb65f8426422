// `Q4_0`: planes of scales (f16) and of nibbles (16 bytes).

const OFFSET: i32 = 8;
const HALVES: bool = false;
const MIN: bool = false;

fn unpack(row: u32, group: u32) -> Group {
    let block = row * GROUPS + group;
    let nibbles = weight_fours[PLANE_1 / 4u + block];
    return plain(nibbles & NIBBLES, (nibbles >> vec4<u32>(4u)) & NIBBLES, half_at(PLANE_0, block));
}

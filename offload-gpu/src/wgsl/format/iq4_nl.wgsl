// `IQ4_NL`: planes of scales (f16) and of nibbles (16 bytes) that name one of 16 levels.

const OFFSET: i32 = 0;
const HALVES: bool = false;
const MIN: bool = false;

fn unpack(row: u32, group: u32) -> Group {
    let block = row * GROUPS + group;
    let nibbles = weight_fours[PLANE_1 / 4u + block];
    return plain(levels4(nibbles & NIBBLES), levels4((nibbles >> vec4<u32>(4u)) & NIBBLES), half_at(PLANE_0, block));
}

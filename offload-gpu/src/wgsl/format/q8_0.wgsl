// `Q8_0`: planes of scales (f16) and of signed bytes (32).

const OFFSET: i32 = 0;
const HALVES: bool = false;
const MIN: bool = false;

fn unpack(row: u32, group: u32) -> Group {
    let block = row * GROUPS + group;
    let at = PLANE_1 / 4u + 2u * block;
    return plain(weight_fours[at], weight_fours[at + 1u], half_at(PLANE_0, block));
}

// `TQ2_0`: planes of bit pairs (64 bytes) and of scales (f16).

const OFFSET: i32 = 1;
const HALVES: bool = false;
const MIN: bool = false;

fn unpack(row: u32, group: u32) -> Group {
    let block = row * (GROUPS / 8u) + group / 8u;
    let index = group % 8u;
    let at = PLANE_0 / 4u + 4u * block + 2u * (index / 4u);
    let shift = vec4<u32>(2u * (index % 4u));
    let mask = vec4<u32>(0x03030303u);
    return plain((weight_fours[at] >> shift) & mask, (weight_fours[at + 1u] >> shift) & mask, half_at(PLANE_1, block));
}

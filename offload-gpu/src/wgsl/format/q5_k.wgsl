// `Q5_K`: planes of heads (scale, minimum, 12 packed bytes), of fifth bits (32 bytes) and of nibbles (128 bytes).

const OFFSET: i32 = 0;
const HALVES: bool = false;
const MIN: bool = true;

fn unpack(row: u32, group: u32) -> Group {
    let block = row * (GROUPS / 8u) + group / 8u;
    let index = group % 8u;
    let head = weight_fours[PLANE_0 / 4u + block];
    let fifth = PLANE_1 / 4u + 2u * block;
    let at = PLANE_2 / 4u + 8u * block + (index / 2u) * 2u;
    let shift = vec4<u32>(4u * (index % 2u));
    let ones = vec4<u32>(0x01010101u);
    let top = vec4<u32>(index);
    let four = vec4<u32>(4u);
    let low = ((weight_fours[at] >> shift) & NIBBLES) | (((weight_fours[fifth] >> top) & ones) << four);
    let high = ((weight_fours[at + 1u] >> shift) & NIBBLES) | (((weight_fours[fifth + 1u] >> top) & ones) << four);
    let real = unpack2x16float(head.x) * scale_and_min(head, index);
    var found = plain(low, high, real.x);
    found.min = real.y;
    return found;
}

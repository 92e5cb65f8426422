// `Q4_K`: planes of heads (scale, minimum, 12 packed bytes) and of nibbles (128 bytes).

const OFFSET: i32 = 0;
const HALVES: bool = false;
const MIN: bool = true;

fn unpack(row: u32, group: u32) -> Group {
    let block = row * (GROUPS / 8u) + group / 8u;
    let index = group % 8u;
    let head = weight_fours[PLANE_0 / 4u + block];
    let at = PLANE_1 / 4u + 8u * block + (index / 2u) * 2u;
    let shift = vec4<u32>(4u * (index % 2u));
    let real = unpack2x16float(head.x) * scale_and_min(head, index);
    var found = plain((weight_fours[at] >> shift) & NIBBLES, (weight_fours[at + 1u] >> shift) & NIBBLES, real.x);
    found.min = real.y;
    return found;
}

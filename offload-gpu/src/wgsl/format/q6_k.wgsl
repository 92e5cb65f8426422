// `Q6_K`: planes of nibbles (128 bytes), of bit pairs (64 bytes), of signed scales (16 bytes) and of scales (f16).

const OFFSET: i32 = 32;
const HALVES: bool = true;
const MIN: bool = false;

fn unpack(row: u32, group: u32) -> Group {
    let block = row * (GROUPS / 8u) + group / 8u;
    let index = group % 8u;
    let part = index / 4u;
    let within = index % 4u;
    let at = PLANE_0 / 4u + 8u * block + 4u * part + 2u * (within % 2u);
    let pairs = PLANE_1 / 4u + 4u * block + 2u * part;
    let shift = vec4<u32>(4u * (within / 2u));
    let two = vec4<u32>(2u * within);
    let mask = vec4<u32>(0x03030303u);
    let four = vec4<u32>(4u);
    let low = ((weight_fours[at] >> shift) & NIBBLES) | (((weight_fours[pairs] >> two) & mask) << four);
    let high = ((weight_fours[at + 1u] >> shift) & NIBBLES) | (((weight_fours[pairs + 1u] >> two) & mask) << four);
    let scales = bitcast<i32>(weight_words[PLANE_2 + 4u * block + index / 2u] >> (16u * (index % 2u)));
    var found = plain(low, high, half_at(PLANE_3, block));
    found.halves = vec2<f32>(f32(extractBits(scales, 0u, 8u)), f32(extractBits(scales, 8u, 8u)));
    return found;
}

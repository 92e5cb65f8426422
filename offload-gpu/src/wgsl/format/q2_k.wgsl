// `Q2_K`: planes of packed scales and minima (16 bytes), of bit pairs (64 bytes) and of scale and minimum (2 × f16).

const OFFSET: i32 = 0;
const HALVES: bool = true;
const MIN: bool = true;

fn unpack(row: u32, group: u32) -> Group {
    let block = row * (GROUPS / 8u) + group / 8u;
    let index = group % 8u;
    let at = PLANE_1 / 4u + 4u * block + 2u * (index / 4u);
    let shift = vec4<u32>(2u * (index % 4u));
    let mask = vec4<u32>(0x03030303u);
    let packed = weight_words[PLANE_0 + 4u * block + index / 2u] >> (16u * (index % 2u));
    let real = unpack2x16float(weight_words[PLANE_2 + block]);
    var found = plain((weight_fours[at] >> shift) & mask, (weight_fours[at + 1u] >> shift) & mask, real.x);
    found.min = real.y;
    found.halves = vec2<f32>(f32(packed & 15u), f32((packed >> 8u) & 15u));
    found.min_halves = vec2<f32>(f32((packed >> 4u) & 15u), f32((packed >> 12u) & 15u));
    return found;
}

// `IQ2_XS`: planes of scales (f16), of indices with seven signs (32 × u16) and of packed scales (8 bytes).

const OFFSET: i32 = 0;
const HALVES: bool = true;
const MIN: bool = false;

fn unpack(row: u32, group: u32) -> Group {
    let block = row * (GROUPS / 8u) + group / 8u;
    let index = group % 8u;
    let at = PLANE_1 + 16u * block + 2u * index;
    let first = weight_words[at];
    let second = weight_words[at + 1u];
    let a = signed_point(point_at(first & 511u), even_signs(first >> 9u));
    let b = signed_point(point_at((first >> 16u) & 511u), even_signs(first >> 25u));
    let c = signed_point(point_at(second & 511u), even_signs(second >> 9u));
    let d = signed_point(point_at((second >> 16u) & 511u), even_signs(second >> 25u));
    let steps = byte_of(weight_words[PLANE_2 + 2u * block + index / 4u], index % 4u);
    var found = plain(vec4<u32>(a, b), vec4<u32>(c, d), 0.125 * half_at(PLANE_0, block));
    found.halves = vec2<f32>(f32(2u * (steps & 15u) + 1u), f32(2u * (steps >> 4u) + 1u));
    return found;
}

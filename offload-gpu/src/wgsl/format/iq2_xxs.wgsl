// `IQ2_XXS`: planes of scales (f16) and of groups (8 × 2 words): four indices, then four times seven signs and a scale.

const OFFSET: i32 = 0;
const HALVES: bool = false;
const MIN: bool = false;

fn unpack(row: u32, group: u32) -> Group {
    let block = row * (GROUPS / 8u) + group / 8u;
    let index = group % 8u;
    let at = PLANE_1 + 16u * block + 2u * index;
    let points = weight_words[at];
    let tail = weight_words[at + 1u];
    let a = signed_point(point_at(byte_of(points, 0u)), even_signs(tail));
    let b = signed_point(point_at(byte_of(points, 1u)), even_signs(tail >> 7u));
    let c = signed_point(point_at(byte_of(points, 2u)), even_signs(tail >> 14u));
    let d = signed_point(point_at(byte_of(points, 3u)), even_signs(tail >> 21u));
    let step = f32(2u * (tail >> 28u) + 1u);
    return plain(vec4<u32>(a, b), vec4<u32>(c, d), half_at(PLANE_0, block) * (0.125 * step));
}

// `IQ2_S`: planes of scales (f16), of the indices' low bytes (32), of signs (32 bytes), of the indices' top bits (8 bytes) and of
// packed scales (8 bytes).

const OFFSET: i32 = 0;
const HALVES: bool = true;
const MIN: bool = false;

fn unpack(row: u32, group: u32) -> Group {
    let block = row * (GROUPS / 8u) + group / 8u;
    let index = group % 8u;
    let low = weight_words[PLANE_1 + 8u * block + index];
    let signs = weight_words[PLANE_2 + 8u * block + index];
    let high = byte_of(weight_words[PLANE_3 + 2u * block + index / 4u], index % 4u);
    let a = signed_point(point_at(byte_of(low, 0u) | ((high & 3u) << 8u)), signs);
    let b = signed_point(point_at(byte_of(low, 1u) | (((high >> 2u) & 3u) << 8u)), signs >> 8u);
    let c = signed_point(point_at(byte_of(low, 2u) | (((high >> 4u) & 3u) << 8u)), signs >> 16u);
    let d = signed_point(point_at(byte_of(low, 3u) | ((high >> 6u) << 8u)), signs >> 24u);
    let steps = byte_of(weight_words[PLANE_4 + 2u * block + index / 4u], index % 4u);
    var found = plain(vec4<u32>(a, b), vec4<u32>(c, d), 0.125 * half_at(PLANE_0, block));
    found.halves = vec2<f32>(f32(2u * (steps & 15u) + 1u), f32(2u * (steps >> 4u) + 1u));
    return found;
}

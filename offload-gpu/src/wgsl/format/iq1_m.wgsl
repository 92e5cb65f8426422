// `IQ1_M`: planes of the indices' low bytes (32), of their high bits with a shift (32 nibbles) and of scales (4 × u16), whose top
// nibbles are a half.

const OFFSET: i32 = 9;
const HALVES: bool = true;
const MIN: bool = false;

fn unpack(row: u32, group: u32) -> Group {
    let block = row * (GROUPS / 8u) + group / 8u;
    let index = group % 8u;
    let low = weight_words[PLANE_0 + 8u * block + index];
    let high = weight_words[PLANE_1 + 4u * block + index / 2u] >> (16u * (index % 2u));
    let a = eighths(point_at(byte_of(low, 0u) | ((high & 7u) << 8u)), high >> 3u);
    let b = eighths(point_at(byte_of(low, 1u) | (((high >> 4u) & 7u) << 8u)), high >> 7u);
    let c = eighths(point_at(byte_of(low, 2u) | (((high >> 8u) & 7u) << 8u)), high >> 11u);
    let d = eighths(point_at(byte_of(low, 3u) | (((high >> 12u) & 7u) << 8u)), high >> 15u);
    let scales = vec2<u32>(weight_words[PLANE_2 + 2u * block], weight_words[PLANE_2 + 2u * block + 1u]);
    let tops = ((scales >> vec2<u32>(12u)) & vec2<u32>(0x000fu)) | ((scales >> vec2<u32>(24u)) & vec2<u32>(0x00f0u));
    let steps = scales[index / 4u] >> (16u * (index / 2u % 2u) + 6u * (index % 2u));
    var found = plain(vec4<u32>(a, b), vec4<u32>(c, d), 0.125 * unpack2x16float(tops.x | (tops.y << 8u)).x);
    found.halves = vec2<f32>(f32(2u * (steps & 7u) + 1u), f32(2u * ((steps >> 3u) & 7u) + 1u));
    return found;
}

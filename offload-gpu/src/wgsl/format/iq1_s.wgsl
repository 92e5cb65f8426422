// `IQ1_S`: planes of scales (f16), of the indices' low bytes (32) and of tails (8 × u16): their high bits, a scale and a shift.

const OFFSET: i32 = 9;
const HALVES: bool = false;
const MIN: bool = false;

fn unpack(row: u32, group: u32) -> Group {
    let block = row * (GROUPS / 8u) + group / 8u;
    let index = group % 8u;
    let low = weight_words[PLANE_1 + 8u * block + index];
    let tail = (weight_words[PLANE_2 + 4u * block + index / 2u] >> (16u * (index % 2u))) & 0xffffu;
    let down = tail >> 15u;
    let a = eighths(point_at(byte_of(low, 0u) | ((tail & 7u) << 8u)), down);
    let b = eighths(point_at(byte_of(low, 1u) | (((tail >> 3u) & 7u) << 8u)), down);
    let c = eighths(point_at(byte_of(low, 2u) | (((tail >> 6u) & 7u) << 8u)), down);
    let d = eighths(point_at(byte_of(low, 3u) | (((tail >> 9u) & 7u) << 8u)), down);
    let step = f32(2u * ((tail >> 12u) & 7u) + 1u);
    return plain(vec4<u32>(a, b), vec4<u32>(c, d), half_at(PLANE_0, block) * (0.125 * step));
}

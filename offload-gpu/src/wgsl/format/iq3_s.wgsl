// `IQ3_S`: planes of scales (f16), of the indices' low bytes (64), of their ninth bits (8 bytes), of signs (32 bytes) and of packed
// scales (a word).

const OFFSET: i32 = 0;
const HALVES: bool = false;
const MIN: bool = false;

fn unpack(row: u32, group: u32) -> Group {
    let block = row * (GROUPS / 8u) + group / 8u;
    let index = group % 8u;
    let at = PLANE_1 + 16u * block + 2u * index;
    let ninth = byte_of(weight_words[PLANE_2 + 2u * block + index / 4u], index % 4u);
    let signs = weight_words[PLANE_3 + 8u * block + index];
    var parts: array<vec2<u32>, 4>;
    for (var k = 0u; k < 4u; k += 1u) {
        let two = weight_words[at + k / 2u] >> (16u * (k % 2u));
        let first = point_at(byte_of(two, 0u) | (((ninth >> (2u * k)) & 1u) << 8u));
        let second = point_at(byte_of(two, 1u) | (((ninth >> (2u * k + 1u)) & 1u) << 8u));
        parts[k] = signed8(ONES + vec2<u32>(2u) * vec2<u32>(triples(first), triples(second)), signs >> (8u * k));
    }
    let step = f32(2u * ((weight_words[PLANE_4 + block] >> (4u * index)) & 15u) + 1u);
    return plain(vec4<u32>(parts[0], parts[1]), vec4<u32>(parts[2], parts[3]), half_at(PLANE_0, block) * step);
}

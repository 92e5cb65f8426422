// `IQ3_XXS`: planes of scales (f16), of indices (64 bytes) and of tails (8 words): four times seven signs and a scale.

const OFFSET: i32 = 0;
const HALVES: bool = false;
const MIN: bool = false;

fn unpack(row: u32, group: u32) -> Group {
    let block = row * (GROUPS / 8u) + group / 8u;
    let index = group % 8u;
    let at = PLANE_1 + 16u * block + 2u * index;
    let tail = weight_words[PLANE_2 + 8u * block + index];
    var parts: array<vec2<u32>, 4>;
    for (var k = 0u; k < 4u; k += 1u) {
        let two = weight_words[at + k / 2u] >> (16u * (k % 2u));
        let levels = vec2<u32>(triples(point_at(byte_of(two, 0u))), triples(point_at(byte_of(two, 1u))));
        // Steps of 8 from 4 on, and two more for the last.
        let last = levels & (levels >> vec2<u32>(1u)) & (levels >> vec2<u32>(2u)) & ONES;
        let magnitudes = vec2<u32>(0x04040404u) + vec2<u32>(8u) * levels + vec2<u32>(2u) * last;
        parts[k] = signed8(magnitudes, even_signs(tail >> (7u * k)));
    }
    let step = f32(2u * (tail >> 28u) + 1u);
    return plain(vec4<u32>(parts[0], parts[1]), vec4<u32>(parts[2], parts[3]), half_at(PLANE_0, block) * (0.25 * step));
}

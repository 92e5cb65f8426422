// `TQ1_0`: planes of bytes of five ternary weights (32, then 16), of four (4 bytes) and of scales (f16).

const OFFSET: i32 = 1;
const HALVES: bool = false;
const MIN: bool = false;

fn unpack(row: u32, group: u32) -> Group {
    let block = row * (GROUPS / 8u) + group / 8u;
    let index = group % 8u;
    let scale = half_at(PLANE_3, block);
    if index < 5u {
        let at = PLANE_0 / 4u + 2u * block;
        return plain(digits4(weight_fours[at], index), digits4(weight_fours[at + 1u], index), scale);
    }
    let fives = weight_fours[PLANE_1 / 4u + block];
    let first = 2u * (index - 5u);
    let low = digits4(fives, first);
    if index < 7u {
        return plain(low, digits4(fives, first + 1u), scale);
    }
    let fours = weight_words[PLANE_2 + block];
    return plain(low, vec4<u32>(digits(fours, 0u), digits(fours, 1u), digits(fours, 2u), digits(fours, 3u)), scale);
}

// `IQ4_XS`: planes of scales (f16) with top bits (16), of low bits (a word) and of nibbles (128 bytes).

const OFFSET: i32 = 0;
const HALVES: bool = false;
const MIN: bool = false;

fn unpack(row: u32, group: u32) -> Group {
    let block = row * (GROUPS / 8u) + group / 8u;
    let index = group % 8u;
    let head = weight_words[PLANE_0 + block];
    let four = (weight_words[PLANE_1 + block] >> (4u * index)) & 15u;
    let two = (head >> (16u + 2u * index)) & 3u;
    let nibbles = weight_fours[PLANE_2 / 4u + 8u * block + index];
    let scale = unpack2x16float(head).x * (f32(four | (two << 4u)) - 32.0);
    return plain(levels4(nibbles & NIBBLES), levels4((nibbles >> vec4<u32>(4u)) & NIBBLES), scale);
}

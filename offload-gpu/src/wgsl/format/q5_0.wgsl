// `Q5_0`: planes of scales (f16), of fifth bits (a word) and of nibbles (16 bytes).

const OFFSET: i32 = 16;
const HALVES: bool = false;
const MIN: bool = false;

fn unpack(row: u32, group: u32) -> Group {
    let block = row * GROUPS + group;
    let fifth = weight_words[PLANE_1 + block];
    let nibbles = weight_fours[PLANE_2 / 4u + block];
    let low = (nibbles & NIBBLES) | spread4(fifth);
    let high = ((nibbles >> vec4<u32>(4u)) & NIBBLES) | spread4(fifth >> 16u);
    return plain(low, high, half_at(PLANE_0, block));
}

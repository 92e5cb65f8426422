// `Q5_1`: planes of scales with minima (2 × f16), of fifth bits (a word) and of nibbles (16 bytes).

const OFFSET: i32 = 0;
const HALVES: bool = false;
const MIN: bool = true;

fn unpack(row: u32, group: u32) -> Group {
    let block = row * GROUPS + group;
    let head = unpack2x16float(weight_words[PLANE_0 + block]);
    let fifth = weight_words[PLANE_1 + block];
    let nibbles = weight_fours[PLANE_2 / 4u + block];
    let low = (nibbles & NIBBLES) | spread4(fifth);
    let high = ((nibbles >> vec4<u32>(4u)) & NIBBLES) | spread4(fifth >> 16u);
    var found = plain(low, high, head.x);
    found.min = -head.y;
    return found;
}

// `Q4_1`: planes of scales with minima (2 × f16) and of nibbles (16 bytes).

const OFFSET: i32 = 0;
const HALVES: bool = false;
const MIN: bool = true;

fn unpack(row: u32, group: u32) -> Group {
    let block = row * GROUPS + group;
    let nibbles = weight_fours[PLANE_1 / 4u + block];
    let head = unpack2x16float(weight_words[PLANE_0 + block]);
    var found = plain(nibbles & NIBBLES, (nibbles >> vec4<u32>(4u)) & NIBBLES, head.x);
    found.min = -head.y;
    return found;
}

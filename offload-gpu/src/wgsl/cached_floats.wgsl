// The cache's keys and values as floats or halves: PACK of them in a word.

const VALUE_PACK: u32 = PACK;

fn key_scale(head: u32, slot: u32, d: u32) -> f32 {
    return 1.0;
}

// An element of the key in `slot`, of the word it lies in.
fn key_of(word: u32, slot: u32, scale: f32) -> f32 {
    if PACK == 1u {
        return bitcast<f32>(word);
    }
    return unpack2x16float(word >> (16u * (slot % 2u))).x;
}

// The VALUE_PACK elements that are number `i` of their kind.
fn values_at(i: u32) -> vec2<f32> {
    if PACK == 1u {
        return vec2<f32>(bitcast<f32>(values[i]), 0.0);
    }
    return unpack2x16float(values[i]);
}

// The cache's keys and values as bytes with a scale per 32 elements.

const VALUE_PACK: u32 = 2u;

fn byte_value(word: u32, index: u32, scale: f32) -> f32 {
    return exact(f32(extractBits(bitcast<i32>(word), 8u * index, 8u)) * scale);
}

fn key_scale(head: u32, slot: u32, d: u32) -> f32 {
    return bitcast<f32>(keys[key_scale_at(head, slot, d / 32u)]);
}

// An element of the key in `slot`, of the word it lies in.
fn key_of(word: u32, slot: u32, scale: f32) -> f32 {
    return byte_value(word, slot % 4u, scale);
}

// The pair of elements that is number `i`.
fn values_at(i: u32) -> vec2<f32> {
    let word = values[i / 2u];
    let scale = bitcast<f32>(values[VALUE_SCALES + i / 16u]);
    let first = 2u * (i % 2u);
    return vec2<f32>(byte_value(word, first, scale), byte_value(word, first + 1u, scale));
}

// `F16`.

fn weight_at(index: u32) -> f32 {
    return unpack2x16float(weight_words[index / 2u] >> (16u * (index % 2u))).x;
}

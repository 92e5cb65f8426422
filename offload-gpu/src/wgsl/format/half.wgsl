
// Half `index` of the plane that begins at word `plane`.
fn half_at(plane: u32, index: u32) -> f32 {
    return unpack2x16float(weight_words[plane + index / 2u] >> (16u * (index % 2u))).x;
}

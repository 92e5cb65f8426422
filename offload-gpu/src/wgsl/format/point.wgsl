
// Point `index` of the format's code book, which lies behind the planes.
fn point_at(index: u32) -> u32 {
    return (weight_words[POINTS + index / 2u] >> (16u * (index % 2u))) & 0xffffu;
}

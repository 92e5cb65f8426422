// `F32`.

fn weight_at(index: u32) -> f32 {
    return bitcast<f32>(weight_words[index]);
}

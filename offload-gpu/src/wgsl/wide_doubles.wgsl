// Sums of squares in doubles.

alias Wide = f64;

fn wide_zero() -> Wide {
    return 0.0lf;
}

fn wide_add_square(sum: Wide, x: f32) -> Wide {
    return sum + f64(x) * f64(x);
}

fn wide_square(x: f32) -> Wide {
    return f64(x) * f64(x);
}

fn wide_add(a: Wide, b: Wide) -> Wide {
    return a + b;
}

fn wide_inverse_root(sum: Wide, count: u32, epsilon: f32) -> f32 {
    return f32(1.0lf / sqrt(sum / f64(count) + f64(epsilon)));
}

// Sums of squares without doubles: a float and what its roundings lost.

struct Wide {
    high: f32,
    low: f32,
}

fn wide_zero() -> Wide {
    return Wide(0.0, 0.0);
}

// Two floats as a sum and its rounding error.
fn wide_sum(a: f32, b: f32) -> Wide {
    let sum = exact(a + b);
    let back = exact(sum - a);
    return Wide(sum, exact(a - exact(sum - back)) + exact(b - back));
}

fn wide_square(x: f32) -> Wide {
    // The upper half of the digits: its square is exact.
    let upper = bitcast<f32>(bitcast<u32>(x) & 0xfffff000u);
    let lower = exact(x - upper);
    return Wide(exact(upper * upper), exact(exact(2.0 * upper) * lower) + exact(lower * lower));
}

fn wide_add_square(sum: Wide, x: f32) -> Wide {
    return wide_add(sum, wide_square(x));
}

fn wide_add(a: Wide, b: Wide) -> Wide {
    let added = wide_sum(a.high, b.high);
    return Wide(added.high, a.low + b.low + added.low);
}

fn wide_inverse_root(sum: Wide, count: u32, epsilon: f32) -> f32 {
    let mean = (sum.high + sum.low) / f32(count) + epsilon;
    let root = sqrt(mean);
    return 1.0 / root;
}

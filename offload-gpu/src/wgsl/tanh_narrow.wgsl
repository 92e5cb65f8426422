// `tanh x` without doubles: a series where the difference would cancel, else from `exponential`.

fn hyperbolic_tangent(x: f32) -> f32 {
    let size = abs(x);
    let square = size * size;
    // Up to x¹¹: below 0.35 the next term is under 2⁻²⁵.
    let series = size + size * square * (-0.33333334 + square * (0.13333334 + square * (-0.053968254 + square * (0.021869488 + square * -0.008863236))));
    let e = exponential(-2.0 * size);
    let quotient = (1.0 - e) / (1.0 + e);
    let magnitude = select(quotient, series, size < 0.35);
    return select(magnitude, -magnitude, x < 0.0);
}

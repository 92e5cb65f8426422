// `tanh x` through doubles, rounded once.

fn exponential_negative(x: f64) -> f64 {
    let clamped = max(x, -700.0lf);
    let n = i32(round(f32(clamped) * 1.44269504));
    let r = (clamped - f64(n) * 0.6931471803691238lf) - f64(n) * 1.9082149292705877e-10lf;
    var p = 1.0lf;
    for (var k = 13; k > 0; k -= 1) {
        p = p * (r / f64(k)) + 1.0lf;
    }
    // 2^n in two factors: floats reach to 2^-126 only.
    let low = n / 8;
    var power = 1.0lf;
    let eighth = f64(bitcast<f32>(u32(low + 127) << 23u));
    for (var i = 0; i < 8; i += 1) {
        power *= eighth;
    }
    return p * power * f64(bitcast<f32>(u32(n - 8 * low + 127) << 23u));
}

fn hyperbolic_tangent(x: f32) -> f32 {
    let size = abs(x);
    let e = exponential_negative(-2.0lf * f64(size));
    let t = f32((1.0lf - e) / (1.0lf + e));
    let magnitude = select(t, size, size < 2.44e-4);
    return select(magnitude, -magnitude, x < 0.0);
}

// `e^x` by the polynomial of the processor's kernels: within 1.5 ULP, the same operations in the same order.

const ROUND: f32 = 12582912.0;

fn power_of_two(n: i32) -> f32 {
    return bitcast<f32>(u32(n + 127) << 23u);
}

fn exponential(x: f32) -> f32 {
    let clamped = clamp(x, -87.0, 88.72283);
    let shifted = exact(exact(clamped * 1.44269504) + ROUND);
    let n = exact(shifted - ROUND);
    let r = exact(clamped - exact(n * 0.6933594)) - exact(n * -2.1219444e-4);
    var p = 1.0 / 5040.0;
    p = exact(p * r) + 0.0013888889;
    p = exact(p * r) + 0.008333334;
    p = exact(p * r) + 0.041666668;
    p = exact(p * r) + 0.16666667;
    p = exact(p * r) + 0.5;
    let power = exact(exact(exact(p * r) * r) + r) + 1.0;
    let half = ((bitcast<i32>(shifted) << 8u) >> 8u) - 0x00400000;
    let low = half >> 1u;
    let result = exact(power * power_of_two(low)) * power_of_two(half - low);
    return select(select(result, 3.4028235e38, x > 88.72283), 0.0, x < -87.0);
}

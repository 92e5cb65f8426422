//! Elementary functions from correctly rounded operations alone, the same bits on every machine.

/// Adding and subtracting 1.5 · 2²³ rounds to an integer, ties to even.
const ROUND: f32 = 12_582_912.0;

/// `e^x`.
///
/// `x = n ln 2 + r`, `|r| ≤ ln 2 / 2`; a Taylor polynomial of degree 7 for `e^r` (its remainder is below
/// `r⁸ / 8! ≤ 5.3e-9`), then times `2^n`. Within 1.5 ULP of the true value for −87 to 88; below that the
/// result is 0, above 88.7 infinite.
#[inline(always)]
pub fn exp(x: f32) -> f32 {
    const LN_2_HIGH: f32 = 0.693_359_4;
    const LN_2_LOW: f32 = -2.121_944_4e-4;
    let clamped = x.clamp(-87.0, 88.722_83);
    let shifted = clamped * std::f32::consts::LOG2_E + ROUND;
    let n = shifted - ROUND;
    let r = (clamped - n * LN_2_HIGH) - n * LN_2_LOW;
    let mut p = 1.0 / 5040.0;
    for coefficient in [1.0 / 720.0, 1.0 / 120.0, 1.0 / 24.0, 1.0 / 6.0, 0.5] {
        p = p * r + coefficient;
    }
    let power = (p * r) * r + r + 1.0;
    // Two factors, since 2^128 is not a float.
    let half = ((shifted.to_bits() as i32) << 8 >> 8) - 0x0040_0000;
    let low = half >> 1;
    let scale = |n: i32| f32::from_bits(((n + 127) << 23).cast_unsigned());
    let result = power * scale(low) * scale(half - low);
    if x < -87.0 {
        0.0
    } else if x > 88.722_83 {
        f32::INFINITY
    } else {
        result
    }
}

/// `e^x` in double precision for `−700 ≤ x ≤ 0`; relative error below 1e-14.
#[inline(always)]
fn exp_negative(x: f64) -> f64 {
    const ROUND: f64 = 6_755_399_441_055_744.0;
    const LN_2_HIGH: f64 = 0.693_147_180_369_123_8;
    const LN_2_LOW: f64 = 1.908_214_929_270_587_7e-10;
    let shifted = x.clamp(-700.0, 0.0) * std::f64::consts::LOG2_E + ROUND;
    let n = shifted - ROUND;
    let r = (x.clamp(-700.0, 0.0) - n * LN_2_HIGH) - n * LN_2_LOW;
    let mut p = 1.0;
    for k in (1..=13).rev() {
        p = p * (r / f64::from(k)) + 1.0;
    }
    let n = (shifted.to_bits() as i64) << 13 >> 13;
    let n = n - (ROUND.to_bits() as i64) % (1 << 51);
    p * f64::from_bits(((n + 1023) << 52).cast_unsigned())
}

/// `tanh x`: in double precision `(1 − e^(−2|x|)) / (1 + e^(−2|x|))`, rounded once; within 1 ULP.
#[inline(always)]
pub fn tanh(x: f32) -> f32 {
    let size = f64::from(x.abs());
    let e = exp_negative(-2.0 * size);
    // Below 2⁻¹² the cubic term is under half an ULP and the difference would cancel.
    let tanh = if size < 2.44e-4 {
        size
    } else {
        (1.0 - e) / (1.0 + e)
    };
    (tanh as f32).copysign(x)
}

/// `1 / (1 + e^(−x))`, without overflow for large `|x|`.
#[inline(always)]
fn sigmoid(x: f32) -> f32 {
    let e = exp(-x.abs());
    let top = if x < 0.0 { e } else { 1.0 };
    top / (1.0 + e)
}

/// `x · σ(x)`; within 4 ULP.
#[inline(always)]
pub fn silu(x: f32) -> f32 {
    x * sigmoid(x)
}

/// `x/2 · (1 + tanh u) = x · σ(2 u)` with `u = √(2/π) (x + 0.044715 x³)`.
///
/// The roundings of `2 u`, two of them of constants, grow into the result: within `4 + 10 |u|` ULP.
#[inline(always)]
pub fn gelu_tanh(x: f32) -> f32 {
    const TWICE_ROOT: f32 = 1.595_769_2;
    x * sigmoid(TWICE_ROOT * (x + 0.044_715 * (x * x * x)))
}

/// `x · σ(x)` in double precision, by `libm`.
#[inline(always)]
pub fn silu_f64(x: f64) -> f64 {
    x * sigmoid_f64(x)
}

/// `1 / (1 + e^(−x))`, without overflow for large `|x|`.
#[inline(always)]
fn sigmoid_f64(x: f64) -> f64 {
    let e = libm::exp(-x.abs());
    let top = if x < 0.0 { e } else { 1.0 };
    top / (1.0 + e)
}

/// [`gelu_tanh`] in double precision, by `libm`.
#[inline(always)]
pub fn gelu_tanh_f64(x: f64) -> f64 {
    const TWICE_ROOT: f64 = 1.595_769_121_605_731;
    x * sigmoid_f64(TWICE_ROOT * (x + 0.044_715 * (x * x * x)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ulps(found: f32, truth: f64) -> f64 {
        let near = truth.abs() as f32;
        let ulp = f64::from(f32::from_bits(near.to_bits() + 1)) - f64::from(near);
        (f64::from(found) - truth).abs() / ulp
    }

    /// Floats spread over `−limit .. limit`, dense near zero.
    fn sweep(limit: f32) -> impl Iterator<Item = f32> {
        (0..2_000_001).map(move |i| {
            let t = i as f32 / 1_000_000.0 - 1.0;
            t * t * t * limit
        })
    }

    #[test]
    fn exp_is_within_its_bound() {
        let worst = sweep(86.9)
            .map(|x| ulps(exp(x), libm::exp(f64::from(x))))
            .fold(0.0, f64::max);
        assert!(worst <= 1.5, "{worst} ULP");
        assert_eq!(exp(0.0), 1.0);
        assert_eq!(exp(-0.0), 1.0);
        assert_eq!(exp(-1000.0), 0.0);
        assert_eq!(exp(f32::NEG_INFINITY), 0.0);
        assert_eq!(exp(1000.0), f32::INFINITY);
        assert!(exp(88.7).is_finite());
        assert!(exp(f32::NAN).is_nan());
        assert!(tanh(f32::NAN).is_nan());
    }

    #[test]
    fn tanh_is_within_its_bound() {
        let worst = sweep(12.0)
            .filter(|&x| x != 0.0)
            .map(|x| ulps(tanh(x), libm::tanh(f64::from(x))))
            .fold(0.0, f64::max);
        assert!(worst <= 1.0, "{worst} ULP");
        assert_eq!(tanh(400.0), 1.0);
        assert_eq!(tanh(-400.0), -1.0);
        assert_eq!(tanh(0.0), 0.0);
    }

    #[test]
    fn silu_and_gelu_are_within_their_bounds() {
        for x in sweep(80.0).filter(|&x| x != 0.0) {
            let wide = f64::from(x);
            let truth = wide / (1.0 + libm::exp(-wide));
            if truth.abs() > 1e-30 {
                assert!(ulps(silu(x), truth) <= 4.0, "silu({x}) = {}", silu(x));
            }
            let u = (2.0 / std::f64::consts::PI).sqrt() * (wide + 0.044715 * wide * wide * wide);
            let truth = wide / (1.0 + libm::exp(-2.0 * u));
            if truth.abs() > 1e-30 {
                assert!(
                    ulps(gelu_tanh(x), truth) <= 4.0 + 10.0 * u.abs(),
                    "gelu({x}) = {}",
                    gelu_tanh(x)
                );
            }
        }
    }
}

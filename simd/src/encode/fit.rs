//! Scales and offsets that fit values best, before they are rounded to what is stored.

use super::lanes::{Integers, Lanes, Moments, inverse, lanes};

/// Rounds of rounding and least squares.
const ROUNDS: usize = 3;

/// Sixteen scales for `x ≈ scale · q`, half of them negative where the integers are not symmetric.
///
/// The starting points place the value of largest magnitude at and around the last integers.
#[inline(always)]
pub(super) fn scales(integers: Integers, values: &[f32], starts: &Lanes) -> Lanes {
    let peak = values.iter().fold(
        0.0_f32,
        |peak, &x| if x.abs() > peak.abs() { x } else { peak },
    );
    if peak == 0.0 {
        return [0.0; 16];
    }
    let mut scale = lanes(|lane| peak / starts[lane]);
    for _ in 0..ROUNDS {
        let steps = lanes(|lane| inverse(scale[lane]));
        let Moments { qq, xq, .. } = integers.moments(values, &[0.0; 16], &steps);
        scale = lanes(|lane| {
            if qq[lane] > 0.0 {
                xq[lane] / qq[lane]
            } else {
                scale[lane]
            }
        });
    }
    scale
}

/// Sixteen pairs of a scale and a min for `x ≈ scale · q − min`.
pub(super) struct Pairs {
    /// The scales.
    pub scale: Lanes,
    /// The mins.
    pub min: Lanes,
}

/// What a min may be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Min {
    /// Any number.
    Free,
    /// Zero or above.
    NotNegative,
}

/// Pairs for integers from 0 to `high`.
///
/// Each starting point gives the integers, not whole ones, at which the lowest value and the highest
/// would sit: so far above 0 and so far below `high`.
#[inline(always)]
pub(super) fn pairs(high: f32, values: &[f32], allowed: Min, ends: &[[f32; 2]; 16]) -> Pairs {
    let integers = Integers { low: 0.0, high };
    let (mut first, mut last, mut sum) = (values[0], values[0], 0.0);
    for &x in values {
        first = if x < first { x } else { first };
        last = if x > last { x } else { last };
        sum += x;
    }
    if allowed == Min::NotNegative && first > 0.0 {
        first = 0.0;
    }
    let count = values.len() as f32;
    let mut scale = lanes(|lane| (last - first) / (high - ends[lane][0] - ends[lane][1]));
    let mut min = lanes(|lane| scale[lane] * ends[lane][0] - first);
    for _ in 0..ROUNDS {
        let steps = lanes(|lane| inverse(scale[lane]));
        let Moments { q, qq, xq } = integers.moments(values, &min, &steps);
        for lane in 0..16 {
            let spread = count * qq[lane] - q[lane] * q[lane];
            if spread > 0.0 {
                scale[lane] = (count * xq[lane] - sum * q[lane]) / spread;
                min[lane] = (scale[lane] * q[lane] - sum) / count;
            }
            if allowed == Min::NotNegative && min[lane] < 0.0 {
                min[lane] = 0.0;
                scale[lane] = xq[lane] * inverse(qq[lane]);
            }
        }
    }
    Pairs { scale, min }
}

//! The bound of an attention head's output.

use super::{ROUNDING, SECOND_ORDER, UNDERFLOW};
use fidelis_simd::attend::CHUNK;

/// How a key or a value is remembered, and what that moves it by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remembered {
    /// As the `f32` that it is.
    Single,
    /// As an IEEE half.
    Half,
    /// As a byte with a scale per 32.
    Byte,
}

impl Remembered {
    /// By how much each element may move.
    pub(crate) fn moved(self, row: &[f64]) -> Vec<f64> {
        let byte = |group: &[f64]| {
            let peak = group.iter().fold(0.0_f64, |peak, x| peak.max(x.abs()));
            let step = peak / 127.0 * (0.5 + 127.0 * 5.0 * ROUNDING) + 127.0 * UNDERFLOW;
            vec![step; group.len()]
        };
        match self {
            Self::Single => vec![0.0; row.len()],
            // 11 bits; below 2⁻¹⁴ half of 2⁻²⁴.
            Self::Half => row
                .iter()
                .map(|x| (x.abs() / 2048.0).max(1.0 / (1 << 25) as f64))
                .collect(),
            Self::Byte => row.chunks(32).flat_map(byte).collect(),
        }
    }
}

/// One query and the positions it sees, exactly.
#[derive(Clone, Copy, Debug)]
pub struct Attention<'a> {
    /// The query.
    pub query: &'a [f64],
    /// The keys seen, in order.
    pub keys: &'a [Vec<f64>],
    /// The values seen, in order.
    pub values: &'a [Vec<f64>],
    /// Multiplies the scores.
    pub scale: f64,
    /// `cap · tanh(score / cap)`.
    pub cap: Option<f64>,
    /// How keys and values are remembered.
    pub remembered: Remembered,
}

/// A position's score and by how much it may be off.
struct Score {
    value: f64,
    error: f64,
}

impl Attention<'_> {
    fn score(&self, key: &[f64]) -> Score {
        let pairs = || self.query.iter().zip(key);
        let product: f64 = pairs().map(|(q, k)| q * k).sum();
        let size: f64 = pairs().map(|(q, k)| (q * k).abs()).sum();
        let moved: f64 = (self.query.iter())
            .zip(self.remembered.moved(key))
            .map(|(q, moved)| q.abs() * moved)
            .sum();
        let width = key.len() as f64;
        let raw = width * ROUNDING * (size + moved) + moved + width * UNDERFLOW;
        let value = product * self.scale;
        let error = raw * self.scale.abs() + 2.0 * ROUNDING * value.abs();
        match self.cap {
            None => Score { value, error },
            // The slope of the cap is at most 1.
            Some(cap) => {
                let value = cap * libm::tanh(value / cap);
                Score {
                    value,
                    error: error + 4.0 * ROUNDING * value.abs(),
                }
            }
        }
    }

    /// The exact output and by how much the kernel's may be off, element by element.
    ///
    /// With probabilities `p` and a relative error of each weight below `η`, the output moves by at most
    /// `Σ p |v − out| η / (1 − max η)`. To that come the sums: of up to 128 positions in order, and merged chunk by chunk.
    pub fn output(&self) -> Vec<(f64, f64)> {
        let scores: Vec<Score> = self.keys.iter().map(|key| self.score(key)).collect();
        let most = scores.iter().fold(f64::NEG_INFINITY, |m, s| m.max(s.value));
        let least = scores.iter().fold(f64::INFINITY, |m, s| m.min(s.value));
        let exponentials: Vec<f64> = scores.iter().map(|s| libm::exp(s.value - most)).collect();
        let sum: f64 = exponentials.iter().sum();
        let chunks = scores.len().div_ceil(CHUNK) as f64 + 1.0;
        let weights: Vec<f64> = scores
            .iter()
            .map(|score| {
                // The differences of a chunk and of its merges, and an exponential of 3 u for each.
                let differences = ROUNDING * (3.0 * (most - least) + score.error);
                libm::expm1(score.error + differences + 3.0 * ROUNDING * chunks)
            })
            .collect();
        let worst = weights.iter().fold(0.0_f64, |worst, &w| worst.max(w));
        let moved: Vec<Vec<f64>> = (self.values.iter())
            .map(|value| self.remembered.moved(value))
            .collect();
        (0..self.values[0].len())
            .map(|d| {
                let at = |p: usize| (exponentials[p] / sum, self.values[p][d]);
                let out: f64 = (0..scores.len()).map(at).map(|(p, v)| p * v).sum();
                let mut spread = 0.0;
                let mut size = 0.0;
                let mut stored = 0.0;
                let mut all = 0.0;
                for i in 0..scores.len() {
                    let (p, v) = at(i);
                    spread += p * (v - out).abs() * weights[i];
                    size += p * v.abs();
                    stored += p * moved[i][d];
                    all += v.abs();
                }
                let (spread, stored) = if worst < 1.0 {
                    // A probability grows by at most (1 + η) / (1 − η).
                    (
                        spread / (1.0 - worst),
                        stored * (1.0 + worst) / (1.0 - worst),
                    )
                } else {
                    (f64::INFINITY, f64::INFINITY)
                };
                let longest = scores.len().min(CHUNK) as f64;
                let sums = (longest + 2.0 * chunks) * ROUNDING * (size + stored)
                    + (13.0 + 2.0 * chunks) * ROUNDING * out.abs();
                let underflow = 1.7e-38 * all + UNDERFLOW * (scores.len() as f64 + 4.0);
                let bound = (spread + sums + stored + underflow) * SECOND_ORDER;
                (out, bound)
            })
            .collect()
    }
}

//! Attention, as the contract's formula.

use crate::copy::Model;
use fidelis_abi::{Cache, Op};

/// The keys and values of one layer, position after position.
#[derive(Clone, Debug)]
pub(crate) struct Remembered {
    cache: Cache,
    keys: Vec<f32>,
    values: Vec<f32>,
}

/// A value as the cache's format holds it; `None` if it does not.
fn rounded(format: u32, x: f32) -> Option<f32> {
    let x = if format == 1 { halved(x) } else { x };
    x.is_finite().then_some(x)
}

/// The nearest 16-bit float, of two the even one.
fn halved(x: f32) -> f32 {
    // Of a normal half 11 bits count, of a subnormal those above 2⁻²⁴.
    let exponent = ((x.to_bits() >> 23) & 0xff) as i32 - 127;
    let unit = libm::exp2(f64::from(exponent.max(-14) - 10));
    let rounded = (f64::from(x) / unit).round_ties_even() * unit;
    if rounded.abs() >= 65_520.0 {
        f32::INFINITY.copysign(x)
    } else {
        rounded as f32
    }
}

impl Remembered {
    pub(crate) fn new(cache: Cache, context: u32) -> Self {
        let room = (context * cache.heads) as usize;
        Self {
            cache,
            keys: vec![f32::NAN; room * cache.key_width as usize],
            values: vec![f32::NAN; room * cache.value_width as usize],
        }
    }

    /// Writes the keys and values of a position; false if the format cannot hold them.
    pub(crate) fn write(&mut self, position: usize, key: &[f32], value: &[f32]) -> bool {
        let mut fits = true;
        for (memory, values) in [(&mut self.keys, key), (&mut self.values, value)] {
            let place = &mut memory[position * values.len()..][..values.len()];
            for (place, &x) in place.iter_mut().zip(values) {
                let held = rounded(self.cache.format, x);
                fits &= held.is_some();
                *place = held.unwrap_or(f32::NAN);
            }
        }
        fits
    }

    /// Forgets what lies further behind `read` than the window and `spare` positions: a NaN shows if it is used again.
    pub(crate) fn forget(&mut self, read: usize, spare: u32) {
        let kept = (self.cache.window as usize).saturating_add(spare as usize);
        if self.cache.window > 0 && read > kept {
            let row = (self.cache.heads * self.cache.key_width) as usize;
            self.keys[..(read - kept) * row].fill(f32::NAN);
        }
    }

    /// The heads of one token at `position`.
    pub(crate) fn attend(&self, op: &Op, position: usize, query: &[f32], out: &mut [f32]) {
        let cache = &self.cache;
        let [heads, key, value] =
            [cache.heads, cache.key_width, cache.value_width].map(|n| n as usize);
        let group = op.heads as usize / heads;
        let first = match cache.window as usize {
            0 => 0,
            window => (position + 1).saturating_sub(window),
        };
        for head in 0..op.heads as usize {
            let query = &query[head * key..(head + 1) * key];
            let row = |memory: &'_ [f32], at: usize, width: usize| {
                let start = (at * heads + head / group) * width;
                memory[start..start + width].to_vec()
            };
            let scores: Vec<f32> = (first..=position)
                .map(|at| {
                    let products = query.iter().zip(row(&self.keys, at, key));
                    let sum: f32 = products.map(|(q, k)| (q * op.scale as f32) * k).sum();
                    let score = sum * op.score_scale as f32;
                    if op.cap > 0.0 {
                        op.cap * libm::tanhf(score / op.cap)
                    } else {
                        score
                    }
                })
                .collect();
            let most = scores
                .iter()
                .fold(f32::NEG_INFINITY, |most, &s| most.max(s));
            let weights: Vec<f32> = scores.iter().map(|s| libm::expf(s - most)).collect();
            let sum: f32 = weights.iter().sum();
            let out = &mut out[head * value..(head + 1) * value];
            out.fill(0.0);
            for (at, weight) in (first..=position).zip(weights) {
                for (out, v) in out.iter_mut().zip(row(&self.values, at, value)) {
                    *out += weight / sum * v;
                }
            }
        }
    }
}

/// One memory for each cache of a model.
pub(crate) fn memories(model: &Model) -> Vec<Remembered> {
    let caches = model.caches.iter();
    caches
        .map(|&cache| Remembered::new(cache, model.context))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::halved;

    // The values are those of IEEE 754's binary16.
    #[test]
    fn halves_are_the_nearest() {
        for (x, half) in [
            (0.0, 0.0),
            (1.0, 1.0),
            (1.0 + 1.0 / 2048.0, 1.0),
            (1.0 + 3.0 / 2048.0, 1.0 + 2.0 / 1024.0),
            (65_504.0, 65_504.0),
            (65_519.0, 65_504.0),
            (-65_520.0, f32::NEG_INFINITY),
            (5.960_464_5e-8, 5.960_464_5e-8),
            (2.9e-8, 0.0),
            (-6.103_515_6e-5, -6.103_515_6e-5),
        ] {
            assert_eq!(halved(x), half, "{x}");
        }
    }
}

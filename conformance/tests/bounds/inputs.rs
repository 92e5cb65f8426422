//! Random and adversarial inputs, of several kinds.

use fidelis_simd::encode::encode_row;
use fidelis_simd::quant::Layout;
use fidelis_simd::{Format, with_layout};
use rand_core::Rng;
use rand_pcg::Pcg64Mcg;

/// Kinds of input.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    Normal,
    Positive,
    Cancelling,
    WideRange,
    Denormal,
    Outlier,
    HalfSteps,
}

pub(crate) const KINDS: [Kind; 7] = [
    Kind::Normal,
    Kind::Positive,
    Kind::Cancelling,
    Kind::WideRange,
    Kind::Denormal,
    Kind::Outlier,
    Kind::HalfSteps,
];

pub(crate) struct Source(Pcg64Mcg);

impl Source {
    pub(crate) fn new(seed: u64) -> Self {
        Self(Pcg64Mcg::new(u128::from(seed) << 1 | 1))
    }

    fn unit(&mut self) -> f64 {
        f64::from(self.0.next_u32()) / 4_294_967_296.0
    }

    /// A sum of twelve evens: variance 1.
    fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.unit()).sum::<f64>() - 6.0
    }

    pub(crate) fn values(&mut self, kind: Kind, len: usize) -> Vec<f32> {
        let mut values: Vec<f32> = (0..len)
            .map(|i| match kind {
                Kind::Normal | Kind::Outlier | Kind::Cancelling => self.normal() as f32,
                Kind::Positive => (0.5 + self.unit()) as f32,
                Kind::WideRange => {
                    let exponent = (self.unit() * 40.0) as i32 - 20;
                    self.normal() as f32 * f32::from_bits(((127 + exponent) << 23).cast_unsigned())
                }
                Kind::Denormal => self.normal() as f32 * 1e-39,
                // Halfway between two bytes, but for the one that sets the scale.
                Kind::HalfSteps => match i % 32 {
                    0 => 127.0,
                    _ => (self.unit() * 126.0).floor() as f32 + 0.5,
                },
            })
            .collect();
        if kind == Kind::Outlier {
            let at = self.0.next_u32() as usize % len;
            values[at] = 1000.0;
        }
        values
    }
}

pub(crate) fn wide(values: &[f32]) -> Vec<f64> {
    values.iter().map(|&x| f64::from(x)).collect()
}

/// Makes products of neighbours, and sums with `other`, cancel all but the last bits.
fn cancel(values: &mut [f32], other: &mut [f32]) {
    for (pair, others) in values.chunks_exact_mut(2).zip(other.chunks_exact_mut(2)) {
        pair[1] = pair[0];
        others[1] = -others[0] * (1.0 + 1e-6);
    }
}

/// A row of weights: encoded values where there is an encoder, else random bytes with moderate scales.
pub(crate) fn row(format: Format, values: &[f32], source: &mut Source) -> Vec<u8> {
    let mut row = vec![0; format.bytes_of(values.len()).expect("whole blocks")];
    // Encoders refuse what halves cannot hold.
    let values: Vec<f32> = values
        .iter()
        .map(|x| x.clamp(-60_000.0, 60_000.0))
        .collect();
    if encode_row(format, &values, &mut row).is_ok() {
        return row;
    }
    for block in row.chunks_exact_mut(format.block_bytes()) {
        loop {
            source.0.fill_bytes(block);
            let moderate = with_layout!(format, L => (0..L::GROUPS).all(|g| L::group(block, g).values::<f32>().iter().all(|x| x.abs() < 1e6)), float => true);
            if moderate {
                break;
            }
        }
    }
    row
}

/// Weights and activations of two kinds; where both cancel, their products do.
pub(crate) fn pair(weights: Kind, input: Kind, width: usize, source: &mut Source) -> [Vec<f32>; 2] {
    let mut pair = [source.values(weights, width), source.values(input, width)];
    let [weights_of, input_of] = &mut pair;
    if weights == Kind::Cancelling && input == Kind::Cancelling {
        cancel(weights_of, input_of);
    }
    pair
}

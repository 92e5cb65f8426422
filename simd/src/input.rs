//! Activations of the `fast` tier: signed bytes with a scale per 32.

use crate::{Isa, Kernel};

/// 32 consecutive activations of one token.
///
/// `x[i] ≈ scale · quants[i]`, with `scale = max |x| / 127`.
#[derive(Clone, Copy, Debug, Default, PartialEq, bytemuck::Zeroable)]
#[repr(C, align(16))]
pub struct InputGroup {
    /// Rounded to nearest, ties to even; −127 to 127.
    pub quants: [i8; 32],
    /// The scale.
    pub scale: f32,
    /// `scale · Σ quants`.
    pub scaled_sum: f32,
    /// The sums of the first and of the last 16 quants.
    pub sums: [i32; 2],
}

/// A value that is infinite or not a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NonFinite {
    /// Its index.
    pub index: usize,
}

/// Adding and subtracting 1.5 · 2²³ rounds to an integer, ties to even, and leaves that integer in
/// the low bits of the mantissa.
const ROUND: f32 = 12_582_912.0;

/// 2⁸⁰.
const RAISE: f32 = f32::from_bits((127 + 80) << 23);

impl InputGroup {
    /// Quantises 32 values; a non-finite one makes the scale non-finite.
    #[inline(always)]
    pub fn quantise(values: &[f32; 32]) -> Self {
        // The bits of positive floats are ordered as the floats are, NaN above all.
        let bits = values
            .iter()
            .fold(0, |most, x| most.max(x.to_bits() & 0x7fff_ffff));
        let peak = f32::from_bits(bits);
        if peak == 0.0 {
            return Self::default();
        }
        // Below 2⁻⁶⁰ the values are first raised, so that the inverse stays finite.
        let raise = if peak < 8.7e-19 { RAISE } else { 1.0 };
        let inverse = 127.0 / (peak * raise);
        let quants = values.map(
            #[inline(always)]
            |x| ((x * raise) * inverse + ROUND).to_bits() as i8,
        );
        let sum = |quants: &[i8]| quants.iter().map(|&quant| i32::from(quant)).sum();
        let sums: [i32; 2] = [sum(&quants[..16]), sum(&quants[16..])];
        let scale = peak / 127.0;
        Self {
            quants,
            scale,
            scaled_sum: scale * (sums[0] + sums[1]) as f32,
            sums,
        }
    }
}

/// Quantises a whole number of groups.
pub struct Quantise<'a> {
    /// A multiple of 32 values.
    pub values: &'a [f32],
    /// One per 32 values.
    pub groups: &'a mut [InputGroup],
}

impl Kernel for Quantise<'_> {
    type Output = Result<(), NonFinite>;

    #[inline(always)]
    fn run<I: Isa>(self, _: I) -> Self::Output {
        let (values, rest) = self.values.as_chunks::<32>();
        assert!(
            rest.is_empty(),
            "{} values do not fill groups of 32",
            self.values.len()
        );
        assert_eq!(values.len(), self.groups.len(), "one group per 32 values");
        let mut finite = true;
        for (values, group) in values.iter().zip(self.groups) {
            *group = InputGroup::quantise(values);
            finite &= group.scale.is_finite();
        }
        if finite {
            Ok(())
        } else {
            Err(first_non_finite(self.values))
        }
    }
}

/// The first value that is not finite; for values of which one is known to be.
pub(crate) fn first_non_finite(values: &[f32]) -> NonFinite {
    let index = values.iter().position(|x| !x.is_finite()).unwrap_or(0);
    NonFinite { index }
}

//! Norms, rotary turns, gates and sums: plain loops, compiled once for every level.
//!
//! Each output is a fixed sequence of correctly rounded operations, so the level cannot show.

use crate::real::fold;
use crate::{Isa, Kernel, Real};

/// `out = x / √(mean x² + epsilon) · weight`.
///
/// The squares are added in `f64`, in 16 running sums (element `k` to sum `k mod 16`).
pub struct RmsNorm<'a, R> {
    /// A row.
    pub input: &'a [R],
    /// As long as the row.
    pub weight: &'a [R],
    /// Added to the mean square.
    pub epsilon: f32,
    /// As long as the row.
    pub out: &'a mut [R],
}

impl<R: Real> Kernel for RmsNorm<'_, R> {
    type Output = ();

    #[inline(always)]
    fn run<I: Isa>(self, _: I) {
        let mut sums = [0.0_f64; 16];
        let (blocks, rest) = self.input.as_chunks::<16>();
        for block in blocks {
            for (sum, &x) in sums.iter_mut().zip(block) {
                *sum += x.to_f64() * x.to_f64();
            }
        }
        for (sum, &x) in sums.iter_mut().zip(rest) {
            *sum += x.to_f64() * x.to_f64();
        }
        let mean = fold(sums) / self.input.len() as f64;
        let inverse = R::of(1.0 / (mean + f64::from(self.epsilon)).sqrt());
        for ((out, &x), &weight) in self.out.iter_mut().zip(self.input).zip(self.weight) {
            *out = (x * inverse) * weight;
        }
    }
}

/// Which elements of a head are turned together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pairs {
    /// `(2 i, 2 i + 1)`.
    Neighbours,
    /// `(i, i + n / 2)`, of the first `n` elements.
    Halves,
}

/// Turns the pairs of every head by a position's angles; elements beyond the pairs pass.
pub struct Rotate<'a, R> {
    /// Heads, one after another.
    pub input: &'a [R],
    /// Elements of a head.
    pub width: usize,
    /// One per pair.
    pub cosines: &'a [R],
    /// One per pair.
    pub sines: &'a [R],
    /// Which elements form a pair.
    pub pairs: Pairs,
    /// As long as the input.
    pub out: &'a mut [R],
}

impl<R: Real> Kernel for Rotate<'_, R> {
    type Output = ();

    #[inline(always)]
    fn run<I: Isa>(self, _: I) {
        let pairs = self.cosines.len();
        let heads = self
            .input
            .chunks_exact(self.width)
            .zip(self.out.chunks_exact_mut(self.width));
        for (input, out) in heads {
            out.copy_from_slice(input);
            let turns = self.cosines.iter().zip(self.sines).enumerate();
            for (i, (&cosine, &sine)) in turns {
                let (a, b) = match self.pairs {
                    Pairs::Neighbours => (2 * i, 2 * i + 1),
                    Pairs::Halves => (i, i + pairs),
                };
                out[a] = input[a] * cosine - input[b] * sine;
                out[b] = input[a] * sine + input[b] * cosine;
            }
        }
    }
}

/// The non-linearity of a gate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Curve {
    /// `x · σ(x)`.
    Silu,
    /// See [`crate::math::gelu_tanh`].
    GeluTanh,
}

/// `out = curve(gate) · up`.
pub struct Gate<'a, R> {
    /// Goes through the curve.
    pub gate: &'a [R],
    /// Is multiplied by it.
    pub up: &'a [R],
    /// The curve.
    pub curve: Curve,
    /// As long as the others.
    pub out: &'a mut [R],
}

impl<R: Real> Kernel for Gate<'_, R> {
    type Output = ();

    #[inline(always)]
    fn run<I: Isa>(self, _: I) {
        let all = self.out.iter_mut().zip(self.gate).zip(self.up);
        match self.curve {
            Curve::Silu => all.for_each(
                #[inline(always)]
                |((out, &gate), &up)| *out = gate.silu() * up,
            ),
            Curve::GeluTanh => all.for_each(
                #[inline(always)]
                |((out, &gate), &up)| *out = gate.gelu_tanh() * up,
            ),
        }
    }
}

/// `out = a + b`.
pub struct Sum<'a, R> {
    /// One term.
    pub a: &'a [R],
    /// The other.
    pub b: &'a [R],
    /// As long as the others.
    pub out: &'a mut [R],
}

impl<R: Real> Kernel for Sum<'_, R> {
    type Output = ();

    #[inline(always)]
    fn run<I: Isa>(self, _: I) {
        for ((out, &a), &b) in self.out.iter_mut().zip(self.a).zip(self.b) {
            *out = a + b;
        }
    }
}

/// `x = cap · tanh(x / cap)`, in place.
pub struct SoftCap<'a, R> {
    /// What is bounded.
    pub values: &'a mut [R],
    /// The bound.
    pub cap: R,
}

impl<R: Real> Kernel for SoftCap<'_, R> {
    type Output = ();

    #[inline(always)]
    fn run<I: Isa>(self, _: I) {
        for value in self.values {
            *value = self.cap * (*value / self.cap).tanh();
        }
    }
}

/// `x = scale · x`, in place.
pub struct Scale<'a, R> {
    /// What is multiplied.
    pub values: &'a mut [R],
    /// The factor.
    pub scale: R,
}

impl<R: Real> Kernel for Scale<'_, R> {
    type Output = ();

    #[inline(always)]
    fn run<I: Isa>(self, _: I) {
        for value in self.values {
            *value *= self.scale;
        }
    }
}

//! The two kinds of numbers that the float kernels are written for.

use crate::compiled::Compiled;
use crate::{Isa, math};
use std::fmt::{Debug, Display};
use std::ops::{Add, AddAssign, Div, DivAssign, Mul, MulAssign, Sub};

/// `f32`, in which the tiers `fast` and `f32` compute, or `f64`, in which `audit` does.
///
/// Kernels are generic over it, so that the tiers cannot differ in anything but precision.
pub trait Real:
    Compiled
    + Copy
    + Debug
    + Default
    + Display
    + PartialOrd
    + Send
    + Sync
    + bytemuck::Pod
    + Add<Output = Self>
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Div<Output = Self>
    + AddAssign
    + MulAssign
    + DivAssign
    + 'static
{
    /// 16 of them on a level.
    type Lanes<I: Isa>: Copy;
    /// Whether this is what `audit` computes in.
    const EXACT: bool;
    /// Tokens that a register tile of four rows holds where registers are wide.
    const TILE: usize;
    /// Smaller than every number.
    const NEG_INFINITY: Self;

    /// `x`, rounded once.
    fn of(x: f64) -> Self;
    /// `x`, exactly.
    fn exactly(x: f32) -> Self;
    /// The value, exactly.
    fn to_f64(self) -> f64;
    /// The value, rounded once.
    fn to_f32(self) -> f32;
    /// Whether it is a number and not infinite.
    fn is_finite(self) -> bool;
    /// The slice, if these are `f32`.
    fn singles(values: &[Self]) -> Option<&[f32]>;
    /// The slice, if these are `f32`.
    fn singles_mut(values: &mut [Self]) -> Option<&mut [f32]>;

    /// `e^x`.
    fn exp(self) -> Self;
    /// `tanh x`.
    fn tanh(self) -> Self;
    /// `x · σ(x)`.
    fn silu(self) -> Self;
    /// `x/2 · (1 + tanh(√(2/π) (x + 0.044715 x³)))`.
    fn gelu_tanh(self) -> Self;

    /// Reads 16.
    fn load<I: Isa>(isa: I, from: &[Self; 16]) -> Self::Lanes<I>;
    /// Writes 16.
    fn store<I: Isa>(isa: I, lanes: Self::Lanes<I>, to: &mut [Self; 16]);
    /// `self` in every lane.
    fn splat<I: Isa>(self, isa: I) -> Self::Lanes<I>;
    /// `a + b`.
    fn add_lanes<I: Isa>(isa: I, a: Self::Lanes<I>, b: Self::Lanes<I>) -> Self::Lanes<I>;
    /// `a × b`.
    fn mul_lanes<I: Isa>(isa: I, a: Self::Lanes<I>, b: Self::Lanes<I>) -> Self::Lanes<I>;
    /// 16 `f32`, exactly.
    fn widen<I: Isa>(isa: I, reals: I::Reals) -> Self::Lanes<I>;
    /// All lanes added in one order: 8 + 8, 4 + 4, 2 + 2, 1 + 1.
    #[inline(always)]
    fn sum<I: Isa>(isa: I, lanes: Self::Lanes<I>) -> Self {
        let mut sums = [Self::default(); 16];
        Self::store(isa, lanes, &mut sums);
        fold(sums)
    }
}

/// Adds 16 values: 8 + 8, 4 + 4, 2 + 2, 1 + 1.
#[inline(always)]
pub(crate) fn fold<R: Real>(mut sums: [R; 16]) -> R {
    for half in [8, 4, 2, 1] {
        for i in 0..half {
            let other = sums[i + half];
            sums[i] += other;
        }
    }
    sums[0]
}

impl Real for f32 {
    type Lanes<I: Isa> = I::Reals;
    const EXACT: bool = false;
    const TILE: usize = 4;
    const NEG_INFINITY: Self = Self::NEG_INFINITY;

    #[inline(always)]
    fn of(x: f64) -> Self {
        x as Self
    }
    #[inline(always)]
    fn exactly(x: f32) -> Self {
        x
    }
    #[inline(always)]
    fn to_f64(self) -> f64 {
        self.into()
    }
    #[inline(always)]
    fn to_f32(self) -> f32 {
        self
    }
    #[inline(always)]
    fn is_finite(self) -> bool {
        self.is_finite()
    }
    fn singles(values: &[Self]) -> Option<&[f32]> {
        Some(values)
    }
    fn singles_mut(values: &mut [Self]) -> Option<&mut [f32]> {
        Some(values)
    }
    #[inline(always)]
    fn exp(self) -> Self {
        math::exp(self)
    }
    #[inline(always)]
    fn tanh(self) -> Self {
        math::tanh(self)
    }
    #[inline(always)]
    fn silu(self) -> Self {
        math::silu(self)
    }
    #[inline(always)]
    fn gelu_tanh(self) -> Self {
        math::gelu_tanh(self)
    }
    #[inline(always)]
    fn load<I: Isa>(isa: I, from: &[Self; 16]) -> I::Reals {
        isa.load(from)
    }
    #[inline(always)]
    fn store<I: Isa>(isa: I, lanes: I::Reals, to: &mut [Self; 16]) {
        isa.store(lanes, to);
    }
    #[inline(always)]
    fn splat<I: Isa>(self, isa: I) -> I::Reals {
        isa.splat(self)
    }
    #[inline(always)]
    fn add_lanes<I: Isa>(isa: I, a: I::Reals, b: I::Reals) -> I::Reals {
        isa.add(a, b)
    }
    #[inline(always)]
    fn mul_lanes<I: Isa>(isa: I, a: I::Reals, b: I::Reals) -> I::Reals {
        isa.mul(a, b)
    }
    #[inline(always)]
    fn widen<I: Isa>(_: I, reals: I::Reals) -> I::Reals {
        reals
    }
}

impl Real for f64 {
    type Lanes<I: Isa> = I::Doubles;
    const EXACT: bool = true;
    const TILE: usize = 2;
    const NEG_INFINITY: Self = Self::NEG_INFINITY;

    #[inline(always)]
    fn of(x: f64) -> Self {
        x
    }
    #[inline(always)]
    fn exactly(x: f32) -> Self {
        x.into()
    }
    #[inline(always)]
    fn to_f64(self) -> f64 {
        self
    }
    #[inline(always)]
    fn to_f32(self) -> f32 {
        self as f32
    }
    #[inline(always)]
    fn is_finite(self) -> bool {
        self.is_finite()
    }
    fn singles(_: &[Self]) -> Option<&[f32]> {
        None
    }
    fn singles_mut(_: &mut [Self]) -> Option<&mut [f32]> {
        None
    }
    #[inline(always)]
    fn exp(self) -> Self {
        libm::exp(self)
    }
    #[inline(always)]
    fn tanh(self) -> Self {
        libm::tanh(self)
    }
    #[inline(always)]
    fn silu(self) -> Self {
        math::silu_f64(self)
    }
    #[inline(always)]
    fn gelu_tanh(self) -> Self {
        math::gelu_tanh_f64(self)
    }
    #[inline(always)]
    fn load<I: Isa>(isa: I, from: &[Self; 16]) -> I::Doubles {
        isa.load_doubles(from)
    }
    #[inline(always)]
    fn store<I: Isa>(isa: I, lanes: I::Doubles, to: &mut [Self; 16]) {
        isa.store_doubles(lanes, to);
    }
    #[inline(always)]
    fn splat<I: Isa>(self, isa: I) -> I::Doubles {
        isa.splat_double(self)
    }
    #[inline(always)]
    fn add_lanes<I: Isa>(isa: I, a: I::Doubles, b: I::Doubles) -> I::Doubles {
        isa.add_doubles(a, b)
    }
    #[inline(always)]
    fn mul_lanes<I: Isa>(isa: I, a: I::Doubles, b: I::Doubles) -> I::Doubles {
        isa.mul_doubles(a, b)
    }
    #[inline(always)]
    fn widen<I: Isa>(isa: I, reals: I::Reals) -> I::Doubles {
        isa.widen(reals)
    }
}

//! The levels of aarch64: one set of vectors, three ways to multiply their bytes.

mod vectors;

use crate::Kernel;
use std::arch::aarch64::*;
use std::arch::{asm, is_aarch64_feature_detected};

/// 128-bit vectors, four registers to 16 lanes; `P` multiplies their bytes.
#[derive(Clone, Copy, Debug)]
pub struct Neon<P>(P);

/// A way to multiply bytes.
pub trait Products: Copy + Send + Sync + 'static {
    /// Whether [`Products::matrix`] is one instruction.
    const MATRIX: bool = false;

    /// `sum + Σ w · x` over the four signed bytes of every lane; no `x` is −128.
    fn dot(self, sum: int32x4_t, w: int8x16_t, x: int8x16_t) -> int32x4_t;

    /// `sum[2 r + t] + Σ w[8 r + i] · x[8 t + i]` over eight signed bytes, for two rows and two tokens; no `x` is −128.
    #[inline(always)]
    fn matrix(self, sum: int32x4_t, w: int8x16_t, x: int8x16_t) -> int32x4_t {
        // SAFETY: NEON is in the baseline of aarch64.
        unsafe {
            let tokens = vreinterpretq_s64_s8(x);
            let none = vdupq_n_s32(0);
            // Of each token: the halves of the first row, then those of the second.
            let first = self.dot(none, w, vreinterpretq_s8_s64(vtrn1q_s64(tokens, tokens)));
            let second = self.dot(none, w, vreinterpretq_s8_s64(vtrn2q_s64(tokens, tokens)));
            let by_token = vpaddq_s32(first, second);
            vaddq_s32(
                sum,
                vzip1q_s32(by_token, vextq_s32::<2>(by_token, by_token)),
            )
        }
    }
}

/// Products of 16 bits, added in pairs: what every aarch64 CPU can do.
#[derive(Clone, Copy, Debug)]
pub struct Pairs;

/// `sdot`, four byte products per lane and instruction (Armv8.2 with `dotprod`).
///
/// A value exists only where [`Neon::detect`] found the feature.
#[derive(Clone, Copy, Debug)]
pub struct FourTimes(());

/// `sdot`, and `smmla` for the products of two rows with two tokens (Armv8.2 with `dotprod` and `i8mm`).
///
/// A value exists only where [`Neon::detect`] found the features.
#[derive(Clone, Copy, Debug)]
pub struct TwoByTwo(FourTimes);

impl Products for Pairs {
    #[inline(always)]
    fn dot(self, sum: int32x4_t, w: int8x16_t, x: int8x16_t) -> int32x4_t {
        // SAFETY: NEON is in the baseline of aarch64.
        unsafe {
            let low = vmull_s8(vget_low_s8(w), vget_low_s8(x));
            let high = vmull_high_s8(w, x);
            // Two products fit 16 bits: |w| ≤ 128 and |x| ≤ 127 make 2 · 128 · 127 = 32512 at most.
            vpadalq_s16(sum, vpaddq_s16(low, high))
        }
    }
}

/// The instruction whose intrinsic is not stable yet.
#[inline]
#[target_feature(enable = "dotprod")]
fn sdot(mut sum: int32x4_t, w: int8x16_t, x: int8x16_t) -> int32x4_t {
    // SAFETY: the function has the feature; only `sum` is written, and no memory is touched.
    unsafe {
        asm!(
            "sdot {sum:v}.4s, {w:v}.16b, {x:v}.16b",
            sum = inout(vreg) sum,
            w = in(vreg) w,
            x = in(vreg) x,
            options(pure, nomem, nostack, preserves_flags),
        );
    }
    sum
}

/// Another such instruction.
#[inline]
#[target_feature(enable = "i8mm")]
fn smmla(mut sum: int32x4_t, w: int8x16_t, x: int8x16_t) -> int32x4_t {
    // SAFETY: the function has the feature; only `sum` is written, and no memory is touched.
    unsafe {
        asm!(
            "smmla {sum:v}.4s, {w:v}.16b, {x:v}.16b",
            sum = inout(vreg) sum,
            w = in(vreg) w,
            x = in(vreg) x,
            options(pure, nomem, nostack, preserves_flags),
        );
    }
    sum
}

impl Products for FourTimes {
    #[inline(always)]
    fn dot(self, sum: int32x4_t, w: int8x16_t, x: int8x16_t) -> int32x4_t {
        // SAFETY: `self` exists, so the CPU has the feature.
        unsafe { sdot(sum, w, x) }
    }
}

impl Products for TwoByTwo {
    const MATRIX: bool = true;

    #[inline(always)]
    fn dot(self, sum: int32x4_t, w: int8x16_t, x: int8x16_t) -> int32x4_t {
        self.0.dot(sum, w, x)
    }

    #[inline(always)]
    fn matrix(self, sum: int32x4_t, w: int8x16_t, x: int8x16_t) -> int32x4_t {
        // SAFETY: `self` exists, so the CPU has the feature.
        unsafe { smmla(sum, w, x) }
    }
}

impl Neon<Pairs> {
    /// The level that every aarch64 CPU has.
    pub const BASELINE: Self = Self(Pairs);
}

impl Neon<FourTimes> {
    /// The level, if this CPU has the byte dot product.
    pub fn detect() -> Option<Self> {
        is_aarch64_feature_detected!("dotprod").then_some(Self(FourTimes(())))
    }

    /// Runs `kernel` compiled with the byte dot product.
    #[inline]
    pub fn enter<K: Kernel>(self, kernel: K) -> K::Output {
        #[target_feature(enable = "dotprod")]
        fn entered<K: Kernel>(isa: Neon<FourTimes>, kernel: K) -> K::Output {
            kernel.run(isa)
        }
        // SAFETY: `self` exists, so `detect` found the feature that `entered` enables.
        unsafe { entered(self, kernel) }
    }
}

impl Neon<TwoByTwo> {
    /// The level, if this CPU has the byte dot product and the byte matrix product.
    pub fn detect() -> Option<Self> {
        let Neon(dot) = Neon::<FourTimes>::detect()?;
        is_aarch64_feature_detected!("i8mm").then_some(Self(TwoByTwo(dot)))
    }

    /// Runs `kernel` compiled with the byte products.
    #[inline]
    pub fn enter<K: Kernel>(self, kernel: K) -> K::Output {
        #[target_feature(enable = "dotprod,i8mm")]
        fn entered<K: Kernel>(isa: Neon<TwoByTwo>, kernel: K) -> K::Output {
            kernel.run(isa)
        }
        // SAFETY: `self` exists, so `detect` found the features that `entered` enables.
        unsafe { entered(self, kernel) }
    }
}

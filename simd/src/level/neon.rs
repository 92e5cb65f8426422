//! The levels of aarch64: one set of vectors, two ways to multiply their bytes.

mod vectors;

use crate::Kernel;
use std::arch::aarch64::*;
use std::arch::{asm, is_aarch64_feature_detected};

/// 128-bit vectors, four registers to 16 lanes; `P` multiplies their bytes.
#[derive(Clone, Copy, Debug)]
pub struct Neon<P>(P);

/// A way to multiply bytes.
pub trait Products: Copy + Send + Sync + 'static {
    /// `sum + Σ w · x` over the four signed bytes of every lane; no `x` is −128.
    fn dot(self, sum: int32x4_t, w: int8x16_t, x: int8x16_t) -> int32x4_t;
}

/// Products of 16 bits, added in pairs: what every aarch64 CPU can do.
#[derive(Clone, Copy, Debug)]
pub struct Pairs;

/// `sdot`, four byte products per lane and instruction (Armv8.2 with `dotprod`).
///
/// A value exists only where [`Neon::detect`] found the feature.
#[derive(Clone, Copy, Debug)]
pub struct FourTimes(());

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

impl Products for FourTimes {
    #[inline(always)]
    fn dot(self, sum: int32x4_t, w: int8x16_t, x: int8x16_t) -> int32x4_t {
        // SAFETY: `self` exists, so the CPU has the feature.
        unsafe { sdot(sum, w, x) }
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

//! Weights times activations in the `fast` tier.
//!
//! One output is one running sum over groups of 32, in order:
//!
//! ```text
//! y = 0
//! for g in 0..groups:
//!     y = y + (f32(Σ w q) · scale_g) · a_g
//!     y = y − min_g · (a_g · s_g)                          (formats with a minimum)
//! ```
//!
//! with `s_g = Σ q`. A format that scales by 16 has, with exact products,
//!
//! ```text
//!     y = y + ((f32(Σ₀ w q) · half₀ + f32(Σ₁ w q) · half₁) · scale_g) · a_g
//!     y = y − ((f32(s₀) · min₀ + f32(s₁) · min₁) · min_g) · a_g
//! ```
//!
//! Integer sums are exact, every other operation is rounded once, and 16 output rows sit in the
//! lanes, so the width of a register never shows.

mod decode;
mod prefill;
mod sum;

pub use decode::Decode;
pub use prefill::{Prefill, Scratch};

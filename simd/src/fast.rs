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
//! # Why this rule
//!
//! It was measured against the coarser one that multiplies integer scales first and takes one float
//! step per 256, with one activation scale per 256. With the weights unpacked, 2 × 6 register tiles
//! of 16 rows, share of the byte-product peak:
//!
//! | machine | this rule, minima | this rule, none | one step per 256 |
//! |---|---|---|---|
//! | Zen 5, AVX-512, four vector pipes | 72–79 % | 78–89 % | 80–95 % |
//! | Xeon with AVX-512 on two ports | 0.49–0.50 Tops | 0.56–0.58 Tops | 0.52 Tops |
//!
//! So a scale per 32, which keeps an outlier's damage to its own 32 values, costs a tenth on the one
//! machine and nothing on the other. In decode the rule is not what limits: with the rows in the
//! second-level cache one core of the Xeon reads 29 GB/s of `Q4_K`, about twice what its memory gives.
//! The rule is frozen.
//!
//! Integer sums are exact, every other operation is rounded once, and 16 output rows sit in the
//! lanes, so the width of a register never shows.

mod decode;
mod in_place;
mod order;
mod prefill;
mod sum;

pub use decode::Decode;
pub use order::Order;
pub use prefill::{Prefill, Room, Scratch};

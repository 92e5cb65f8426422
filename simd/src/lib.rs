//! Weight formats, SIMD levels and the kernels that run on them.

pub mod attend;
mod compiled;
pub mod dense;
pub mod elementwise;
pub mod encode;
pub mod fast;
mod format;
mod half_bits;
pub mod input;
mod isa;
mod level;
pub mod math;
mod prefetch;
pub mod probe;
pub mod quant;
mod real;

pub use format::Format;
pub use isa::{Isa, Kernel};
pub use level::{LEVEL_VARIABLE, Level, NoSuchLevel};
pub use real::Real;

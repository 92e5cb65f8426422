//! Weight formats, SIMD levels and the kernels that run on them.

pub mod fast;
mod format;
mod half_bits;
pub mod input;
mod isa;
mod level;
mod prefetch;
pub mod quant;

pub use format::Format;
pub use isa::{Isa, Kernel};
pub use level::{LEVEL_VARIABLE, Level, NoSuchLevel};

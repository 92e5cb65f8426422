//! Weight formats, SIMD levels and the kernels that run on them.

mod format;
mod half_bits;
mod isa;
mod level;
pub mod quant;

pub use format::Format;
pub use isa::{Isa, Kernel};
pub use level::{LEVEL_VARIABLE, Level, NoSuchLevel};

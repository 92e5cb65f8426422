//! Weight formats, SIMD levels and the kernels that run on them.

mod format;
pub mod quant;

pub use format::Format;

//! The skin: every function that C sees, and all unsafe code.
//!
//! Each function is [`pointer::guard`] around safe calls; pointers are read and written by the functions of [`pointer`] alone.

mod answer;
mod build;
mod model;
mod pointer;
mod sampler;
mod saved;
mod session;
mod sized;
mod status;
mod text;

pub use answer::*;
pub use build::*;
pub use model::*;
pub use sampler::*;
pub use saved::*;
pub use session::*;
pub use status::*;
pub use text::*;

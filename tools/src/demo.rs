//! The small model inside this program.

/// A GGUF file; `demo-model/README.md` says how it was made.
pub(crate) const BYTES: &[u8] = include_bytes!("../demo-model/demo-llama-q4_k_m.gguf");

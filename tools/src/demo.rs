//! The small model inside this program, unless it was built without the feature `demo`.

/// A GGUF file; `demo-model/README.md` says how it was made.
#[cfg(feature = "demo")]
pub(crate) const BYTES: Option<&[u8]> =
    Some(include_bytes!("../demo-model/demo-llama-q4_k_m.gguf"));

/// None is inside.
#[cfg(not(feature = "demo"))]
pub(crate) const BYTES: Option<&[u8]> = None;

//! Recordings of other engines: their files, and their names for our checkpoints.
//!
//! | file | holds |
//! |---|---|
//! | `.safetensors` | tensors under our names, llama.cpp's or Hugging Face's |
//! | `.npz` | the same, as `numpy.savez` writes them |
//!
//! The name maps are in [`names`]. Ids are the tensor `tokens` (or `inp_tokens`, `input_ids`); a file without them can be read if they are given.

pub mod names;
mod npz;

pub use npz::NpzError;

use crate::recording::{Recording, RecordingError, Tensor};
use crate::reference::Reference;
use std::collections::BTreeMap;
use std::path::Path;

/// Why another engine's recording cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// The recording is at fault.
    #[error(transparent)]
    Recording(#[from] RecordingError),
    /// The archive is.
    #[error(transparent)]
    Npz(#[from] NpzError),
    /// Two tensors stand for one checkpoint.
    #[error("{first} and {second} both are {checkpoint}; record one of them")]
    Twice {
        /// The checkpoint.
        checkpoint: String,
        /// One name.
        first: String,
        /// The other.
        second: String,
    },
}

/// Reads another engine's recording; `ids` are for a file that has none.
///
/// # Errors
///
/// [`ImportError`] with what is wrong and how to record it right.
pub fn load(
    path: &Path,
    reference: &Reference<'_, '_>,
    ids: Option<&[u32]>,
) -> Result<Recording, ImportError> {
    let bytes = std::fs::read(path).map_err(RecordingError::Io)?;
    read(&bytes, reference, ids)
}

/// The same from bytes; what kind of file it is is seen from its beginning.
///
/// # Errors
///
/// As [`load`].
pub fn read(
    bytes: &[u8],
    reference: &Reference<'_, '_>,
    ids: Option<&[u32]>,
) -> Result<Recording, ImportError> {
    let mut recording = if bytes.starts_with(b"PK") {
        npz::read(bytes, ids)?
    } else {
        Recording::from_bytes_with(bytes, ids)?
    };
    let all = std::mem::take(&mut recording.tensors);
    let guess = names::engine(all.keys().map(String::as_str));
    if recording.provenance.engine.is_empty() {
        guess.clone_into(&mut recording.provenance.engine);
    }
    recording.tensors = renamed(all, reference)?;
    Ok(recording)
}

/// The tensors under our names; those without one keep theirs.
fn renamed(
    all: BTreeMap<String, Tensor>,
    reference: &Reference<'_, '_>,
) -> Result<BTreeMap<String, Tensor>, ImportError> {
    let mut out: BTreeMap<String, Tensor> = BTreeMap::new();
    let mut from: BTreeMap<String, String> = BTreeMap::new();
    for (name, tensor) in all {
        let Some(mapped) = names::checkpoint(&name, reference) else {
            out.insert(name, tensor);
            continue;
        };
        if let Some(first) = from.insert(mapped.name.clone(), name.clone()) {
            return Err(ImportError::Twice {
                checkpoint: mapped.name,
                first,
                second: name,
            });
        }
        out.insert(mapped.name.clone(), mapped.applied(tensor, reference));
    }
    Ok(out)
}

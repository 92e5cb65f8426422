//! Recordings of other engines: their files, and their names for our checkpoints.
//!
//! | file | holds |
//! |---|---|
//! | `.safetensors` | tensors under our names, llama.cpp's or Hugging Face's |
//! | `.npz` | the same, as `numpy.savez` writes them |
//! | text | llama.cpp's eval-callback log, or a table of statistics: [`Claims`] |
//!
//! The name maps are in [`names`]. Ids are the tensor `tokens` (or `inp_tokens`, `input_ids`); a file without them can be read if they are given.

mod log;
pub mod names;
mod npz;
mod table;

pub use npz::NpzError;

use crate::claims::Claims;
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
    /// A cell of a table that is no finite number.
    #[error("line {line}, column {column}: {found:?} is no finite number")]
    Cell {
        /// Counted from 1.
        line: usize,
        /// Its name.
        column: String,
        /// Its text.
        found: String,
    },
    /// A text without a number about any checkpoint.
    #[error(
        "it says nothing about any checkpoint of this model; record tensors, llama.cpp's eval-callback log, or a table whose first column is `checkpoint`"
    )]
    NoClaims,
}

/// What another engine's file holds.
#[derive(Clone, Debug)]
pub enum Imported {
    /// Whole tensors.
    Recording(Recording),
    /// Single numbers.
    Claims(Claims),
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
) -> Result<Imported, ImportError> {
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
) -> Result<Imported, ImportError> {
    if let Some(text) = as_text(bytes) {
        let claims = if text.contains("_cb_eval:") {
            log::read(text, reference, ids)
        } else {
            table::read(text, reference, ids)?
        };
        if claims.tokens.is_empty() {
            return Err(RecordingError::NoTokens.into());
        }
        if claims.all.is_empty() {
            return Err(ImportError::NoClaims);
        }
        return Ok(Imported::Claims(claims));
    }
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
    Ok(Imported::Recording(recording))
}

/// The file as text, unless it is one of numbers: those have bytes that no text has.
fn as_text(bytes: &[u8]) -> Option<&str> {
    let start = &bytes[..bytes.len().min(16)];
    (!start.contains(&0)).then(|| str::from_utf8(bytes).ok())?
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

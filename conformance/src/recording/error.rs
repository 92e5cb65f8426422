//! Why a file is not a recording that can be used.

use std::io;

/// Why a file is not a recording that can be used.
#[derive(Debug, thiserror::Error)]
pub enum RecordingError {
    /// The system could not read it.
    #[error("cannot read the recording")]
    Io(#[from] io::Error),
    /// The system could not write it.
    #[error(transparent)]
    Write(#[from] Box<crate::receipt::ReceiptError>),
    /// Not a safetensors file, or cut off.
    #[error("this is no whole safetensors file; write it again, and let the writer finish")]
    Safetensors(#[from] safetensors::SafeTensorError),
    /// The ids are missing.
    #[error("there is no tensor `tokens`; record the ids that the engine read, as i32 or i64")]
    NoTokens,
    /// The ids are empty, or not whole numbers from 0 on.
    #[error("`tokens` must be ids from 0 on, at least one; element {index} is none")]
    NotIds {
        /// Where.
        index: usize,
    },
    /// A tensor's numbers are of a type that is not read.
    #[error("{tensor} is {found}; record f32 or f64 (f16 and bf16 are read too)")]
    Type {
        /// Its name.
        tensor: String,
        /// Its type.
        found: String,
    },
    /// A value is infinite or not a number.
    #[error(
        "{tensor} has {value} at element {index}: the engine computed it, or the recording read memory that was not written yet"
    )]
    NonFinite {
        /// The tensor.
        tensor: String,
        /// Where.
        index: usize,
        /// What.
        value: f64,
    },
    /// No checkpoint is in it.
    #[error("it holds no checkpoint beside the ids; nothing could be compared")]
    Empty,
    /// A metadata entry that cannot be understood.
    #[error("the metadata `{key}` is {found:?}, which is not {wanted}")]
    Metadata {
        /// Its key.
        key: String,
        /// Its text.
        found: String,
        /// What it should be.
        wanted: &'static str,
    },
    /// The steps do not add up.
    #[error("the steps add up to {sum} tokens, but {tokens} were recorded")]
    Steps {
        /// Their sum.
        sum: usize,
        /// The tokens.
        tokens: usize,
    },
    /// A pattern that cannot be understood.
    #[error("{text:?} is not {wanted}")]
    Selection {
        /// What was given.
        text: String,
        /// What it should be.
        wanted: &'static str,
    },
}

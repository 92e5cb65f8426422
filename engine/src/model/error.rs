//! Why a file is not a model that can be run.

use crate::gguf::GgufError;
use crate::shape::Shape;

/// Why a file is not a model that can be run.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// The file itself is at fault.
    #[error(transparent)]
    Gguf(#[from] GgufError),
    /// An architecture that nobody wrote a builder for.
    #[error("architecture {name:?} is not known; known are {}", known.join(", "))]
    Architecture {
        /// The file's.
        name: String,
        /// Those that are.
        known: [&'static str; 6],
    },
    /// A key that the architecture needs.
    #[error("key {key} is missing")]
    MissingKey {
        /// The key.
        key: String,
    },
    /// A value that cannot be.
    #[error("key {key} is {found}, but {wanted}")]
    Impossible {
        /// The key.
        key: String,
        /// Its value.
        found: String,
        /// What it should be.
        wanted: &'static str,
    },
    /// More tokens than the embedding has rows.
    #[error("key {key} says {tokens} tokens, but token_embd.weight has {rows} rows")]
    Vocabulary {
        /// The key.
        key: String,
        /// Tokens.
        tokens: usize,
        /// Rows.
        rows: usize,
    },
    /// A tensor that the architecture needs.
    #[error("tensor {tensor} is missing")]
    MissingTensor {
        /// The tensor.
        tensor: String,
    },
    /// A tensor of another shape than the keys say.
    #[error("tensor {tensor} is {found}, but the keys ask for {wanted}")]
    Shape {
        /// The tensor.
        tensor: String,
        /// Its shape.
        found: Shape,
        /// What the keys say.
        wanted: Shape,
    },
    /// Tensors that the architecture has no use for.
    #[error("{count} tensors have no place in this architecture, the first is {tensor}")]
    Unused {
        /// The first.
        tensor: String,
        /// How many.
        count: usize,
    },
}

impl ModelError {
    pub(super) fn missing(key: &str) -> Self {
        Self::MissingKey {
            key: key.to_owned(),
        }
    }

    pub(super) fn impossible(key: &str, found: impl ToString, wanted: &'static str) -> Self {
        Self::Impossible {
            key: key.to_owned(),
            found: found.to_string(),
            wanted,
        }
    }
}

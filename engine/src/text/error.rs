//! What can be wrong with a vocabulary.

use crate::gguf::GgufError;

/// Why a file has no usable tokenizer, or a text cannot be encoded.
#[derive(Debug, thiserror::Error)]
pub enum TextError {
    /// A value of the wrong type.
    #[error(transparent)]
    Gguf(#[from] GgufError),
    /// A key that a tokenizer needs.
    #[error("key {key} is missing: the file has no tokenizer")]
    Missing {
        /// The key.
        key: &'static str,
    },
    /// An array whose elements are of the wrong type.
    #[error("key {key} must be an array of {wanted}")]
    Elements {
        /// The key.
        key: &'static str,
        /// What its elements should be.
        wanted: &'static str,
    },
    /// Arrays that should be of one length.
    #[error("key {key} has {found} elements for {tokens} tokens")]
    Length {
        /// The key.
        key: &'static str,
        /// Its elements.
        found: usize,
        /// Tokens in all.
        tokens: usize,
    },
    /// A token id beyond the vocabulary.
    #[error("key {key} is {id}, but there are {tokens} tokens")]
    Id {
        /// The key.
        key: &'static str,
        /// The id.
        id: u32,
        /// Tokens in all.
        tokens: usize,
    },
    /// A kind of tokenizer that nobody wrote.
    #[error(
        "tokenizer.ggml.model is {model:?}; known are llama (SentencePiece), gpt2 and gemma4 (byte pairs)"
    )]
    Model {
        /// The file's.
        model: String,
    },
    /// A pre-tokenizer that nobody wrote.
    #[error("tokenizer.ggml.pre is {pre:?}, which is not a known pre-tokenizer")]
    Words {
        /// The file's.
        pre: String,
    },
    /// A merge that is not two tokens of the vocabulary.
    #[error(
        "tokenizer.ggml.merges: entry {index}, {merge:?}, does not merge two tokens into a third"
    )]
    Merge {
        /// Its place.
        index: usize,
        /// The entry.
        merge: String,
    },
    /// No merges at all.
    #[error("tokenizer.ggml.merges is empty")]
    NoMerges,
    /// Text for a byte-pair vocabulary, in an engine that was built without the means to merge.
    #[error(
        "the vocabulary is one of byte pairs, and the engine was built without its feature `tokenizers`, which turns text into their ids"
    )]
    NoMerger,
    /// The library refuses the vocabulary.
    #[error("the vocabulary cannot be used: {reason}")]
    Library {
        /// What it says.
        reason: String,
    },
    /// The library cannot encode a text.
    #[error("the text cannot be encoded: {reason}")]
    Encode {
        /// What it says.
        reason: String,
    },
}

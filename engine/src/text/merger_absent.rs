//! Byte pairs are not merged: the crate that does is not there.

use super::TextError;
use super::vocabulary::Vocabulary;
use super::words::Words;
use crate::gguf::Gguf;

/// Refuses every text.
pub(super) struct Merger;

impl Merger {
    /// The merges are not looked at: a vocabulary serves to turn ids into text all the same.
    pub(super) fn read(
        _: &Gguf<'_>,
        _: &Vocabulary,
        _: &Words,
        _: bool,
    ) -> Result<Self, TextError> {
        Ok(Self)
    }

    /// Always [`TextError::NoMerger`].
    pub(super) fn encode(&self, _: &str, _: &mut Vec<u32>) -> Result<(), TextError> {
        Err(TextError::NoMerger)
    }
}

//! Byte-pair vocabularies.

use super::TextError;
use super::merger::Merger;
use super::vocabulary::Vocabulary;
use super::words;
use crate::gguf::Gguf;
use std::collections::HashMap;

/// A byte-pair vocabulary at work.
pub(super) struct Bpe {
    merger: Merger,
    /// Whether text is merged as it is, with `▁` for spaces, rather than byte by byte.
    raw: bool,
    /// The bytes that the characters of tokens stand for.
    bytes: HashMap<char, u8>,
}

impl Bpe {
    pub(super) fn read(gguf: &Gguf<'_>, vocabulary: &Vocabulary) -> Result<Self, TextError> {
        let pre = if vocabulary.model == "gemma4" {
            "gemma4"
        } else {
            gguf.str("tokenizer.ggml.pre")?.unwrap_or("default")
        };
        let words = words::named(pre).ok_or_else(|| TextError::Words {
            pre: pre.to_owned(),
        })?;
        let raw = pre == "gemma4";
        Ok(Self {
            merger: Merger::read(gguf, vocabulary, &words, raw)?,
            raw,
            bytes: byte_characters(),
        })
    }

    /// Appends the ids of `text`.
    pub(super) fn encode(
        &self,
        vocabulary: &Vocabulary,
        text: &str,
        ids: &mut Vec<u32>,
    ) -> Result<(), TextError> {
        let escaped = if self.raw {
            text.replace(' ', "▁")
        } else {
            text.to_owned()
        };
        for part in newline_runs(&escaped, self.raw) {
            // A run of line breaks is one token where the vocabulary has it, whatever the merges say.
            if self.raw
                && part.starts_with('\n')
                && let Some(id) = vocabulary.tokens.id(part)
            {
                ids.push(id);
                continue;
            }
            self.merger.encode(part, ids)?;
        }
        Ok(())
    }

    /// Appends the bytes of a normal token.
    pub(super) fn append_bytes(&self, vocabulary: &Vocabulary, id: u32, bytes: &mut Vec<u8>) {
        if self.raw {
            return vocabulary.append_spm_bytes(id, bytes);
        }
        for character in vocabulary.tokens[id].chars() {
            match self.bytes.get(&character) {
                Some(&byte) => bytes.push(byte),
                None => bytes.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes()),
            }
        }
    }
}

/// Cuts a text before and after each run of line breaks, if `cut`.
fn newline_runs(text: &str, cut: bool) -> Vec<&str> {
    if !cut {
        return vec![text];
    }
    let mut parts = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let breaks = first == '\n';
        let end = rest.find(|c| (c == '\n') != breaks).unwrap_or(rest.len());
        parts.push(&rest[..end]);
        rest = &rest[end..];
    }
    parts
}

/// GPT-2's printable characters for bytes: printable bytes stand for themselves, the others for the
/// characters from 256 on, in order.
fn byte_characters() -> HashMap<char, u8> {
    let printable = |byte: u8| matches!(byte, b'!'..=b'~' | 0xa1..=0xac | 0xae..=0xff);
    let mut others = 256_u32..;
    (0..=255_u8)
        .filter_map(|byte| {
            let code = if printable(byte) {
                Some(u32::from(byte))
            } else {
                others.next()
            };
            Some((char::from_u32(code?)?, byte))
        })
        .collect()
}

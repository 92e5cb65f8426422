//! Byte-pair vocabularies, through the `tokenizers` crate.

use super::TextError;
use super::vocabulary::Vocabulary;
use super::words::{self, Words};
use crate::gguf::Gguf;
use std::collections::HashMap;
use tokenizers::models::bpe::BPE;
use tokenizers::pre_tokenizers::PreTokenizerWrapper;
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::pre_tokenizers::sequence::Sequence;
use tokenizers::pre_tokenizers::split::{Split, SplitPattern};
use tokenizers::{SplitDelimiterBehavior, Tokenizer};

/// A byte-pair vocabulary at work.
pub(super) struct Bpe {
    tokenizer: Tokenizer,
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
        let library = |reason: tokenizers::Error| TextError::Library {
            reason: reason.to_string(),
        };
        // Of several with one text, the last stays.
        let ids = (vocabulary.tokens.iter().zip(0..)).map(|(token, id)| (token.to_owned(), id));
        let mut builder = BPE::builder()
            .vocab_and_merges(
                ids.collect::<ahash::AHashMap<_, _>>(),
                merges(gguf, vocabulary)?,
            )
            .ignore_merges(words.whole_words);
        if raw {
            builder = builder.byte_fallback(true);
            if let Some(unknown) = vocabulary.unknown {
                builder = builder.unk_token(vocabulary.tokens[unknown].to_owned());
            }
        }
        let mut tokenizer = Tokenizer::new(builder.build().map_err(library)?);
        tokenizer.with_pre_tokenizer(Some(pre_tokenizer(&words, raw)?));
        Ok(Self {
            tokenizer,
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
            let encoding =
                self.tokenizer
                    .encode_fast(part, false)
                    .map_err(|reason| TextError::Encode {
                        reason: reason.to_string(),
                    })?;
            ids.extend_from_slice(encoding.get_ids());
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

/// The two halves of every merge.
fn merges(gguf: &Gguf<'_>, vocabulary: &Vocabulary) -> Result<Vec<(String, String)>, TextError> {
    let key = "tokenizer.ggml.merges";
    let array = gguf.array(key)?.ok_or(TextError::Missing { key })?;
    let texts = array.strings().ok_or(TextError::Elements {
        key,
        wanted: "strings",
    })?;
    if texts.is_empty() {
        return Err(TextError::NoMerges);
    }
    let halves = |(index, merge): (usize, &str)| {
        // The first half may itself begin with a space.
        let at = merge
            .char_indices()
            .skip(1)
            .find(|&(_, c)| c == ' ')
            .map(|(at, _)| at);
        let halves = at.map(|at| (merge[..at].to_owned(), merge[at + 1..].to_owned()));
        let known = |(a, b): &(String, String)| {
            [a, b, &format!("{a}{b}")]
                .into_iter()
                .all(|token| vocabulary.tokens.id(token).is_some())
        };
        halves.filter(known).ok_or_else(|| TextError::Merge {
            index,
            merge: merge.to_owned(),
        })
    };
    texts.into_iter().enumerate().map(halves).collect()
}

fn pre_tokenizer(words: &Words, raw: bool) -> Result<PreTokenizerWrapper, TextError> {
    let split = |pattern: &&str| {
        let split = Split::new(
            SplitPattern::Regex((*pattern).to_owned()),
            SplitDelimiterBehavior::Isolated,
            false,
        );
        split
            .map(PreTokenizerWrapper::Split)
            .map_err(|reason| TextError::Library {
                reason: reason.to_string(),
            })
    };
    let mut steps = words
        .patterns
        .iter()
        .map(split)
        .collect::<Result<Vec<_>, _>>()?;
    if !raw {
        steps.push(PreTokenizerWrapper::ByteLevel(ByteLevel::new(
            false, false, false,
        )));
    }
    Ok(PreTokenizerWrapper::Sequence(Sequence::new(steps)))
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

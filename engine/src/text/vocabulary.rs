//! A file's tokens and what is special about them.

use super::texts::Texts;
use super::{TextError, words};
use crate::gguf::{Array, Gguf};
use std::collections::BTreeSet;

/// What a token is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenKind {
    /// A piece of text.
    Normal,
    /// Stands for what no token spells.
    Unknown,
    /// Means something to the model and is not text.
    Control,
    /// Text that is never cut.
    UserDefined,
    /// Never seen in training.
    Unused,
    /// One byte.
    Byte,
}

/// Tokens that end a generation wherever they appear in a vocabulary, by text.
const ENDS: [&str; 19] = [
    "<|eot_id|>",
    "<|im_end|>",
    "<|end|>",
    "<|return|>",
    "<|call|>",
    "<|flush|>",
    "<|calls|>",
    "<end_of_turn>",
    "<|endoftext|>",
    "<|eom_id|>",
    "<EOT>",
    "_<EOT>",
    "[EOT]",
    "[EOS]",
    "<|end_of_text|>",
    "<end_of_utterance>",
    "<turn|>",
    "<｜end▁of▁sentence｜>",
    "<|tool_response>",
];

/// The tokens of a file.
pub(super) struct Vocabulary {
    /// `tokenizer.ggml.model`.
    pub(super) model: String,
    /// Texts, by id, and ids, by text.
    pub(super) tokens: Texts,
    /// Scores, by id; empty if there are none.
    pub(super) scores: Vec<f32>,
    kinds: Vec<TokenKind>,
    /// Control, user-defined and unknown tokens, longest text first.
    pub(super) specials: Vec<u32>,
    /// The ids of single bytes.
    pub(super) bytes: Box<[Option<u32>; 256]>,
    pub(super) bos: Option<u32>,
    pub(super) eos: Option<u32>,
    pub(super) unknown: Option<u32>,
    pub(super) ends: BTreeSet<u32>,
    pub(super) add_bos: bool,
    pub(super) add_eos: bool,
    pub(super) add_space_prefix: bool,
}

fn array<'a>(gguf: &Gguf<'a>, key: &'static str) -> Result<Option<Array<'a>>, TextError> {
    Ok(gguf.array(key)?)
}

impl Vocabulary {
    pub(super) fn read(gguf: &Gguf<'_>) -> Result<Self, TextError> {
        let model = gguf
            .str("tokenizer.ggml.model")?
            .ok_or(TextError::Missing {
                key: "tokenizer.ggml.model",
            })?;
        if !["llama", "gpt2", "gemma4"].contains(&model) {
            return Err(TextError::Model {
                model: model.to_owned(),
            });
        }
        let key = "tokenizer.ggml.tokens";
        let tokens = array(gguf, key)?.ok_or(TextError::Missing { key })?;
        let tokens = tokens.strings().ok_or(TextError::Elements {
            key,
            wanted: "strings",
        })?;
        let is_spm = model == "llama";
        let key = "tokenizer.ggml.scores";
        let scores = match array(gguf, key)? {
            Some(scores) => scores.f32s().ok_or(TextError::Elements {
                key,
                wanted: "numbers",
            })?,
            None if is_spm => return Err(TextError::Missing { key }),
            None => Vec::new(),
        };
        length(
            key,
            scores.len(),
            tokens.len(),
            scores.is_empty() && !is_spm,
        )?;
        let kinds = kinds(gguf, tokens.len())?;
        let words = gguf.str("tokenizer.ggml.pre")?.and_then(words::named);
        let id = |key, or| special(gguf, key, tokens.len(), or);
        let defaults = if is_spm {
            [Some(1), Some(2), Some(0)]
        } else {
            [None; 3]
        };
        let mut vocabulary = Self {
            bos: id("tokenizer.ggml.bos_token_id", defaults[0])?,
            eos: id("tokenizer.ggml.eos_token_id", defaults[1])?,
            unknown: id("tokenizer.ggml.unknown_token_id", defaults[2])?,
            add_bos: gguf
                .bool("tokenizer.ggml.add_bos_token")?
                .unwrap_or(is_spm || words.is_some_and(|words| words.add_bos))
                || model == "gemma4",
            add_eos: gguf.bool("tokenizer.ggml.add_eos_token")?.unwrap_or(false),
            add_space_prefix: is_spm
                && gguf
                    .bool("tokenizer.ggml.add_space_prefix")?
                    .unwrap_or(true),
            ends: BTreeSet::new(),
            specials: Vec::new(),
            bytes: Box::new([None; 256]),
            model: model.to_owned(),
            tokens: Texts::new(&tokens),
            scores,
            kinds,
        };
        vocabulary.find_ends(gguf)?;
        vocabulary.find_specials();
        Ok(vocabulary)
    }

    /// What a token is for.
    pub(super) fn kind(&self, id: u32) -> Option<TokenKind> {
        self.kinds.get(id as usize).copied()
    }

    fn find_ends(&mut self, gguf: &Gguf<'_>) -> Result<(), TextError> {
        for key in ["tokenizer.ggml.eot_token_id", "tokenizer.ggml.eom_token_id"] {
            self.ends
                .extend(special(gguf, key, self.tokens.len(), None)?);
        }
        self.ends.extend(self.eos);
        for text in ENDS {
            if let Some(id) = self.tokens.id(text) {
                self.ends.insert(id);
                // Whatever the file says, this is no text.
                self.kinds[id as usize] = TokenKind::Control;
            }
        }
        Ok(())
    }

    fn find_specials(&mut self) {
        for (id, (kind, token)) in self.kinds.iter().zip(self.tokens.iter()).enumerate() {
            match kind {
                TokenKind::Control | TokenKind::UserDefined | TokenKind::Unknown
                    if !token.is_empty() =>
                {
                    self.specials.push(id as u32);
                }
                TokenKind::Byte => {
                    if let Some(byte) = byte_of(token) {
                        self.bytes[usize::from(byte)] = Some(id as u32);
                    }
                }
                _ => {}
            }
        }
        let tokens = &self.tokens;
        self.specials
            .sort_by_key(|&id| std::cmp::Reverse(tokens[id].len()));
    }

    /// Appends the bytes of a normal or byte token of a SentencePiece vocabulary.
    pub(super) fn append_spm_bytes(&self, id: u32, bytes: &mut Vec<u8>) {
        let token = &self.tokens[id];
        if let Some(byte) = byte_of(token).filter(|_| self.kind(id) == Some(TokenKind::Byte)) {
            bytes.push(byte);
            return;
        }
        for (index, part) in token.split('▁').enumerate() {
            if index > 0 {
                bytes.push(b' ');
            }
            bytes.extend_from_slice(part.as_bytes());
        }
    }
}

/// The byte of a token like `<0x0A>`.
fn byte_of(token: &str) -> Option<u8> {
    let digits = token.strip_prefix("<0x")?.strip_suffix('>')?;
    u8::from_str_radix(digits, 16)
        .ok()
        .filter(|_| digits.len() == 2)
}

fn length(key: &'static str, found: usize, tokens: usize, absent: bool) -> Result<(), TextError> {
    if absent || found == tokens {
        Ok(())
    } else {
        Err(TextError::Length { key, found, tokens })
    }
}

fn kinds(gguf: &Gguf<'_>, tokens: usize) -> Result<Vec<TokenKind>, TextError> {
    let key = "tokenizer.ggml.token_type";
    let Some(kinds) = array(gguf, key)? else {
        return Ok(vec![TokenKind::Normal; tokens]);
    };
    let kinds = kinds.u32s().ok_or(TextError::Elements {
        key,
        wanted: "integers",
    })?;
    length(key, kinds.len(), tokens, false)?;
    let kind = |number| match number {
        2 => TokenKind::Unknown,
        3 => TokenKind::Control,
        4 => TokenKind::UserDefined,
        5 => TokenKind::Unused,
        6 => TokenKind::Byte,
        _ => TokenKind::Normal,
    };
    Ok(kinds.into_iter().map(kind).collect())
}

/// A token id from a key, or its default where the vocabulary reaches it.
fn special(
    gguf: &Gguf<'_>,
    key: &'static str,
    tokens: usize,
    or: Option<u32>,
) -> Result<Option<u32>, TextError> {
    match gguf.u32(key)? {
        // Converters write the largest number for "none".
        Some(u32::MAX) => Ok(None),
        Some(id) if id as usize >= tokens => Err(TextError::Id { key, id, tokens }),
        Some(id) => Ok(Some(id)),
        None => Ok(or.filter(|&id| (id as usize) < tokens)),
    }
}

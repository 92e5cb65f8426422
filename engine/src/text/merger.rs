//! The merges of byte-pair vocabularies, through the `tokenizers` crate.

use super::TextError;
use super::vocabulary::Vocabulary;
use super::words::Words;
use crate::gguf::Gguf;
use tokenizers::models::bpe::BPE;
use tokenizers::pre_tokenizers::PreTokenizerWrapper;
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::pre_tokenizers::sequence::Sequence;
use tokenizers::pre_tokenizers::split::{Split, SplitPattern};
use tokenizers::{SplitDelimiterBehavior, Tokenizer};

/// Cuts text into words and merges their characters.
pub(super) struct Merger(Tokenizer);

impl Merger {
    /// Reads the merges; `raw`: of characters rather than of bytes.
    pub(super) fn read(
        gguf: &Gguf<'_>,
        vocabulary: &Vocabulary,
        words: &Words,
        raw: bool,
    ) -> Result<Self, TextError> {
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
        tokenizer.with_pre_tokenizer(Some(pre_tokenizer(words, raw)?));
        Ok(Self(tokenizer))
    }

    /// Appends the ids of `text`.
    pub(super) fn encode(&self, text: &str, ids: &mut Vec<u32>) -> Result<(), TextError> {
        let encoding = self
            .0
            .encode_fast(text, false)
            .map_err(|reason| TextError::Encode {
                reason: reason.to_string(),
            })?;
        ids.extend_from_slice(encoding.get_ids());
        Ok(())
    }
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

//! DRY's sequence breakers, from text to tokens.
//!
//! A breaker may lie within one token, or begin at a token's end and go on in the next ones. So each token whose
//! bytes contain the breaker breaks by itself, and each token that ends with a part of it heads a sequence,
//! whose tail is the tokenized rest.

use std::collections::HashMap;

use super::settings::Settings;

/// Bytes of a breaker that count, and tokens of a tail that count, as in llama.cpp.
const BREAKER_BYTES: usize = 40;
const TAIL_TOKENS: usize = 20;

/// What a sampler needs to know of the tokenizer; used only where DRY is on.
pub trait Vocabulary {
    /// Tokens in the vocabulary.
    fn tokens(&self) -> usize;
    /// The bytes that a token stands for, special tokens with their text.
    fn bytes(&self, token: u32) -> Vec<u8>;
    /// The tokens of a text, without a token for its beginning or end, and with special tokens' names as plain text.
    fn tokenize(&self, text: &str) -> Vec<u32>;
}

/// The vocabulary of nobody: DRY has no breakers with it.
#[derive(Debug, Clone, Copy)]
pub struct NoVocabulary;

impl Vocabulary for NoVocabulary {
    fn tokens(&self) -> usize {
        0
    }
    fn bytes(&self, _: u32) -> Vec<u8> {
        Vec::new()
    }
    fn tokenize(&self, _: &str) -> Vec<u32> {
        Vec::new()
    }
}

/// For each token that begins a breaker, the tails that complete one.
#[derive(Debug, Clone, Default)]
pub(super) struct Breakers {
    tails: HashMap<u32, Vec<Vec<u32>>>,
}

impl Breakers {
    /// The breakers of `settings` in the tokens of `vocabulary`; reads the whole vocabulary.
    pub(super) fn new(settings: &Settings, vocabulary: &dyn Vocabulary) -> Self {
        let mut breakers = Self::default();
        let count = u32::try_from(vocabulary.tokens()).unwrap_or(u32::MAX);
        let words: Vec<Vec<u8>> = (0..count).map(|token| vocabulary.bytes(token)).collect();
        let texts = settings.dry_sequence_breakers.iter();
        for breaker in texts.filter(|text| !text.is_empty()) {
            let end = breaker.floor_char_boundary(BREAKER_BYTES);
            breakers.add(&breaker[..end], &words, vocabulary);
        }
        breakers
    }

    fn add(&mut self, breaker: &str, words: &[Vec<u8>], vocabulary: &dyn Vocabulary) {
        let bytes = breaker.as_bytes();
        let mut tails: Vec<Option<Vec<u32>>> = vec![None; bytes.len()];
        for (token, word) in (0u32..).zip(words) {
            if word.windows(bytes.len()).any(|part| part == bytes) {
                self.insert(token, Vec::new());
                continue;
            }
            for cut in (1..bytes.len()).rev() {
                if word.ends_with(&bytes[..cut]) {
                    let tail =
                        tails[cut].get_or_insert_with(|| tail(breaker, cut, words, vocabulary));
                    self.insert(token, tail.clone());
                }
            }
        }
    }

    fn insert(&mut self, head: u32, tail: Vec<u32>) {
        let tails = self.tails.entry(head).or_default();
        if !tails.contains(&tail) {
            tails.push(tail);
        }
    }

    /// How many of the latest tokens follow the nearest breaker; `text` is latest first.
    pub(super) fn nearest(&self, text: &[u32]) -> Option<usize> {
        (0..text.len()).find_map(|head| {
            let tails = self.tails.get(&text[head])?;
            let complete = tails.iter().filter(|tail| {
                tail.len() <= head && tail.iter().eq(text[head - tail.len()..head].iter().rev())
            });
            complete.map(Vec::len).max().map(|longest| head - longest)
        })
    }

    /// Whether `token` contains a breaker.
    pub(super) fn is_single(&self, token: u32) -> bool {
        let tails = self.tails.get(&token);
        tails.is_some_and(|tails| tails.iter().any(Vec::is_empty))
    }
}

/// The tokens of `breaker[cut..]`, at most [`TAIL_TOKENS`].
///
/// A cut within a character leaves bytes that are not text; each of those is the first token of that one byte, if there is one.
fn tail(breaker: &str, cut: usize, words: &[Vec<u8>], vocabulary: &dyn Vocabulary) -> Vec<u32> {
    let boundary = breaker.ceil_char_boundary(cut);
    let loose = breaker.as_bytes()[cut..boundary].iter();
    let mut tokens: Vec<u32> = loose
        .filter_map(|&byte| {
            let mut all = (0u32..).zip(words);
            all.find(|(_, word)| word.as_slice() == [byte])
                .map(|(token, _)| token)
        })
        .collect();
    if boundary < breaker.len() {
        tokens.extend(vocabulary.tokenize(&breaker[boundary..]));
    }
    tokens.truncate(TAIL_TOKENS);
    tokens
}

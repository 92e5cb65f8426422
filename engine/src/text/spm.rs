//! SentencePiece vocabularies: neighbours are merged, the best score first.
//!
//! Text is cut into characters. Of all neighbours that together are a token, those with the highest
//! score are merged (of equals the leftmost), until none is left. What is no token then is spelled in
//! bytes. The `tokenizers` crate expresses this through a list of merges that is many times the size of
//! the vocabulary and has to be derived first, so the rule itself is here.

use super::vocabulary::{TokenKind, Vocabulary};
use std::cmp::Ordering;
use std::collections::BinaryHeap;

/// A SentencePiece vocabulary at work.
pub(super) struct Spm {
    add_space_prefix: bool,
}

/// A run of characters, linked to its neighbours.
#[derive(Clone, Copy)]
struct Symbol {
    start: usize,
    len: usize,
    previous: Option<usize>,
    next: Option<usize>,
}

/// Two neighbours that are a token together.
struct Pair {
    score: f32,
    left: usize,
    right: usize,
    /// Bytes of both when they were paired; a later merge changes it.
    len: usize,
}

impl Ord for Pair {
    fn cmp(&self, other: &Self) -> Ordering {
        self.score
            .total_cmp(&other.score)
            .then(other.left.cmp(&self.left))
    }
}

impl PartialOrd for Pair {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Pair {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Pair {}

impl Spm {
    pub(super) fn new(vocabulary: &Vocabulary) -> Self {
        Self {
            add_space_prefix: vocabulary.add_space_prefix,
        }
    }

    /// Appends the ids of `text`; a space goes first if it follows a special token.
    pub(super) fn encode(
        &self,
        vocabulary: &Vocabulary,
        text: &str,
        after_special: bool,
        ids: &mut Vec<u32>,
    ) {
        let prefix = if self.add_space_prefix && after_special {
            "▁"
        } else {
            ""
        };
        let text = format!("{prefix}{}", text.replace(' ', "▁"));
        for symbol in merged(vocabulary, &text) {
            let piece = &text[symbol.start..symbol.start + symbol.len];
            match vocabulary.tokens.id(piece) {
                Some(id) => ids.push(id),
                None => {
                    ids.extend(piece.bytes().filter_map(|byte| {
                        vocabulary.bytes[usize::from(byte)].or(vocabulary.unknown)
                    }));
                }
            }
        }
    }
}

/// The symbols left when nothing more can be merged.
fn merged(vocabulary: &Vocabulary, text: &str) -> Vec<Symbol> {
    let mut symbols: Vec<Symbol> = Vec::with_capacity(text.len());
    for (start, character) in text.char_indices() {
        let index = symbols.len();
        symbols.push(Symbol {
            start,
            len: character.len_utf8(),
            previous: index.checked_sub(1),
            next: Some(index + 1),
        });
    }
    if let Some(last) = symbols.last_mut() {
        last.next = None;
    }
    let mut pairs = BinaryHeap::new();
    for right in 1..symbols.len() {
        pairs.extend(pair(vocabulary, text, &symbols, right - 1, right));
    }
    while let Some(Pair {
        left, right, len, ..
    }) = pairs.pop()
    {
        let [a, b] = [symbols[left], symbols[right]];
        if a.len == 0 || b.len == 0 || a.len + b.len != len {
            continue;
        }
        symbols[left] = Symbol {
            len,
            next: b.next,
            ..a
        };
        symbols[right].len = 0;
        if let Some(next) = b.next {
            symbols[next].previous = Some(left);
            pairs.extend(pair(vocabulary, text, &symbols, left, next));
        }
        if let Some(previous) = a.previous {
            pairs.extend(pair(vocabulary, text, &symbols, previous, left));
        }
    }
    symbols.retain(|symbol| symbol.len > 0);
    symbols
}

fn pair(
    vocabulary: &Vocabulary,
    text: &str,
    symbols: &[Symbol],
    left: usize,
    right: usize,
) -> Option<Pair> {
    let len = symbols[left].len + symbols[right].len;
    let id = vocabulary
        .tokens
        .id(&text[symbols[left].start..symbols[left].start + len])?;
    let usable = !matches!(vocabulary.kind(id), Some(TokenKind::Unused) | None);
    usable.then(|| Pair {
        score: vocabulary.scores[id as usize],
        left,
        right,
        len,
    })
}

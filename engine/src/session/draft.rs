//! Guesses of the tokens that come next, cheaper than the model's own.

use crate::backend::{Backend, BackendError, Logits, Step};
use crate::text::Tokenizer;

/// Guesses tokens that a model may choose. What it guesses changes how fast a text comes, never the text.
pub trait Draft: Send {
    /// Adds up to `most` tokens that may follow `text`, the whole of it, to `guesses`.
    ///
    /// # Errors
    ///
    /// [`BackendError`] of a model that guesses.
    fn guess(
        &mut self,
        text: &[u32],
        most: usize,
        guesses: &mut Vec<u32>,
    ) -> Result<(), BackendError>;
}

/// Guesses that the text repeats itself: what followed the longest earlier occurrence of its end, the newest of equally long ones.
#[derive(Clone, Copy, Debug, Default)]
pub struct Lookup;

/// Tokens that must recur; single ones recur by chance.
const SHORTEST: usize = 2;

/// Tokens that are compared, at most.
const LONGEST: usize = 16;

impl Draft for Lookup {
    fn guess(
        &mut self,
        text: &[u32],
        most: usize,
        guesses: &mut Vec<u32>,
    ) -> Result<(), BackendError> {
        let common = |end: usize| {
            let pairs = text[..end].iter().rev().zip(text.iter().rev());
            pairs.take(LONGEST).take_while(|(a, b)| a == b).count()
        };
        let (mut best, mut length) = (0, SHORTEST - 1);
        for end in (1..text.len()).rev() {
            let found = common(end);
            if found > length {
                (best, length) = (end, found);
                if length == LONGEST {
                    break;
                }
            }
        }
        if best > 0 {
            // A repetition that reaches the end goes on with itself.
            let period = text.len() - best;
            guesses.extend((0..most).map(|i| text[best + i % period]));
        }
        Ok(())
    }
}

/// Why a model cannot guess for another.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VocabularyError {
    /// One token means two things.
    #[error(
        "the draft model is of no use here: its token {token} is {draft:?}, but the model's is {target:?}"
    )]
    Token {
        /// The first such id.
        token: u32,
        /// As the draft model spells it.
        draft: String,
        /// As the model does.
        target: String,
    },
    /// Their numbers are too different for padding.
    #[error(
        "the draft model is of no use here: it knows {draft} tokens, but the model knows {target}"
    )]
    Count {
        /// Tokens of the draft model.
        draft: usize,
        /// Tokens of the model.
        target: usize,
    },
}

/// How many more tokens one of two vocabularies may have: models of one family pad theirs differently.
const PADDING: usize = 128;

/// Guesses what a smaller model with the same vocabulary would choose.
pub struct DraftModel<'a> {
    backend: Box<dyn Backend + 'a>,
    /// The tokens that it has read.
    read: Vec<u32>,
    /// Token ids that both models know are below.
    known: usize,
}

impl<'a> DraftModel<'a> {
    /// A model that guesses for one whose tokenizer is `target`.
    ///
    /// # Errors
    ///
    /// [`VocabularyError`] naming the first token that differs.
    pub fn new(
        backend: Box<dyn Backend + 'a>,
        draft: &Tokenizer,
        target: &Tokenizer,
    ) -> Result<Self, VocabularyError> {
        let counts = [draft, target].map(Tokenizer::vocabulary_len);
        let known = counts[0].min(counts[1]);
        for token in 0..u32::try_from(known).unwrap_or(u32::MAX) {
            let [draft, target] =
                [draft, target].map(|one| one.token_text(token).unwrap_or_default());
            if draft != target {
                return Err(VocabularyError::Token {
                    token,
                    draft: draft.to_owned(),
                    target: target.to_owned(),
                });
            }
        }
        if counts[0].abs_diff(counts[1]) > PADDING {
            return Err(VocabularyError::Count {
                draft: counts[0],
                target: counts[1],
            });
        }
        Ok(Self {
            backend,
            read: Vec::new(),
            known,
        })
    }

    /// Reads tokens and gives the largest logit's.
    fn choose(&mut self, tokens: &[u32]) -> Result<u32, BackendError> {
        let step = Step {
            tokens,
            position: self.read.len(),
            logits: Logits::Last,
        };
        let logits = self.backend.forward(&step)?;
        let mut best = 0;
        for (token, logit) in logits.iter().enumerate().take(self.known) {
            if *logit > logits[best] {
                best = token;
            }
        }
        self.read.extend_from_slice(tokens);
        Ok(u32::try_from(best).unwrap_or_default())
    }

    /// Goes back to the beginning that `text` shares with what was read, but for its last token.
    fn go_back(&mut self, text: &[u32]) {
        let pairs = self.read.iter().zip(text);
        let shared = pairs.take_while(|(a, b)| a == b).count();
        let keep = shared.min(text.len() - 1);
        if self.backend.rewind(keep) {
            self.read.truncate(keep);
        } else {
            self.backend.reset();
            self.read.clear();
        }
    }
}

impl Draft for DraftModel<'_> {
    fn guess(
        &mut self,
        text: &[u32],
        most: usize,
        guesses: &mut Vec<u32>,
    ) -> Result<(), BackendError> {
        let context = self.backend.context();
        let is_unknown = |&token: &u32| token as usize >= self.known;
        if most == 0 || text.is_empty() || text.len() > context || text.iter().any(is_unknown) {
            return Ok(());
        }
        self.go_back(text);
        let mut next = self.choose(&text[self.read.len()..])?;
        guesses.push(next);
        while guesses.len() < most && self.read.len() < context {
            next = self.choose(&[next])?;
            guesses.push(next);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{Draft, Lookup};

    fn guesses(text: &[u32], most: usize) -> Vec<u32> {
        let mut guesses = Vec::new();
        Lookup.guess(text, most, &mut guesses).expect("no model");
        guesses
    }

    #[test]
    fn what_followed_the_longest_earlier_occurrence_is_guessed() {
        assert_eq!(guesses(&[1, 2, 3, 9, 2, 3, 8, 7, 1, 2, 3], 2), [9, 2]);
        // Of equally long ones the newest.
        assert_eq!(guesses(&[1, 2, 5, 1, 2, 6, 1, 2], 1), [6]);
        // One token is no occurrence, and nothing has none.
        assert!(guesses(&[1, 2, 3, 1], 4).is_empty());
        assert!(guesses(&[], 4).is_empty());
        assert!(guesses(&[4, 4], 4).is_empty());
    }

    #[test]
    fn a_repetition_goes_on_with_itself() {
        assert_eq!(guesses(&[1, 2, 3, 1, 2, 3], 7), [1, 2, 3, 1, 2, 3, 1]);
        assert_eq!(guesses(&[5, 5, 5], 3), [5, 5, 5]);
    }
}

//! Tokens chosen by the back end ahead of those given: no logits come back for them.

use super::clock::Clock;
use crate::backend::{Backend, BackendError, Greedy};
use crate::text::Tokenizer;
use std::collections::VecDeque;
use std::time::Duration;

/// Tokens asked for at once, at most.
const MOST: usize = 32;

/// What a reader does not notice: while so many tokens take less than that, more are asked for at once.
pub(super) const PAUSE: Duration = Duration::from_millis(30);

/// What was chosen and not given yet.
pub(super) struct Ahead {
    tokens: VecDeque<u32>,
    /// How many to ask for next.
    count: usize,
    /// Ids that end an answer.
    ends: Vec<u32>,
    /// Logits that count.
    choices: usize,
}

impl Ahead {
    pub(super) fn new(tokenizer: &Tokenizer, ignore_end: bool) -> Self {
        Self {
            tokens: VecDeque::new(),
            count: 1,
            ends: if ignore_end {
                vec![]
            } else {
                tokenizer.ends().collect()
            },
            choices: tokenizer.vocabulary_len(),
        }
    }

    /// The next token, if there is one.
    pub(super) fn take(&mut self) -> Option<u32> {
        self.tokens.pop_front()
    }

    /// Whether none is left.
    pub(super) fn is_empty(&self) -> bool {
        self.tokens.is_empty()
    }

    /// Lets `backend` read `token` and choose up to `most`; gives the tokens that it has read, or `None`, nothing having happened, if it does not choose.
    pub(super) fn choose(
        &mut self,
        backend: &mut dyn Backend,
        token: u32,
        most: usize,
    ) -> Result<Option<Vec<u32>>, BackendError> {
        let start = Clock::start();
        let greedy = Greedy {
            token,
            count: self.count.min(most).max(1),
            choices: self.choices,
            ends: &self.ends,
        };
        let Some(chosen) = backend.greedy(&greedy)? else {
            return Ok(None);
        };
        self.count = next(greedy.count, start.elapsed());
        let newest = chosen.len().saturating_sub(1);
        let read = std::iter::once(token).chain(chosen[..newest].iter().copied());
        let read = read.collect();
        self.tokens.extend(chosen);
        Ok(Some(read))
    }
}

/// How many tokens to ask for after `count` of them took `time`.
fn next(count: usize, time: Duration) -> usize {
    if time < PAUSE {
        (2 * count).min(MOST)
    } else if time > 2 * PAUSE {
        (count / 2).max(1)
    } else {
        count
    }
}

#[cfg(test)]
mod tests {
    use super::{MOST, PAUSE, next};
    use std::time::Duration;

    #[test]
    fn a_fast_back_end_is_asked_for_more_and_a_slow_one_for_fewer() {
        assert_eq!(next(4, Duration::ZERO), 8);
        assert_eq!(next(MOST, Duration::ZERO), MOST);
        assert_eq!(next(4, PAUSE), 4);
        assert_eq!(next(4, 3 * PAUSE), 2);
        assert_eq!(next(1, 3 * PAUSE), 1);
    }
}

//! Several tokens read at once, because they were guessed before they were chosen.
//!
//! A batch has the bits of one by one, so the logits after each guess are those that would have come anyway. The sampler chooses from them as always, once per token; as long as
//! it chooses what was guessed, the next logits are there already:
//!
//! ```text
//! chosen, not read:  t         guessed: a b c        one step reads  t a b c,  logits after each
//! chosen from those after t: a    after a: b    after b: x ≠ c    so c is gone back from, and x is read next
//! ```
//!
//! Text and random numbers are those without guesses, whatever is guessed.

use super::Session;
use super::draft::Draft;
use crate::backend::{Backend, BackendError, Logits, Step};
use std::ops::Range;

/// How many tokens are guessed first.
const FIRST: usize = 4;

/// What came of guessing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Speculation {
    /// Tokens read after prompts.
    pub tokens: usize,
    /// Steps that read them.
    pub steps: usize,
    /// Tokens guessed.
    pub guessed: usize,
    /// Of these, those that were chosen.
    pub accepted: usize,
}

/// Who guesses, and what of it is not used up.
pub(super) struct Drafting<'a> {
    draft: Box<dyn Draft + 'a>,
    most: usize,
    /// How many tokens to guess next.
    count: usize,
    guesses: Vec<u32>,
    /// The tokens of the last step: one that was chosen, then guesses.
    batch: Vec<u32>,
    /// The logits after each of them.
    rows: Vec<f32>,
    /// The one whose logits are in use.
    row: usize,
    told: Speculation,
}

impl<'a> Session<'a> {
    /// The same session, whose answers come faster where `draft` guesses well: up to `most` tokens at once. The text is the same.
    pub fn with_draft(mut self, draft: Box<dyn Draft + 'a>, most: usize) -> Self {
        self.drafting = Some(Drafting::new(draft, most));
        self
    }

    /// What came of guessing, in all answers; `None` without a draft.
    pub fn speculation(&self) -> Option<Speculation> {
        self.drafting.as_ref().map(|drafting| drafting.told)
    }
}

impl<'a> Drafting<'a> {
    fn new(draft: Box<dyn Draft + 'a>, most: usize) -> Self {
        Self {
            draft,
            most,
            count: FIRST.min(most),
            guesses: Vec::new(),
            batch: Vec::new(),
            rows: Vec::new(),
            row: 0,
            told: Speculation::default(),
        }
    }

    /// Forgets guesses: another answer begins.
    pub(super) fn begin(&mut self) {
        self.batch.clear();
        self.row = 0;
    }

    /// Of the rows of the back end's last step, as long as `all`, the one in use.
    pub(super) fn row(&self, all: usize) -> Range<usize> {
        let width = all / self.batch.len().max(1);
        self.row * width..(self.row + 1) * width
    }

    /// Makes `token` the last of `history` and puts the logits after it into `logits`: read ahead, or read now together with up to `most` guesses.
    ///
    /// # Errors
    ///
    /// [`BackendError`] of the draft, or for the token itself; guesses that cannot be read are none.
    pub(super) fn read(
        &mut self,
        backend: &mut dyn Backend,
        history: &mut Vec<u32>,
        token: u32,
        most: usize,
        logits: &mut Vec<f32>,
    ) -> Result<(), BackendError> {
        self.told.tokens += 1;
        if self.batch.get(self.row + 1) == Some(&token) {
            self.row += 1;
            self.told.accepted += 1;
            history.push(token);
        } else {
            self.adjust();
            self.begin();
            go_back(backend, history)?;
            history.push(token);
            let read = self.read_together(backend, history, most);
            if read.is_err() {
                history.pop();
                self.begin();
            }
            read?;
        }
        let row = self.row(self.rows.len());
        logits.clear();
        logits.extend_from_slice(&self.rows[row]);
        Ok(())
    }

    /// Guesses more after guesses that were right, fewer after wrong ones.
    fn adjust(&mut self) {
        let guessed = self.batch.len().saturating_sub(1);
        if guessed > 0 {
            let next = if self.row == guessed {
                2 * self.count
            } else {
                self.row + 1
            };
            self.count = next.clamp(1, self.most.max(1));
        }
    }

    /// Reads the last token of `history` and guesses after it.
    fn read_together(
        &mut self,
        backend: &mut dyn Backend,
        history: &[u32],
        most: usize,
    ) -> Result<(), BackendError> {
        let position = history.len() - 1;
        let free = backend.context().saturating_sub(history.len());
        let most = most.min(self.count).min(free);
        self.guesses.clear();
        if most > 0 {
            self.draft.guess(history, most, &mut self.guesses)?;
            self.guesses.truncate(most);
        }
        self.batch.push(history[position]);
        if !self.guesses.is_empty() {
            self.told.guessed += self.guesses.len();
            self.batch.append(&mut self.guesses);
            if self.step(backend, position, Logits::All).is_ok() {
                return Ok(());
            }
            // A guess may be what cannot be read; the token itself counts.
            self.batch.truncate(1);
            go_back(backend, &history[..position])?;
        }
        self.step(backend, position, Logits::Last)
    }

    fn step(
        &mut self,
        backend: &mut dyn Backend,
        position: usize,
        logits: Logits,
    ) -> Result<(), BackendError> {
        self.told.steps += 1;
        let rows = backend.forward(&Step {
            tokens: &self.batch,
            position,
            logits,
        })?;
        self.rows.clear();
        self.rows.extend_from_slice(rows);
        Ok(())
    }
}

/// Takes `backend` back to what it read before guesses; anew if a window has moved on.
fn go_back(backend: &mut dyn Backend, read: &[u32]) -> Result<(), BackendError> {
    if backend.position() == read.len() || backend.rewind(read.len()) {
        return Ok(());
    }
    backend.reset();
    if !read.is_empty() {
        backend.forward(&Step {
            tokens: read,
            position: 0,
            logits: Logits::None,
        })?;
    }
    Ok(())
}

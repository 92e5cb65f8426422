//! Reading tokens one by one or many, without an answer.

use super::{Session, SessionError};
use crate::backend::{BackendError, Logits, Observer, Step};
use crate::sample::Sampler;
use std::ops::ControlFlow;

impl Session<'_> {
    /// Reads `tokens` after those that were read, and gives the logits of the last: one per row of the head.
    ///
    /// `progress` is told how many of how many tokens are read, batch by batch, and may break off; what was read stays read.
    ///
    /// # Errors
    ///
    /// [`SessionError::BrokenOff`], and [`SessionError::Backend`] if there are no tokens, they do not fit the context (nothing is read then) or cannot be read.
    pub fn feed(
        &mut self,
        tokens: &[u32],
        mut progress: impl FnMut(usize, usize) -> ControlFlow<()>,
    ) -> Result<&[f32], SessionError> {
        if tokens.is_empty() {
            return Err(BackendError::NoTokens.into());
        }
        let (read, context) = (self.history.len(), self.backend.context());
        if tokens.len() > context.saturating_sub(read) {
            // All of it or nothing: the first batches might fit.
            let more = tokens.len();
            return Err(BackendError::ContextFull {
                context,
                read,
                more,
            }
            .into());
        }
        let batch = self.backend.batch();
        let mut done = 0;
        while done < tokens.len() {
            let end = (done + batch).min(tokens.len());
            let wanted = if end == tokens.len() {
                Logits::Last
            } else {
                Logits::None
            };
            self.read_batch(&tokens[done..end], wanted, None)?;
            done = end;
            if progress(end, tokens.len()).is_break() && end < tokens.len() {
                return Err(SessionError::BrokenOff);
            }
        }
        Ok(&self.logits)
    }

    /// Reads one token as [`Self::feed`] does, showing intermediates on the way; on one thread.
    ///
    /// # Errors
    ///
    /// [`SessionError::Backend`] if it cannot be read, or the back end shows no intermediates.
    pub fn observe(
        &mut self,
        token: u32,
        observer: &mut dyn Observer,
    ) -> Result<&[f32], SessionError> {
        self.read_batch(&[token], Logits::Last, Some(observer))?;
        Ok(&self.logits)
    }

    fn read_batch(
        &mut self,
        tokens: &[u32],
        logits: Logits,
        observer: Option<&mut dyn Observer>,
    ) -> Result<(), SessionError> {
        let step = Step {
            tokens,
            position: self.history.len(),
            logits,
        };
        let read = match observer {
            None => self.backend.forward(&step),
            Some(observer) => self.backend.forward_observed(&step, observer),
        };
        match read {
            Ok(logits) => {
                self.logits.clear();
                self.logits.extend_from_slice(logits);
                self.history.extend_from_slice(tokens);
                Ok(())
            }
            Err(error) => {
                // What a window has overwritten is gone.
                self.history.truncate(self.backend.position());
                Err(error.into())
            }
        }
    }

    /// Forgets from `position` on; false, and nothing is forgotten, if so much was not read or a sliding window no longer holds what the
    /// position sees.
    pub fn rewind(&mut self, position: usize) -> bool {
        let possible = position <= self.history.len() && self.backend.rewind(position);
        if possible {
            self.history.truncate(position);
        }
        possible
    }

    /// Lets another choose, and gives back who did.
    pub fn swap_sampler(&mut self, sampler: &mut Sampler) {
        std::mem::swap(&mut self.sampler, sampler);
    }
}

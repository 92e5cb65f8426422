//! An answer in the making: which token is next, and its text.

use super::ahead::Ahead;
use super::{Limits, Piece, Session, SessionError, Stop};
use crate::backend::{Logits, Step};
use crate::constrain::{ConstraintError, Guide, Progress};
use crate::sample::SampleError;
use crate::text::Stream;

/// An answer in the making: an iterator of pieces.
pub struct Reply<'s, 'a> {
    pub(super) session: &'s mut Session<'a>,
    pub(super) stream: Stream<'a>,
    /// Text that may yet turn out to begin a stop string.
    pub(super) held: String,
    pub(super) limits: Limits,
    pub(super) produced: usize,
    /// Chosen, but not read by the back end yet.
    pub(super) pending: Option<u32>,
    /// If no logits are wanted.
    pub(super) ahead: Option<Ahead>,
    /// What the answer keeps to.
    pub(super) guide: Option<Box<dyn Guide>>,
    /// The logits, but −∞ where the guide forbids.
    pub(super) allowed: Vec<f32>,
    /// The token that ended the answer; it is no piece of it.
    pub(super) ended_with: Option<u32>,
    pub(super) stop: Option<Stop>,
}

impl Reply<'_, '_> {
    /// Why the answer ended, once it has.
    pub fn stop(&self) -> Option<Stop> {
        self.stop
    }

    /// Tokens produced, the ending one not counted.
    pub fn produced(&self) -> usize {
        self.produced
    }

    /// Goes on without logits, if the sampler always chooses the largest and the back end can do that by itself: fewer results come back
    /// from a device. The tokens are the same; [`Self::logits`] stays what it is.
    pub fn without_logits(mut self) -> Self {
        // Guesses are checked by their logits, and a guide forbids by them.
        let chooses = self.session.drafting.is_none() && self.guide.is_none();
        if chooses && self.session.sampler.is_greedy() {
            self.ahead = Some(Ahead::new(self.session.tokenizer, self.limits.ignore_end));
        }
        self
    }

    /// Keeps the answer to what `guide` allows; call it before the first piece.
    ///
    /// An answer that is complete and that nothing may follow ends with [`Stop::End`]. [`Self::logits`] stay the model's.
    pub fn constrained(mut self, guide: impl Guide + 'static) -> Self {
        self.guide = Some(Box::new(guide));
        // What is chosen ahead, the guide does not see.
        self.ahead = None;
        self
    }

    /// The logits that the newest token was chosen from, the ending one included; one per token of the vocabulary.
    pub fn logits(&self) -> &[f32] {
        // Rows of the head beyond the vocabulary are padding.
        let known = self.session.tokenizer.vocabulary_len();
        &self.session.logits[..known.min(self.session.logits.len())]
    }

    /// The same logits as `audit` computes them, before they are rounded; `None` in the other tiers.
    pub fn exact_logits(&self) -> Option<&[f64]> {
        let known = self.session.tokenizer.vocabulary_len();
        let exact = self.session.backend.exact_logits()?;
        let exact = match &self.session.drafting {
            Some(drafting) => &exact[drafting.row(exact.len())],
            None => exact,
        };
        Some(&exact[..known.min(exact.len())])
    }

    /// The token by which the model ended the answer, once it has.
    pub fn ended_with(&self) -> Option<u32> {
        self.ended_with
    }

    /// Text that was held back when the answer ended; call it last.
    pub fn finish(self) -> String {
        let rest = if self.stop == Some(Stop::StopString) {
            String::new()
        } else {
            self.held
        };
        rest + &self.stream.finish()
    }

    /// The next token, as the iterator gives it; the characters that it completes are appended to `text`, which
    /// may be used again: no memory is taken for it.
    ///
    /// `None` at the end, which [`Self::stop`] explains.
    ///
    /// # Errors
    ///
    /// [`SessionError`] if the back end fails or no token can be chosen.
    pub fn next_into(&mut self, text: &mut String) -> Result<Option<u32>, SessionError> {
        if self.stop.is_some() {
            return Ok(None);
        }
        if self.limits.tokens.is_some_and(|most| self.produced >= most) {
            self.stop = Some(Stop::Length);
            return Ok(None);
        }
        let is_read = self.ahead.as_ref().is_some_and(|ahead| !ahead.is_empty());
        if !is_read && let Some(token) = self.pending.take() {
            if self.session.history.len() >= self.session.backend.context() {
                self.stop = Some(Stop::ContextFull);
                return Ok(None);
            }
            self.read(token)?;
        }
        let token = match self.ahead.as_mut().and_then(Ahead::take) {
            Some(token) => Some(token),
            None => self.choose()?,
        };
        let Some(token) = token else {
            self.stop = Some(Stop::End);
            return Ok(None);
        };
        self.session.sampler.accept(token);
        if self.session.tokenizer.is_end(token) && !self.limits.ignore_end {
            self.ended_with = Some(token);
            self.stop = Some(Stop::End);
            return Ok(None);
        }
        self.pending = Some(token);
        self.produced += 1;
        if self.limits.stop_strings.is_empty() {
            self.stream.push_into(token, text);
        } else {
            self.stream.push_into(token, &mut self.held);
            self.hold_back(text);
        }
        if let Some(guide) = &mut self.guide
            && guide.accept(token)? == Progress::Complete
            && self.stop.is_none()
        {
            self.stop = Some(Stop::End);
        }
        Ok(Some(token))
    }

    /// Reads a token: its logits are there then, or tokens chosen ahead.
    fn read(&mut self, token: u32) -> Result<(), SessionError> {
        let Session {
            backend,
            history,
            logits: newest,
            drafting,
            ..
        } = &mut *self.session;
        if let Some(drafting) = drafting {
            let tokens = self.limits.tokens.unwrap_or(usize::MAX);
            let most = (tokens - self.produced).saturating_sub(1);
            return Ok(drafting.read(&mut **backend, history, token, most, newest)?);
        }
        if let Some(ahead) = &mut self.ahead {
            let tokens = self.limits.tokens.unwrap_or(usize::MAX);
            let most = (tokens - self.produced).min(backend.context() - history.len());
            if let Some(read) = ahead.choose(&mut **backend, token, most)? {
                history.extend(read);
                return Ok(());
            }
            self.ahead = None;
        }
        let step = Step {
            tokens: &[token],
            position: history.len(),
            logits: Logits::Last,
        };
        let logits = backend.forward(&step)?;
        newest.clear();
        newest.extend_from_slice(logits);
        history.push(token);
        Ok(())
    }

    /// Chooses a token from the logits; `None` if the guide says that the answer is complete.
    fn choose(&mut self) -> Result<Option<u32>, SessionError> {
        let Session {
            tokenizer,
            sampler,
            logits,
            ..
        } = &mut *self.session;
        // Rows of the head beyond the vocabulary are padding.
        let known = tokenizer.vocabulary_len().min(logits.len());
        let logits = &logits[..known];
        let Some(guide) = &mut self.guide else {
            return Ok(Some(sampler.sample(logits)?));
        };
        self.allowed.clear();
        self.allowed.extend_from_slice(logits);
        if guide.forbid(&mut self.allowed)? == Progress::Complete {
            return Ok(None);
        }
        if self.limits.ignore_end {
            for end in tokenizer.ends() {
                if let Some(logit) = self.allowed.get_mut(end as usize) {
                    *logit = f32::NEG_INFINITY;
                }
            }
        }
        match sampler.sample(&self.allowed) {
            // The logits are finite: the biases forbid what the guide allows.
            Err(SampleError::Impossible) => Err(ConstraintError::NoToken.into()),
            token => Ok(Some(token?)),
        }
    }

    /// Appends what cannot belong to a stop string to `text`, keeps the rest.
    fn hold_back(&mut self, text: &mut String) {
        let stops = self
            .limits
            .stop_strings
            .iter()
            .filter(|stop| !stop.is_empty());
        if let Some(at) = stops
            .clone()
            .filter_map(|stop| self.held.find(stop.as_str()))
            .min()
        {
            self.stop = Some(Stop::StopString);
            text.push_str(&self.held[..at]);
            return;
        }
        let begins_stop = |at: usize| stops.clone().any(|stop| stop.starts_with(&self.held[at..]));
        let free = self
            .held
            .char_indices()
            .map(|(at, _)| at)
            .find(|&at| begins_stop(at))
            .unwrap_or(self.held.len());
        text.push_str(&self.held[..free]);
        self.held.drain(..free);
    }
}

impl Iterator for Reply<'_, '_> {
    type Item = Result<Piece, SessionError>;

    fn next(&mut self) -> Option<Self::Item> {
        let mut text = String::new();
        let token = self.next_into(&mut text).transpose()?;
        Some(token.map(|token| Piece { token, text }))
    }
}

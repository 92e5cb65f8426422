//! A conversation with a model: the loop from prompt to text.

mod ahead;
mod feed;
mod paused;

pub use paused::Paused;

use crate::backend::{Backend, BackendError, Logits, Step};
use crate::sample::{SampleError, Sampler};
use crate::text::{Stream, Tokenizer};
use ahead::Ahead;
use std::ops::ControlFlow;

/// Why an answer ends early.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    /// The caller broke off while the prompt was read.
    #[error("reading the prompt was broken off")]
    BrokenOff,
    /// The prompt has no tokens.
    #[error("the prompt is empty")]
    EmptyPrompt,
    /// The prompt does not leave room for an answer.
    #[error(
        "the prompt has {prompt} tokens, but the context holds {context}; ask for a larger one"
    )]
    PromptTooLong {
        /// Its tokens.
        prompt: usize,
        /// Positions in all.
        context: usize,
    },
    /// The back end failed.
    #[error(transparent)]
    Backend(#[from] BackendError),
    /// No token could be chosen.
    #[error(transparent)]
    Sample(#[from] SampleError),
}

/// A token of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    /// The token.
    pub token: u32,
    /// The characters that it completes; often empty.
    pub text: String,
}

/// Why an answer ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// The model ended it.
    End,
    /// A stop string appeared.
    StopString,
    /// As many tokens as were asked for.
    Length,
    /// No more positions can be remembered.
    ContextFull,
}

/// When an answer ends besides where the model ends it.
#[derive(Clone, Debug, Default)]
pub struct Limits {
    /// Tokens at most; `None`: until the model ends or the context is full.
    pub tokens: Option<usize>,
    /// Texts that end the answer; they are not part of it.
    pub stop_strings: Vec<String>,
    /// Whether end-of-generation tokens are passed over.
    pub ignore_end: bool,
}

/// A back end, what it has read, and who chooses.
pub struct Session<'a> {
    backend: Box<dyn Backend + 'a>,
    tokenizer: &'a Tokenizer,
    sampler: Sampler,
    /// The tokens whose keys and values the back end remembers.
    history: Vec<u32>,
}

impl<'a> Session<'a> {
    /// A session that has read nothing.
    pub fn new(backend: impl Backend + 'a, tokenizer: &'a Tokenizer, sampler: Sampler) -> Self {
        Self::boxed(Box::new(backend), tokenizer, sampler)
    }

    /// The same with a back end of which only that it is one is known.
    pub fn boxed(
        backend: Box<dyn Backend + 'a>,
        tokenizer: &'a Tokenizer,
        sampler: Sampler,
    ) -> Self {
        Self {
            backend,
            tokenizer,
            sampler,
            history: Vec::new(),
        }
    }

    /// Reads `prompt`, the whole conversation so far, and answers.
    ///
    /// What the prompt shares with what was read before is not read again. `progress` is told how many
    /// of how many tokens are read, batch by batch, and may break off.
    ///
    /// # Errors
    ///
    /// [`SessionError`] if the prompt is empty or too long, cannot be read, or reading was broken off.
    pub fn reply(
        &mut self,
        prompt: &[u32],
        limits: Limits,
        progress: impl FnMut(usize, usize) -> ControlFlow<()>,
    ) -> Result<Reply<'_, 'a>, SessionError> {
        let context = self.backend.context();
        if prompt.is_empty() {
            return Err(SessionError::EmptyPrompt);
        }
        if prompt.len() >= context {
            return Err(SessionError::PromptTooLong {
                prompt: prompt.len(),
                context,
            });
        }
        let shared = self
            .history
            .iter()
            .zip(prompt)
            .take_while(|(a, b)| a == b)
            .count();
        // The last token is read in any case: its logits are needed.
        let mut keep = shared.min(prompt.len() - 1);
        if !self.backend.rewind(keep) {
            self.backend.reset();
            keep = 0;
        }
        self.history.truncate(keep);
        let logits = self.feed(&prompt[keep..], progress)?;
        self.sampler.reset_tokens(prompt);
        let stream = Stream::new(self.tokenizer);
        Ok(Reply {
            session: self,
            logits,
            stream,
            held: String::new(),
            limits,
            produced: 0,
            pending: None,
            ahead: None,
            ended_with: None,
            stop: None,
        })
    }

    /// The tokens that the back end remembers.
    pub fn history(&self) -> &[u32] {
        &self.history
    }

    /// The back end.
    pub fn backend(&self) -> &(dyn Backend + 'a) {
        &*self.backend
    }

    /// Goes on with another back end, which reads the conversation anew.
    pub fn replace_backend(&mut self, backend: Box<dyn Backend + 'a>) {
        self.backend = backend;
        self.backend.reset();
        self.history.clear();
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.backend.reset();
        self.history.clear();
    }
}

/// An answer in the making: an iterator of pieces.
pub struct Reply<'s, 'a> {
    session: &'s mut Session<'a>,
    logits: Vec<f32>,
    stream: Stream<'a>,
    /// Text that may yet turn out to begin a stop string.
    held: String,
    limits: Limits,
    produced: usize,
    /// Chosen, but not read by the back end yet.
    pending: Option<u32>,
    /// If no logits are wanted.
    ahead: Option<Ahead>,
    /// The token that ended the answer; it is no piece of it.
    ended_with: Option<u32>,
    stop: Option<Stop>,
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
        if self.session.sampler.is_greedy() {
            self.ahead = Some(Ahead::new(self.session.tokenizer, self.limits.ignore_end));
        }
        self
    }

    /// The logits that the newest token was chosen from, the ending one included; one per token of the vocabulary.
    pub fn logits(&self) -> &[f32] {
        // Rows of the head beyond the vocabulary are padding.
        let known = self.session.tokenizer.vocabulary_len();
        &self.logits[..known.min(self.logits.len())]
    }

    /// The same logits as `audit` computes them, before they are rounded; `None` in the other tiers.
    pub fn exact_logits(&self) -> Option<&[f64]> {
        let known = self.session.tokenizer.vocabulary_len();
        let exact = self.session.backend.exact_logits()?;
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

    fn step(&mut self) -> Result<Option<Piece>, SessionError> {
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
            Some(token) => token,
            None => self.choose()?,
        };
        self.session.sampler.accept(token);
        if self.session.tokenizer.is_end(token) && !self.limits.ignore_end {
            self.ended_with = Some(token);
            self.stop = Some(Stop::End);
            return Ok(None);
        }
        self.pending = Some(token);
        self.produced += 1;
        let text = self.stream.push(token);
        let text = self.hold_back(text);
        Ok(Some(Piece { token, text }))
    }

    /// Reads a token: its logits are there then, or tokens chosen ahead.
    fn read(&mut self, token: u32) -> Result<(), SessionError> {
        let Session {
            backend, history, ..
        } = &mut *self.session;
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
        self.logits.clear();
        self.logits.extend_from_slice(logits);
        history.push(token);
        Ok(())
    }

    /// Chooses a token from the logits.
    fn choose(&mut self) -> Result<u32, SessionError> {
        // Rows of the head beyond the vocabulary are padding.
        let known = self.session.tokenizer.vocabulary_len();
        let logits = &self.logits[..known.min(self.logits.len())];
        Ok(self.session.sampler.sample(logits)?)
    }

    /// Gives what cannot belong to a stop string, keeps the rest.
    fn hold_back(&mut self, text: String) -> String {
        if self.limits.stop_strings.is_empty() {
            return text;
        }
        self.held.push_str(&text);
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
            return self.held[..at].to_owned();
        }
        let begins_stop = |at: usize| stops.clone().any(|stop| stop.starts_with(&self.held[at..]));
        let free = self
            .held
            .char_indices()
            .map(|(at, _)| at)
            .find(|&at| begins_stop(at))
            .unwrap_or(self.held.len());
        let rest = self.held.split_off(free);
        std::mem::replace(&mut self.held, rest)
    }
}

impl Iterator for Reply<'_, '_> {
    type Item = Result<Piece, SessionError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.stop.is_some() {
            return None;
        }
        self.step().transpose()
    }
}

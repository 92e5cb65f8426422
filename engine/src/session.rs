//! A conversation with a model: the loop from prompt to text.

mod ahead;
#[cfg_attr(
    all(target_family = "wasm", target_os = "unknown"),
    path = "session/clock_absent.rs"
)]
mod clock;
mod draft;
mod feed;
mod paused;
#[cfg(feature = "sessions")]
mod saved;
mod speculative;

pub use draft::{Draft, DraftModel, Lookup, VocabularyError};
pub use paused::Paused;
#[cfg(feature = "sessions")]
pub use saved::{Description, ModelDigest, Saved, SavedError};
pub use speculative::Speculation;

use crate::backend::{Backend, BackendError, Logits, Step};
use crate::constrain::{ConstraintError, Guide, Progress};
use crate::sample::{SampleError, Sampler};
use crate::text::{LONG_TOKEN, Stream, Tokenizer};
use ahead::Ahead;
use speculative::Drafting;
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
    /// The constraint leaves no token, or cannot be followed.
    #[error(transparent)]
    Constraint(#[from] ConstraintError),
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
    /// The model ended it, or a constraint after which nothing may follow.
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
    /// Those that the newest token was chosen from.
    logits: Vec<f32>,
    /// Guesses what will be chosen.
    drafting: Option<Drafting<'a>>,
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
        mut sampler: Sampler,
    ) -> Self {
        // An answer takes no memory token by token.
        sampler.reserve(backend.context());
        Self {
            history: Vec::with_capacity(backend.context()),
            backend,
            tokenizer,
            sampler,
            logits: Vec::new(),
            drafting: None,
        }
    }

    /// Bytes that a session and its sampler take beside the back end, at most, while its filters are those of [`Settings::default`](crate::sample::Settings).
    ///
    /// `vocabulary`: tokens in all.
    pub fn memory_bytes(vocabulary: usize, context: usize) -> usize {
        size_of::<u32>() * context
            + size_of::<f32>() * vocabulary
            + Sampler::memory_bytes(vocabulary, context)
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
        self.feed(&prompt[keep..], progress)?;
        self.sampler.reset_tokens(prompt);
        if let Some(drafting) = &mut self.drafting {
            drafting.begin();
        }
        let stream = Stream::new(self.tokenizer);
        let stops = limits.stop_strings.iter().map(String::len);
        let held = stops.max().map_or(0, |longest| longest + LONG_TOKEN);
        Ok(Reply {
            session: self,
            stream,
            held: String::with_capacity(held),
            limits,
            produced: 0,
            pending: None,
            ahead: None,
            guide: None,
            allowed: Vec::new(),
            ended_with: None,
            stop: None,
        })
    }

    /// The tokens that the back end remembers.
    pub fn history(&self) -> &[u32] {
        &self.history
    }

    /// Who chooses.
    pub fn sampler(&self) -> &Sampler {
        &self.sampler
    }

    /// The logits of the last token that was read, or that an answer's newest token was chosen from; one per row of the head.
    pub fn logits(&self) -> &[f32] {
        &self.logits
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
    stream: Stream<'a>,
    /// Text that may yet turn out to begin a stop string.
    held: String,
    limits: Limits,
    produced: usize,
    /// Chosen, but not read by the back end yet.
    pending: Option<u32>,
    /// If no logits are wanted.
    ahead: Option<Ahead>,
    /// What the answer keeps to.
    guide: Option<Box<dyn Guide>>,
    /// The logits, but −∞ where the guide forbids.
    allowed: Vec<f32>,
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

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
mod reply;
#[cfg(feature = "sessions")]
mod saved;
mod speculative;

pub use draft::{Draft, DraftModel, Lookup, VocabularyError};
pub use paused::Paused;
pub use reply::Reply;
#[cfg(feature = "sessions")]
pub use saved::{Description, ModelDigest, Saved, SavedError};
pub use speculative::Speculation;

use crate::backend::{Backend, BackendError};
use crate::constrain::ConstraintError;
use crate::sample::{SampleError, Sampler};
use crate::text::{LONG_TOKEN, Stream, Tokenizer};
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
        let history = size_of::<u32>().saturating_mul(context);
        let logits = size_of::<f32>().saturating_mul(vocabulary);
        history
            .saturating_add(logits)
            .saturating_add(Sampler::memory_bytes(vocabulary, context))
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

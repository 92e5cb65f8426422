//! Machines that run a graph.

pub mod budget;
#[expect(
    unsafe_code,
    reason = "the workers of a step write their parts of shared memory"
)]
mod cpu;
#[cfg(feature = "offload")]
pub mod offload;
mod remembered;

use crate::gguf::GgufError;
pub use cpu::CpuBackend;
pub use fidelis_simd::attend::CacheFormat;
use fidelis_simd::{Format, Level, NoSuchLevel};
pub use remembered::{RememberError, Remembered, RememberedLayer};
use std::{fmt, io};

/// One call of a back end: some tokens that follow those it has read.
#[derive(Clone, Copy, Debug)]
pub struct Step<'s> {
    /// Token ids, at least one.
    pub tokens: &'s [u32],
    /// The position of the first; what the back end has read so far.
    pub position: usize,
    /// Which logits are wanted.
    pub logits: Logits,
}

impl Step<'_> {
    /// Whether the step goes on from `read` positions, fits a context and names known tokens.
    fn check(&self, read: usize, context: usize, vocabulary: usize) -> Result<(), BackendError> {
        if self.tokens.is_empty() {
            return Err(BackendError::NoTokens);
        }
        if self.position != read {
            return Err(BackendError::Position {
                found: self.position,
                read,
            });
        }
        let more = self.tokens.len();
        if more > context - read {
            return Err(BackendError::ContextFull {
                context,
                read,
                more,
            });
        }
        let unknown = |&&token: &&u32| token as usize >= vocabulary;
        match self.tokens.iter().find(unknown) {
            Some(&token) => Err(BackendError::Token { token, vocabulary }),
            None => Ok(()),
        }
    }
}

/// Which tokens of a step logits are wanted of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Logits {
    /// Of none.
    None,
    /// Of the last.
    Last,
    /// Of every one.
    All,
}

/// Sees intermediates as they are computed.
pub trait Observer {
    /// Whether the checkpoint called `name` is of interest.
    fn wants(&self, name: &str) -> bool;
    /// The values of a checkpoint, exactly: row-major, `shape` slowest first. A step that is cut into batches
    /// shows every batch.
    fn saw(&mut self, name: &str, shape: &[usize], values: &[f64]);
}

/// Tokens to be chosen one after another, each the largest of its logits.
#[derive(Clone, Copy, Debug)]
pub struct Greedy<'s> {
    /// The first token to read.
    pub token: u32,
    /// Tokens to choose, at least one, so many that they fit the context.
    pub count: usize,
    /// Logits that count; those beyond are padding.
    pub choices: usize,
    /// Token ids that end it.
    pub ends: &'s [u32],
}

/// A machine that runs one model and remembers what it has read.
pub trait Backend: Send {
    /// Reads the tokens of a step, in batches.
    ///
    /// The result holds the logits that were asked for, `[tokens, vocabulary]`.
    ///
    /// # Errors
    ///
    /// [`BackendError`]; the back end then remembers what it did before the step, or nothing if a window has moved on:
    /// [`Self::position`] tells.
    fn forward(&mut self, step: &Step<'_>) -> Result<&[f32], BackendError>;

    /// As [`Self::forward`], showing intermediates on the way.
    ///
    /// # Errors
    ///
    /// As for [`Self::forward`], and for intermediates that the back end cannot show.
    fn forward_observed(
        &mut self,
        step: &Step<'_>,
        observer: &mut dyn Observer,
    ) -> Result<&[f32], BackendError>;

    /// The logits of the last step before they were rounded to `f32`, if they were.
    fn exact_logits(&self) -> Option<&[f64]> {
        None
    }

    /// Reads a token at the present position and chooses the next, so many times, without showing logits; an ending token is the last.
    /// All of them but the last are then read. `None`: the back end does not choose.
    ///
    /// # Errors
    ///
    /// As for [`Self::forward`].
    fn greedy(&mut self, greedy: &Greedy<'_>) -> Result<Option<Vec<u32>>, BackendError> {
        let _ = greedy;
        Ok(None)
    }

    /// Positions read.
    fn position(&self) -> usize;

    /// Positions that can be remembered.
    fn context(&self) -> usize;

    /// Tokens read together, at most.
    fn batch(&self) -> usize;

    /// Forgets from `position` on; false, and nothing is forgotten, if a sliding window no longer
    /// holds what the position sees.
    fn rewind(&mut self, position: usize) -> bool;

    /// Forgets everything.
    fn reset(&mut self);

    /// Describes what was read before `position`, and the bytes that [`Self::export`] writes of it.
    ///
    /// # Errors
    ///
    /// [`RememberError::NotSupported`] of a back end that has no form for a file, [`RememberError::NotHeld`] of positions that are not there.
    fn remembered(&self, position: usize) -> Result<Remembered, RememberError> {
        let _ = position;
        Err(RememberError::NotSupported {
            machine: self.machine(),
        })
    }

    /// Writes the keys and values that [`Self::remembered`] has described.
    ///
    /// # Errors
    ///
    /// Those of `out`.
    fn export(&self, remembered: &Remembered, out: &mut dyn io::Write) -> io::Result<()> {
        let _ = (remembered, out);
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Forgets everything and takes what [`Self::export`] wrote, here or elsewhere: as if those tokens had been read.
    ///
    /// # Errors
    ///
    /// [`RememberError`] if it was saved by another model, in another tier or format, does not fit the context, or is not what it says; nothing is forgotten then.
    fn import(&mut self, remembered: &Remembered, bytes: &[u8]) -> Result<(), RememberError> {
        let _ = (remembered, bytes);
        Err(RememberError::NotSupported {
            machine: self.machine(),
        })
    }

    /// Bytes of memory besides the model's file.
    fn memory_bytes(&self) -> usize;

    /// What runs the model, for people.
    fn machine(&self) -> String;
}

/// How numbers are held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tier {
    /// Integer weights as stored, activations as bytes with a scale per 32.
    Fast,
    /// Weights decoded to `f32`, activations in `f32`.
    F32,
    /// Weights decoded exactly; activations, keys, values and sums in `f64`.
    Audit,
}

impl fmt::Display for Tier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Fast => "fast",
            Self::F32 => "f32",
            Self::Audit => "audit",
        })
    }
}

/// What a [`CpuBackend`] is made with.
#[derive(Clone, Debug)]
pub struct CpuSettings {
    /// Worker threads; at least 1, and no more without the feature `threads`.
    pub threads: usize,
    /// Positions to remember; at least 1.
    pub context: usize,
    /// How numbers are held.
    pub tier: Tier,
    /// How keys and values are remembered; `audit` always remembers `f64`.
    pub cache: CacheFormat,
    /// Tokens read together; at least 1. The result does not depend on it.
    pub batch: usize,
    /// The SIMD level. The result does not depend on it.
    pub level: Level,
}

impl CpuSettings {
    /// One thread per core (one in all without the feature `threads`), the best level, `fast`, keys and values in halves, 256 tokens a batch: as fast as 512 where it was measured, for half the memory.
    ///
    /// # Errors
    ///
    /// [`NoSuchLevel`] if the environment asks for a level that this machine lacks.
    pub fn new(context: usize) -> Result<Self, NoSuchLevel> {
        Ok(Self {
            threads: cpu::cores(),
            context,
            tier: Tier::Fast,
            cache: CacheFormat::F16,
            batch: 256,
            level: Level::chosen()?,
        })
    }
}

/// Why a back end cannot be made or a step cannot be run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BackendError {
    /// The environment asks for a level that this machine lacks.
    #[error(transparent)]
    Level(#[from] NoSuchLevel),
    /// A setting is zero.
    #[error("{setting} must be at least 1")]
    Zero {
        /// Which.
        setting: &'static str,
    },
    /// A plug-in or its device.
    #[cfg(feature = "offload")]
    #[error(transparent)]
    Offload(#[from] offload::OffloadError),
    /// The worker threads could not be started.
    #[error("cannot start {threads} worker threads")]
    Threads {
        /// How many.
        threads: usize,
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// More threads than one, in an engine that was built without them.
    #[error(
        "{threads} worker threads need the engine's feature `threads`, which it was built without; 1 is possible"
    )]
    NoThreads {
        /// How many.
        threads: usize,
    },
    /// Keys do not fill the groups of the cache's format.
    #[error("keys of {width} elements cannot be remembered as {format}, which takes multiples of {}", format.multiple())]
    CacheWidth {
        /// Elements of a key.
        width: usize,
        /// The format asked for.
        format: CacheFormat,
    },
    /// Keys and values in `f64`, in another tier than `audit`.
    #[error("the tier {tier} does not remember keys and values as f64; audit does")]
    CacheTier {
        /// The tier.
        tier: Tier,
    },
    /// A weight that must be a vector of floats is not.
    #[error("{tensor} is {format}; norms, biases and factors must be F32, F16 or BF16")]
    NotFloats {
        /// The tensor's name.
        tensor: String,
        /// Its format.
        format: Format,
    },
    /// The step has no tokens.
    #[error("there are no tokens to read")]
    NoTokens,
    /// The step does not continue what was read.
    #[error("the step begins at position {found}, but {read} positions were read")]
    Position {
        /// Where the step begins.
        found: usize,
        /// Where it should.
        read: usize,
    },
    /// More positions than the context holds.
    #[error("the context of {context} is full: {read} positions are read, {more} more do not fit")]
    ContextFull {
        /// Positions in all.
        context: usize,
        /// Positions in use.
        read: usize,
        /// Tokens of the step.
        more: usize,
    },
    /// A token id beyond the embedding.
    #[error("token id {token} is not below the vocabulary's {vocabulary}")]
    Token {
        /// The id.
        token: u32,
        /// Rows of the embedding.
        vocabulary: usize,
    },
    /// A value that is not a number or infinite.
    #[error(
        "{checkpoint} has {value} at token {token}, element {element}: the first operation whose result is not finite"
    )]
    NonFinite {
        /// The first checkpoint with such a value.
        checkpoint: String,
        /// The token's position.
        token: usize,
        /// The element of its row.
        element: usize,
        /// What was found.
        value: f64,
    },
    /// A key or value that the cache's format cannot hold.
    #[error(
        "{checkpoint} has {value} at token {token}, element {element}: more than a cache in f16 holds (65504); remember keys and values as f32"
    )]
    CacheOverflow {
        /// The key's or value's checkpoint.
        checkpoint: String,
        /// The token's position.
        token: usize,
        /// The element of its row.
        element: usize,
        /// What was found.
        value: f64,
    },
    /// The file of the weights was changed while it was in use.
    #[error(transparent)]
    File(#[from] GgufError),
    /// What was asked for needs more memory than it may.
    #[error("context {wanted}, but only {limit} are left; {suggestion}")]
    Budget {
        /// What was asked for, and the smallest of what was not.
        wanted: budget::Priced,
        /// What may be taken.
        limit: budget::Bytes,
        /// What would fit; the smallest there is, if nothing does.
        suggestion: budget::Priced,
    },
    /// The memory for the cache and the intermediates could not be had.
    #[error("{bytes} bytes of memory for {what} cannot be had")]
    Memory {
        /// How much.
        bytes: usize,
        /// What for.
        what: &'static str,
    },
}

//! What a run computed, and what ran: token ids, the values of named checkpoints, and provenance.
//!
//! A recording is a `safetensors` file that any program can write. Tensors bear the names of the graph's checkpoints:
//!
//! ```text
//! tokens              i32 [tokens]
//! CHECKPOINT          f32 or f64 [tokens, width]
//! blk.I.attn_scores   f32 or f64 [heads, tokens, positions], before the softmax and its scale
//! blk.I.attn_probs    f32 or f64 [heads, tokens, positions]
//! ```
//!
//! Row `i` of a checkpoint belongs to token `i`; one that has fewer rows than there are tokens begins at the token that the
//! file's metadata names under `first.CHECKPOINT`, else it ends at the last one. The other metadata (all of it text, all optional) is
//! [`Provenance`], and `steps`: how many tokens each call of the engine read.

mod error;
mod file;
mod observe;
mod select;

pub use error::RecordingError;
pub(crate) use file::{ids_of, numbers};
pub use observe::{Recorder, Runs, record};
pub use select::Selection;
pub(crate) use select::{layer, matches};

use crate::receipt::Digest;
use std::collections::BTreeMap;
use std::fmt;

/// The values of one checkpoint.
#[derive(Clone, Debug, PartialEq)]
pub struct Tensor {
    /// Slowest first; the last dimension is the width of a row.
    pub shape: Vec<usize>,
    /// The token that the first row belongs to; 0 for scores and probabilities, which have every token.
    pub first: usize,
    /// Row-major, exactly as the engine had them.
    pub values: Vec<f64>,
}

impl Tensor {
    /// Elements of a row.
    pub fn width(&self) -> usize {
        self.shape.last().copied().unwrap_or(1)
    }

    /// Rows: of `[tokens, width]` the tokens.
    pub fn rows(&self) -> usize {
        self.values.len() / self.width().max(1)
    }
}

/// What made a recording; what is not known is empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Provenance {
    /// The engine's name, such as `fidelis`, `llama.cpp` or `transformers`.
    pub engine: String,
    /// Its version.
    pub version: String,
    /// The digest of the model file ([`model_digest`]).
    pub model: Option<Digest>,
    /// How numbers were held: `fast`, `f32` or `audit`.
    pub tier: String,
    /// How keys and values were remembered: `f16`, `f32`, `q8_0` or `f64`.
    pub cache: String,
    /// The SIMD level or device.
    pub level: String,
    /// How values were rounded when they were written down, if to less than they were computed in: `f32`, `f16`, `bf16`, or
    /// `decimals N` for text with `N` digits after the point.
    pub stored: String,
}

impl fmt::Display for Provenance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let known = |text: &str| if text.is_empty() { "unknown" } else { text }.to_owned();
        f.write_str(&known(&self.engine))?;
        if !self.version.is_empty() {
            write!(f, " {}", self.version)?;
        }
        for (name, value) in [
            ("tier", &self.tier),
            ("cache", &self.cache),
            ("level", &self.level),
            ("stored", &self.stored),
        ] {
            if !value.is_empty() {
                write!(f, ", {name} {value}")?;
            }
        }
        match self.model {
            Some(digest) => write!(f, ", model {digest}"),
            None => write!(f, ", model not named"),
        }
    }
}

/// The digest by which a recording names its model: that of the file (what `b3sum` prints), or of the digests of a split file's parts.
pub fn model_digest(parts: &[&[u8]]) -> Digest {
    match parts {
        [whole] => Digest::of_large(whole),
        parts => {
            let all: Vec<u8> = (parts.iter())
                .flat_map(|part| Digest::of_large(part).0)
                .collect();
            Digest::of(&all)
        }
    }
}

/// What a run computed.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Recording {
    /// The ids that were read.
    pub tokens: Vec<u32>,
    /// How many of them each call of the engine read; their sum is the number of tokens.
    pub steps: Vec<usize>,
    /// By checkpoint.
    pub tensors: BTreeMap<String, Tensor>,
    /// What made it.
    pub provenance: Provenance,
}

impl Recording {
    /// The step that token `index` was read in, and the first token of that step.
    pub fn step_start(&self, index: usize) -> usize {
        step_start(&self.steps, index)
    }
}

/// The first token of the step that token `index` was read in.
pub(crate) fn step_start(steps: &[usize], index: usize) -> usize {
    let mut start = 0;
    for step in steps {
        if index < start + step {
            break;
        }
        start += step;
    }
    start
}

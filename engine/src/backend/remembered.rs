//! What a back end has read, in a form that outlives it.
//!
//! Bytes depend on what was computed and on nothing else: not on threads, levels, batches or the sizes of rings. Layer after
//! layer, head after head:
//!
//! ```text
//!         ├ key of `first` ┼ … ┼ key of `position − 1` ┼ value of `first` ┼ … ┼ value of `position − 1` ┤
//! ```
//!
//! each as [`CacheFormat::single_bytes`] says. `first` is a layer's own: where a window has moved on, only what is still held is written.

use super::CacheFormat;
use crate::graph::{Cache, Graph, Pairing};
use serde::{Deserialize, Serialize};

/// A description of what was read, and of the bytes that hold it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Remembered {
    /// The tier's name.
    pub tier: String,
    /// The name of the cache's format.
    pub cache: String,
    /// The digest of the graph's rotary tables, which a model may choose by its context.
    pub angles: String,
    /// Positions read.
    pub position: usize,
    /// In the graph's order.
    pub layers: Vec<RememberedLayer>,
}

/// What one layer remembers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RememberedLayer {
    /// Heads of keys and of values.
    pub heads: usize,
    /// Elements of a key.
    pub key_width: usize,
    /// Elements of a value.
    pub value_width: usize,
    /// How many positions a query sees; `None`: all.
    pub window: Option<usize>,
    /// The first position that is there.
    pub first: usize,
}

/// Why a back end cannot write or take what was read.
#[derive(Debug, thiserror::Error)]
pub enum RememberError {
    /// It has no such form.
    #[error("what {machine} has read cannot be saved or restored; only the CPU's can")]
    NotSupported {
        /// The back end.
        machine: String,
    },
    /// More positions than it has read, or some that a window no longer holds.
    #[error(
        "{position} positions cannot be saved: {read} were read, and a window may have moved on"
    )]
    NotHeld {
        /// What was asked for.
        position: usize,
        /// What it has read.
        read: usize,
    },
    /// Something was saved with another setting or model.
    #[error("it was saved with {what} {saved}, but here it is {here}")]
    Differs {
        /// What differs.
        what: &'static str,
        /// There.
        saved: String,
        /// Here.
        here: String,
    },
    /// One layer was saved with another shape or window.
    #[error("layer {layer} was saved as {saved}, but here it is {here}")]
    Layer {
        /// The layer.
        layer: usize,
        /// There.
        saved: String,
        /// Here.
        here: String,
    },
    /// The context is too small.
    #[error(
        "{position} positions were saved, but the context holds {context}; ask for a larger one"
    )]
    Context {
        /// There.
        position: usize,
        /// Here.
        context: usize,
    },
    /// A layer lacks positions that the next token sees.
    #[error("layer {layer} begins at position {first}, but the next token sees {wanted}")]
    Incomplete {
        /// The layer.
        layer: usize,
        /// Where it begins.
        first: usize,
        /// Where it must.
        wanted: usize,
    },
    /// The bytes are not as many as the description says.
    #[error("{found} bytes of keys and values, but {expected} are described")]
    Length {
        /// What is there.
        found: usize,
        /// What should be; `u64::MAX` if it is no number of bytes at all.
        expected: u64,
    },
}

impl Remembered {
    /// Bytes of keys and values; `None` if that is no number.
    pub(crate) fn bytes(&self, format: CacheFormat) -> Option<u64> {
        let layer = |layer: &RememberedLayer| {
            let each = |width: usize| Some(format.single_bytes(width) as u64);
            let position = each(layer.key_width)?.checked_add(each(layer.value_width)?)?;
            let count = self.position.checked_sub(layer.first)? as u64;
            position.checked_mul(layer.heads as u64)?.checked_mul(count)
        };
        self.layers
            .iter()
            .try_fold(0_u64, |sum, next| sum.checked_add(layer(next)?))
    }

    /// Whether a back end that would describe itself as `here`, with `context` positions, can take `bytes` bytes of this.
    pub(crate) fn check(
        &self,
        here: &Self,
        format: CacheFormat,
        context: usize,
        bytes: usize,
    ) -> Result<(), RememberError> {
        for (what, saved, here) in [
            ("the tier", &self.tier, &here.tier),
            ("the cache format", &self.cache, &here.cache),
            ("the rotary tables", &self.angles, &here.angles),
        ] {
            differs(what, saved, here)?;
        }
        let [saved, layers] = [self, here].map(|one| one.layers.len().to_string());
        differs("a number of layers of", &saved, &layers)?;
        for (layer, (saved, here)) in self.layers.iter().zip(&here.layers).enumerate() {
            if saved.shape() != here.shape() {
                return Err(RememberError::Layer {
                    layer,
                    saved: saved.shape(),
                    here: here.shape(),
                });
            }
            // What the position that comes next sees.
            let window = saved.window.unwrap_or(usize::MAX);
            let wanted = self.position.saturating_add(1).saturating_sub(window);
            if saved.first > wanted {
                return Err(RememberError::Incomplete {
                    layer,
                    first: saved.first,
                    wanted,
                });
            }
        }
        if self.position > context {
            return Err(RememberError::Context {
                position: self.position,
                context,
            });
        }
        match self.bytes(format) {
            Some(expected) if expected == bytes as u64 => Ok(()),
            expected => Err(RememberError::Length {
                found: bytes,
                expected: expected.unwrap_or(u64::MAX),
            }),
        }
    }
}

impl RememberedLayer {
    pub(crate) fn new(cache: &Cache, first: usize) -> Self {
        Self {
            heads: cache.heads,
            key_width: cache.key_width,
            value_width: cache.value_width,
            window: cache.window,
            first,
        }
    }

    fn shape(&self) -> String {
        let Self {
            heads,
            key_width,
            value_width,
            ..
        } = self;
        let window = self.window.map_or("no window".to_owned(), |window| {
            format!("a window of {window}")
        });
        format!("{heads} heads of {key_width} and {value_width} with {window}")
    }
}

fn differs(what: &'static str, saved: &str, here: &str) -> Result<(), RememberError> {
    if saved == here {
        return Ok(());
    }
    Err(RememberError::Differs {
        what,
        saved: saved.to_owned(),
        here: here.to_owned(),
    })
}

/// A digest of the rotary tables: the only part of a graph that a file and its tier leave open.
pub(crate) fn angles(graph: &Graph<'_>) -> String {
    let mut hasher = blake3::Hasher::new();
    for rope in &graph.ropes {
        hasher.update(&(rope.frequencies.len() as u64).to_le_bytes());
        for number in rope.frequencies.iter().chain([&rope.magnitude]) {
            hasher.update(&number.to_le_bytes());
        }
        hasher.update(&[u8::from(rope.pairing == Pairing::Halves)]);
    }
    hasher.finalize().to_hex().to_string()
}

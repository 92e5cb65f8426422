//! Hyper-parameters, each from a metadata key.

use super::ModelError;
use crate::gguf::{Gguf, Value};

/// A model's hyper-parameters. `{a}` stands for the architecture's name.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// `general.architecture`.
    pub architecture: String,
    /// `general.name`, or the architecture.
    pub name: String,
    /// `{a}.block_count`: layers.
    pub layers: usize,
    /// `{a}.context_length`: positions the model was trained for.
    pub context: usize,
    /// `{a}.embedding_length`: elements of the residual stream.
    pub width: usize,
    /// `{a}.feed_forward_length`: elements between the feed-forward products.
    pub feed_forward: usize,
    /// `{a}.attention.head_count`: query heads.
    pub heads: usize,
    /// `{a}.attention.head_count_kv`: heads of keys and values; absent: as many as query heads.
    pub kv_heads: usize,
    /// `{a}.attention.key_length`: elements of a key; absent: width over heads.
    pub key_width: usize,
    /// `{a}.attention.value_length`: elements of a value; absent: width over heads.
    pub value_width: usize,
    /// `{a}.attention.layer_norm_rms_epsilon`: added to the mean square.
    pub epsilon: f32,
    /// `{a}.rope.dimension_count`: elements of a head that are turned; absent: all of a key.
    pub rotated: usize,
    /// `{a}.rope.freq_base`; absent: 10,000.
    pub rope_base: f64,
    /// `{a}.rope.scaling.factor` where `{a}.rope.scaling.type` is `linear`; else 1. Positions are divided by it.
    pub rope_linear: f64,
    /// Rows of the embedding: tokens that have logits.
    pub vocabulary: usize,
}

/// Metadata under an architecture's name.
#[derive(Clone, Copy)]
pub(super) struct Keys<'g, 'a> {
    gguf: &'g Gguf<'a>,
    architecture: &'g str,
}

impl<'g, 'a> Keys<'g, 'a> {
    pub(super) fn new(gguf: &'g Gguf<'a>, architecture: &'g str) -> Self {
        Self { gguf, architecture }
    }

    pub(super) fn name(&self, key: &str) -> String {
        format!("{}.{key}", self.architecture)
    }

    /// A count; an array of one count per layer counts if all are the same.
    pub(super) fn count(&self, key: &str) -> Result<Option<usize>, ModelError> {
        let key = self.name(key);
        if let Some(Value::Array(array)) = self.gguf.get(&key) {
            let values = array.u32s().unwrap_or_default();
            return match values.first() {
                Some(first) if values.iter().all(|value| value == first) => {
                    Ok(Some(*first as usize))
                }
                _ => Err(ModelError::impossible(
                    &key,
                    "an array of different values",
                    "layers of different shape are not read",
                )),
            };
        }
        match self.gguf.u32(&key)? {
            Some(0) => Err(ModelError::impossible(&key, 0, "it must be at least 1")),
            count => Ok(count.map(|count| count as usize)),
        }
    }

    pub(super) fn needed(&self, key: &str) -> Result<usize, ModelError> {
        self.count(key)?
            .ok_or_else(|| ModelError::missing(&self.name(key)))
    }

    /// A finite number.
    pub(super) fn number(&self, key: &str) -> Result<Option<f32>, ModelError> {
        let key = self.name(key);
        match self.gguf.f32(&key)? {
            Some(x) if !x.is_finite() => Err(ModelError::impossible(&key, x, "it must be finite")),
            number => Ok(number),
        }
    }

    pub(super) fn text(&self, key: &str) -> Result<Option<&'a str>, ModelError> {
        Ok(self.gguf.str(&self.name(key))?)
    }
}

/// More layers, heads or elements than any model has; keeps products within bounds.
const MOST: usize = 1 << 24;

impl Config {
    pub(super) fn read(gguf: &Gguf<'_>, architecture: &str) -> Result<Self, ModelError> {
        let keys = Keys::new(gguf, architecture);
        let bounded = |key: &str, value: usize| {
            if value <= MOST {
                Ok(value)
            } else {
                Err(ModelError::impossible(
                    &keys.name(key),
                    value,
                    "no model is that large",
                ))
            }
        };
        let needed = |key: &str| keys.needed(key).and_then(|value| bounded(key, value));
        let optional =
            |key: &str, or: usize| keys.count(key)?.map_or(Ok(or), |value| bounded(key, value));
        let (width, heads) = (needed("embedding_length")?, needed("attention.head_count")?);
        let kv_heads = optional("attention.head_count_kv", heads)?;
        if heads % kv_heads != 0 {
            return Err(ModelError::impossible(
                &keys.name("attention.head_count_kv"),
                kv_heads,
                "it must divide the number of query heads",
            ));
        }
        let key_width = optional("attention.key_length", width / heads)?;
        let rotated = optional("rope.dimension_count", key_width)?;
        if rotated % 2 != 0 || rotated > key_width || key_width == 0 {
            return Err(ModelError::impossible(
                &keys.name("rope.dimension_count"),
                rotated,
                "it must be even and at most a key's length",
            ));
        }
        let epsilon = keys.number("attention.layer_norm_rms_epsilon")?;
        let embedding =
            gguf.tensor("token_embd.weight")
                .ok_or_else(|| ModelError::MissingTensor {
                    tensor: "token_embd.weight".to_owned(),
                })?;
        let base = f64::from(keys.number("rope.freq_base")?.unwrap_or(10_000.0));
        if base <= 0.0 {
            return Err(ModelError::impossible(
                &keys.name("rope.freq_base"),
                base,
                "it must be positive",
            ));
        }
        Ok(Self {
            architecture: architecture.to_owned(),
            name: gguf.str("general.name")?.unwrap_or(architecture).to_owned(),
            layers: needed("block_count")?,
            context: needed("context_length").map(|context| context.min(MOST))?,
            width,
            feed_forward: needed("feed_forward_length")?,
            heads,
            kv_heads,
            key_width,
            value_width: optional("attention.value_length", width / heads)?,
            epsilon: epsilon.ok_or_else(|| {
                ModelError::missing(&keys.name("attention.layer_norm_rms_epsilon"))
            })?,
            rotated,
            rope_base: base,
            rope_linear: linear(&keys)?,
            vocabulary: embedding.shape.rows(),
        })
    }
}

/// The factor of linear scaling; other kinds are the architecture's own affair.
fn linear(keys: &Keys<'_, '_>) -> Result<f64, ModelError> {
    let kind = keys.text("rope.scaling.type")?;
    let factor = match kind {
        Some("linear") => keys.number("rope.scaling.factor")?,
        Some("none" | "longrope") => None,
        // Before the type was written, a factor alone meant linear scaling.
        None => match keys.number("rope.scaling.factor")? {
            Some(factor) => Some(factor),
            None => keys.number("rope.scale_linear")?,
        },
        Some(other) => {
            return Err(ModelError::impossible(
                &keys.name("rope.scaling.type"),
                other,
                "only none, linear and longrope are known",
            ));
        }
    };
    match factor {
        Some(factor) if factor > 0.0 => Ok(factor.into()),
        Some(0.0) | None => Ok(1.0),
        Some(factor) => Err(ModelError::impossible(
            &keys.name("rope.scaling.factor"),
            factor,
            "it must not be negative",
        )),
    }
}

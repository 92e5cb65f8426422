//! Hyper-parameters, each from a metadata key.

use super::ModelError;
use super::keys::Keys;
use super::rope::RopeConfig;
use crate::gguf::Gguf;

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
    /// `{a}.rope.*`: how heads are turned, where every position is seen.
    pub rope: RopeConfig,
    /// Rows of the embedding: tokens that have logits.
    pub vocabulary: usize,
    /// Length of `tokenizer.ggml.tokens`: tokens that have a text; absent: `{a}.vocab_size`, or the rows of the embedding.
    ///
    /// Rows from here to [`Self::vocabulary`] are padding, and their logits mean nothing.
    pub tokens: usize,
}

impl Config {
    /// Reads the metadata, and the shape of the embedding.
    ///
    /// # Errors
    ///
    /// [`ModelError`] for a missing or impossible key.
    pub fn read(gguf: &Gguf<'_>) -> Result<Self, ModelError> {
        let architecture = gguf
            .str("general.architecture")?
            .ok_or_else(|| ModelError::missing("general.architecture"))?;
        super::builder(architecture)?;
        let keys = Keys::new(gguf, architecture);
        refuse_other_graphs(&keys)?;
        let (width, heads) = (
            keys.needed("embedding_length")?,
            keys.needed("attention.head_count")?,
        );
        let kv_heads = keys.count("attention.head_count_kv")?.unwrap_or(heads);
        if heads % kv_heads != 0 {
            return Err(keys.impossible(
                "attention.head_count_kv",
                kv_heads,
                "it must divide the number of query heads",
            ));
        }
        let key_width = head_width(&keys, "attention.key_length", width, heads)?;
        let context = keys.needed("context_length")?;
        let epsilon = "attention.layer_norm_rms_epsilon";
        let vocabulary = gguf
            .tensor("token_embd.weight")
            .ok_or_else(|| ModelError::MissingTensor {
                tensor: "token_embd.weight".to_owned(),
            })?
            .shape
            .rows();
        Ok(Self {
            architecture: architecture.to_owned(),
            name: gguf.str("general.name")?.unwrap_or(architecture).to_owned(),
            layers: keys.needed("block_count")?,
            context,
            width,
            feed_forward: keys.needed("feed_forward_length")?,
            heads,
            kv_heads,
            key_width,
            value_width: head_width(&keys, "attention.value_length", width, heads)?,
            epsilon: keys
                .positive(epsilon)?
                .ok_or_else(|| keys.missing(epsilon))?,
            rope: RopeConfig::read(&keys, key_width, context)?,
            vocabulary,
            tokens: tokens(&keys, vocabulary)?,
        })
    }
}

/// Keys that ask for a computation that no builder makes.
fn refuse_other_graphs(keys: &Keys<'_, '_>) -> Result<(), ModelError> {
    let experts = "expert_count";
    if let Some(found) = keys.count_or_zero(experts)?.filter(|&found| found > 0) {
        return Err(keys.impossible(experts, found, "mixtures of experts are not read"));
    }
    let causal = "attention.causal";
    if keys.gguf.bool(&keys.name(causal))? == Some(false) {
        return Err(keys.impossible(causal, false, "only causal attention is computed"));
    }
    Ok(())
}

/// Elements of a head; the heads' elements together must be countable on any machine.
fn head_width(
    keys: &Keys<'_, '_>,
    key: &str,
    width: usize,
    heads: usize,
) -> Result<usize, ModelError> {
    let head = keys.count(key)?.unwrap_or(width / heads);
    match head.checked_mul(heads) {
        Some(1..=0x0fff_ffff) => Ok(head),
        _ => Err(keys.impossible(
            "attention.head_count",
            heads,
            "heads must have at least one element, and fewer than 2²⁸ together",
        )),
    }
}

fn tokens(keys: &Keys<'_, '_>, rows: usize) -> Result<usize, ModelError> {
    let list = "tokenizer.ggml.tokens";
    let (key, tokens) = match keys.gguf.array(list)? {
        Some(tokens) => (list.to_owned(), tokens.len()),
        None => {
            let size = "vocab_size";
            (keys.name(size), keys.count(size)?.unwrap_or(rows))
        }
    };
    if tokens <= rows {
        return Ok(tokens);
    }
    Err(ModelError::Vocabulary { key, tokens, rows })
}

//! Llama, and what is built like it: TinyLlama, Llama 2 and 3, Mistral, SmolLM2.

use super::ModelError;
use super::build::{Attention, Build};
use crate::graph::{Activate, Pairing, TensorId};

pub(super) fn build(b: &mut Build<'_, '_>) -> Result<(), ModelError> {
    let c = b.config;
    let factors = b.rope_factors()?;
    let rope = b.rope(&c.rope, Pairing::Interleaved, factors.as_deref());
    let scale = 1.0 / (c.key_width as f64).sqrt();
    let attention = Attention {
        rope,
        window: None,
        query_scale: 1.0,
        score_scale: b.keys.positive("attention.scale")?.map_or(scale, f64::from),
        soft_cap: None,
    };
    let (mut x, embedding) = b.embed(1.0)?;
    for i in 0..c.layers {
        x = layer(b, i, x, false, &attention)?;
    }
    b.head(x, embedding, None)
}

/// A layer with one norm before each half and SiLU; `norms` of queries and keys where wanted.
pub(super) fn layer(
    b: &mut Build<'_, '_>,
    i: usize,
    x: TensorId,
    norms: bool,
    attention: &Attention,
) -> Result<TensorId, ModelError> {
    let normed = b.norm(
        x,
        &format!("blk.{i}.attn_norm"),
        1,
        format!("blk.{i}.attn_norm"),
    )?;
    let projections = b.projections(i, normed)?;
    let heads = b.attend(i, projections, norms, attention)?;
    let attended = b.attention_output(i, heads)?;
    let residual = b.add(attended, x, format!("blk.{i}.attn_residual"));
    let normed = b.norm(
        residual,
        &format!("blk.{i}.ffn_norm"),
        1,
        format!("blk.{i}.ffn_norm"),
    )?;
    let fed = b.feed_forward(i, normed, Activate::Silu)?;
    Ok(b.add(fed, residual, format!("blk.{i}.out")))
}

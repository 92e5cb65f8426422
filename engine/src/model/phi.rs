//! Phi 3: one matrix for queries, keys and values, one for gate and up.

use super::ModelError;
use super::build::{Attention, Build};
use super::rope::RopeConfig;
use crate::graph::{Activate, Pairing, TensorId};

pub(super) fn build_3(b: &mut Build<'_, '_>) -> Result<(), ModelError> {
    let c = b.config;
    let factors = b.rope_factors()?;
    let rope = RopeConfig {
        magnitude: match &factors {
            Some(_) => Some(magnitude(b)?),
            None => c.rope.magnitude,
        },
        ..c.rope.clone()
    };
    let attention = Attention {
        rope: b.rope(&rope, Pairing::Halves, factors.as_deref()),
        window: b
            .keys
            .count_or_zero("attention.sliding_window")?
            .filter(|&window| window > 0 && window < c.context),
        query_scale: 1.0 / (c.key_width as f64).sqrt(),
        score_scale: 1.0,
        soft_cap: None,
    };
    let (mut x, embedding) = b.embed(1.0)?;
    for i in 0..c.layers {
        x = layer(b, i, x, &attention)?;
    }
    b.head(x, embedding, None)
}

/// Sines and cosines of files with factors grow with the ratio `s` of the contexts: as the file says, or by `√(1 + ln s / ln original)`.
fn magnitude(b: &Build<'_, '_>) -> Result<f32, ModelError> {
    let c = b.config;
    let (ratio, original) = (c.context as f64 / c.rope.original as f64, c.rope.original);
    match c.rope.magnitude {
        Some(magnitude) => Ok(magnitude),
        None if ratio <= 1.0 => Ok(1.0),
        None if original < 2 => Err(b.keys.impossible(
            "rope.scaling.original_context_length",
            original,
            "it must be at least 2",
        )),
        None => Ok((1.0 + libm::log(ratio) / libm::log(original as f64)).sqrt() as f32),
    }
}

fn layer(
    b: &mut Build<'_, '_>,
    i: usize,
    x: TensorId,
    attention: &Attention,
) -> Result<TensorId, ModelError> {
    let name = format!("blk.{i}.attn_norm");
    let normed = b.norm(x, &name, 1, name.clone())?;
    let projections = b.projections(i, normed)?;
    let heads = b.attend(i, projections, false, attention)?;
    let attended = b.attention_output(i, heads)?;
    let residual = b.add(attended, x, format!("blk.{i}.attn_residual"));
    let name = format!("blk.{i}.ffn_norm");
    let normed = b.norm(residual, &name, 1, name.clone())?;
    let fed = b.fused_feed_forward(i, normed, Activate::Silu)?;
    Ok(b.add(fed, residual, format!("blk.{i}.out")))
}

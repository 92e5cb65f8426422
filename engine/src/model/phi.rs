//! Phi 3: one matrix for queries, keys and values, one for gate and up.

use super::ModelError;
use super::build::{Attention, Build};
use super::rope::frequencies;
use crate::graph::{Activate, Pairing, Rope, RopeId, TensorId};

pub(super) fn build_3(b: &mut Build<'_, '_>) -> Result<(), ModelError> {
    let c = b.config;
    let rope = rope(b)?;
    let window = b
        .keys
        .number("attention.sliding_window")?
        .filter(|&window| window >= 1.0)
        .map(|window| window as usize);
    let query_scale = 1.0 / (c.key_width as f32).sqrt();
    let attention = Attention {
        rope,
        window: window.filter(|&window| window < c.context),
        query_scale,
        score_scale: 1.0,
        soft_cap: None,
    };
    let (mut x, embedding) = b.embed(1.0)?;
    for i in 0..c.layers {
        x = layer(b, i, x, &attention)?;
    }
    b.head(x, embedding, None)
}

/// Long-context files carry two sets of factors, for contexts within the original one and beyond.
///
/// The file's context decides, so that a prompt's length does not change its numbers. Sines and
/// cosines grow with the ratio `s` of the contexts, by `√(1 + ln s / ln original)`, or as the file says.
fn rope(b: &mut Build<'_, '_>) -> Result<RopeId, ModelError> {
    let c = b.config;
    if !b.weights.has("rope_factors_long.weight") {
        return Ok(b.rope(c.rope_base, c.rope_linear, None, Pairing::Halves));
    }
    let long = b
        .weights
        .numbers("rope_factors_long.weight", c.rotated / 2)?;
    let short = b
        .weights
        .numbers("rope_factors_short.weight", c.rotated / 2)?;
    let original = b.keys.needed("rope.scaling.original_context_length")?;
    let factors = if c.context > original { long } else { short };
    let ratio = c.context as f64 / original as f64;
    let computed = if ratio > 1.0 {
        (1.0 + libm::log(ratio) / libm::log(original as f64)).sqrt()
    } else {
        1.0
    };
    let magnitude = b
        .keys
        .number("rope.scaling.attn_factor")?
        .map_or(computed, f64::from);
    Ok(b.add_rope(Rope {
        frequencies: frequencies(c.rotated, c.rope_base, 1.0, Some(&factors)),
        magnitude,
        pairing: Pairing::Halves,
    }))
}

fn layer(
    b: &mut Build<'_, '_>,
    i: usize,
    x: TensorId,
    attention: &Attention,
) -> Result<TensorId, ModelError> {
    let c = b.config;
    let normed = b.norm(
        x,
        &format!("blk.{i}.attn_norm"),
        1,
        format!("blk.{i}.attn_norm"),
    )?;
    let [q, k, v] = [
        c.heads * c.key_width,
        c.kv_heads * c.key_width,
        c.kv_heads * c.value_width,
    ];
    let fused = b.matrix(&format!("blk.{i}.attn_qkv"), c.width, q + k + v)?;
    let projections = [
        b.rows_of(normed, fused, 0, q, format!("blk.{i}.attn_q")),
        b.rows_of(normed, fused, q, k, format!("blk.{i}.attn_k")),
        b.rows_of(normed, fused, q + k, v, format!("blk.{i}.attn_v")),
    ];
    let heads = b.attend(i, projections, false, attention)?;
    let attended = b.attention_output(i, heads)?;
    let residual = b.add(attended, x, format!("blk.{i}.attn_residual"));
    let normed = b.norm(
        residual,
        &format!("blk.{i}.ffn_norm"),
        1,
        format!("blk.{i}.ffn_norm"),
    )?;
    let fused = b.matrix(&format!("blk.{i}.ffn_up"), c.width, 2 * c.feed_forward)?;
    let gate = b.rows_of(
        normed,
        fused,
        0,
        c.feed_forward,
        format!("blk.{i}.ffn_gate"),
    );
    let up = b.rows_of(
        normed,
        fused,
        c.feed_forward,
        c.feed_forward,
        format!("blk.{i}.ffn_up"),
    );
    let fed = b.gated(i, gate, up, Activate::Silu)?;
    Ok(b.add(fed, residual, format!("blk.{i}.out")))
}

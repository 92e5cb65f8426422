//! Gemma 2 and 3: scaled embeddings, a norm before and after each half, sliding and global layers.

use super::ModelError;
use super::build::{Attention, Build};
use crate::graph::{Activate, Pairing, TensorId};

/// What the two generations do differently.
struct Generation {
    /// Of so many layers the last is global.
    pattern: usize,
    /// Whether queries and keys are normalised per head.
    norms: bool,
    /// Layers of the model whose query scale is its own.
    special: usize,
}

pub(super) fn build_2(b: &mut Build<'_, '_>) -> Result<(), ModelError> {
    build(
        b,
        &Generation {
            pattern: 2,
            norms: false,
            special: 46,
        },
    )
}

pub(super) fn build_3(b: &mut Build<'_, '_>) -> Result<(), ModelError> {
    let pattern = b
        .keys
        .count("attention.sliding_window_pattern")?
        .unwrap_or(6);
    build(
        b,
        &Generation {
            pattern,
            norms: true,
            special: 62,
        },
    )
}

fn build(b: &mut Build<'_, '_>, generation: &Generation) -> Result<(), ModelError> {
    let c = b.config;
    let window = b.keys.needed("attention.sliding_window")?;
    let local_base = if generation.norms {
        f64::from(b.keys.number("rope.freq_base_swa")?.unwrap_or(10_000.0))
    } else {
        c.rope_base
    };
    let global = b.rope(c.rope_base, c.rope_linear, None, Pairing::Halves);
    // Linear scaling is for the global layers of the third generation alone.
    let linear = if generation.norms { 1.0 } else { c.rope_linear };
    let local = b.rope(local_base, linear, None, Pairing::Halves);
    // The 27B models scale by the width per head, which is not a key's.
    let scaled_by = if c.layers == generation.special {
        c.width / c.heads
    } else {
        c.key_width
    };
    let query_scale = b
        .keys
        .number("attention.scale")?
        .unwrap_or(1.0 / (scaled_by as f32).sqrt());
    let soft_cap = b
        .keys
        .number("attn_logit_softcapping")?
        .filter(|&cap| cap > 0.0);
    let (mut x, embedding) = b.embed((c.width as f32).sqrt())?;
    for i in 0..c.layers {
        let sliding = i % generation.pattern < generation.pattern - 1;
        let (rope, window) = if sliding {
            (local, Some(window))
        } else {
            (global, None)
        };
        let attention = Attention {
            rope,
            window,
            query_scale,
            score_scale: 1.0,
            soft_cap,
        };
        x = layer(b, i, x, generation.norms, &attention)?;
    }
    let soft_cap = b
        .keys
        .number("final_logit_softcapping")?
        .filter(|&cap| cap > 0.0);
    b.head(x, embedding, soft_cap)
}

fn layer(
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
    let attended = b.norm(
        attended,
        &format!("blk.{i}.post_attention_norm"),
        1,
        format!("blk.{i}.attn_post_norm"),
    )?;
    let residual = b.add(attended, x, format!("blk.{i}.attn_residual"));
    let normed = b.norm(
        residual,
        &format!("blk.{i}.ffn_norm"),
        1,
        format!("blk.{i}.ffn_norm"),
    )?;
    let fed = b.feed_forward(i, normed, Activate::GeluTanh)?;
    let fed = b.norm(
        fed,
        &format!("blk.{i}.post_ffw_norm"),
        1,
        format!("blk.{i}.ffn_post_norm"),
    )?;
    Ok(b.add(fed, residual, format!("blk.{i}.out")))
}

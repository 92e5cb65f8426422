//! Gemma 2 and 3: scaled embeddings, a norm before and after each half, sliding and global layers.

use super::ModelError;
use super::build::{Attention, Build};
use super::keys::Keys;
use super::rope::{RopeConfig, Scaling};
use crate::gguf::Value;
use crate::graph::{Activate, Pairing, TensorId};

/// What the two generations do differently.
struct Generation {
    /// Whether queries and keys are normalised per head.
    norms: bool,
    /// Layers of the model whose query scale is its own.
    special: usize,
    /// Of so many layers the last is global, unless the file says otherwise.
    period: usize,
    /// Positions that a sliding layer sees, unless the file says otherwise.
    window: Option<usize>,
    /// How heads of sliding layers are turned.
    local: RopeConfig,
    /// Bounds the scores.
    score_cap: Option<f32>,
    /// Bounds the logits.
    logit_cap: Option<f32>,
}

/// Old files lack the window and the caps; llama.cpp's defaults for them are the published models' values.
pub(super) fn build_2(b: &mut Build<'_, '_>) -> Result<(), ModelError> {
    let (keys, rope) = (b.keys, &b.config.rope);
    let generation = Generation {
        norms: false,
        special: 46,
        period: 2,
        window: Some(4096),
        local: RopeConfig {
            base: keys.positive("rope.freq_base_swa")?.unwrap_or(rope.base),
            ..rope.clone()
        },
        score_cap: keys.positive("attn_logit_softcapping")?.or(Some(50.0)),
        logit_cap: keys.positive("final_logit_softcapping")?.or(Some(30.0)),
    };
    build(b, &generation)
}

/// Scaling is for the global layers alone.
pub(super) fn build_3(b: &mut Build<'_, '_>) -> Result<(), ModelError> {
    let (keys, rope) = (b.keys, &b.config.rope);
    let generation = Generation {
        norms: true,
        special: 62,
        period: 6,
        window: None,
        local: RopeConfig {
            base: keys.positive("rope.freq_base_swa")?.unwrap_or(10_000.0),
            scaling: Scaling::None,
            ..rope.clone()
        },
        score_cap: keys.positive_or_zero("attn_logit_softcapping")?,
        logit_cap: keys.positive_or_zero("final_logit_softcapping")?,
    };
    build(b, &generation)
}

fn build(b: &mut Build<'_, '_>, generation: &Generation) -> Result<(), ModelError> {
    let c = b.config;
    let window = b
        .keys
        .count_or_zero("attention.sliding_window")?
        .or(generation.window)
        .filter(|&window| window > 0);
    let slides = Slides::read(&b.keys, c.layers, generation.period)?;
    let global = b.rope(&c.rope, Pairing::Halves, None);
    let local = b.rope(&generation.local, Pairing::Halves, None);
    // The 27B models scale by the width per head, which is not a key's.
    let scaled_by = if c.layers == generation.special {
        c.width / c.heads
    } else {
        c.key_width
    };
    let query_scale = b
        .keys
        .positive("attention.scale")?
        .map_or(1.0 / (scaled_by as f64).sqrt(), f64::from);
    let (mut x, embedding) = b.embed((c.width as f64).sqrt())?;
    for i in 0..c.layers {
        let window = window.filter(|_| slides.layer(i));
        let attention = Attention {
            rope: if window.is_some() { local } else { global },
            window,
            query_scale,
            score_scale: 1.0,
            soft_cap: generation.score_cap,
        };
        x = layer(b, i, x, generation.norms, &attention)?;
    }
    b.head(x, embedding, generation.logit_cap)
}

/// Which layers see a window alone.
enum Slides {
    /// Of so many layers all but the last.
    AllButEvery(usize),
    /// Every layer for itself.
    Listed(Vec<bool>),
}

impl Slides {
    /// `{a}.attention.sliding_window_pattern`: a number, 0 for all layers, or a truth value for each layer.
    fn read(keys: &Keys<'_, '_>, layers: usize, period: usize) -> Result<Self, ModelError> {
        let key = "attention.sliding_window_pattern";
        let Some(Value::Array(array)) = keys.gguf.get(&keys.name(key)) else {
            let period = keys.count_or_zero(key)?.unwrap_or(period);
            return Ok(Self::AllButEvery(if period == 0 {
                usize::MAX
            } else {
                period
            }));
        };
        let slides: Option<Vec<bool>> = array
            .values()
            .map(|value| match value {
                Value::Bool(slides) => Some(slides),
                _ => None,
            })
            .collect();
        match slides {
            Some(slides) if slides.len() == layers => Ok(Self::Listed(slides)),
            _ => Err(keys.impossible(
                key,
                format!("an array of {}", array.len()),
                "it must be a number or a truth value for each layer",
            )),
        }
    }

    fn layer(&self, i: usize) -> bool {
        match self {
            Self::AllButEvery(period) => i % period < period - 1,
            Self::Listed(slides) => slides[i],
        }
    }
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

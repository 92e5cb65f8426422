//! Qwen 2 (biases on the projections) and Qwen 3 (norms on queries and keys).

use super::ModelError;
use super::build::{Attention, Build};
use super::llama::layer;
use crate::graph::Pairing;

pub(super) fn build_2(b: &mut Build<'_, '_>) -> Result<(), ModelError> {
    build(b, false)
}

pub(super) fn build_3(b: &mut Build<'_, '_>) -> Result<(), ModelError> {
    build(b, true)
}

fn build(b: &mut Build<'_, '_>, norms: bool) -> Result<(), ModelError> {
    let c = b.config;
    let rope = b.rope(&c.rope, Pairing::Halves, None);
    let score_scale = 1.0 / (c.key_width as f64).sqrt();
    let attention = Attention {
        rope,
        window: None,
        query_scale: 1.0,
        score_scale,
        soft_cap: None,
    };
    let (mut x, embedding) = b.embed(1.0)?;
    for i in 0..c.layers {
        x = layer(b, i, x, norms, &attention)?;
    }
    b.head(x, embedding, None)
}

//! What wrong variants are made of.

use crate::reference::{Rows, Site, rows};
use fidelis_engine::graph::{Op, Rope, TensorId};
use fidelis_engine::tensor::Tensor as Weight;

/// A product's input, weight and first row.
pub(super) struct Product<'s, 'a> {
    pub(super) input: TensorId,
    pub(super) weight: &'s Weight<'a>,
    pub(super) first: usize,
}

pub(super) fn product<'s, 'a>(site: &Site<'s, 'a>) -> Option<Product<'s, 'a>> {
    match site.op() {
        Op::MatMul {
            input,
            weight,
            first,
            ..
        } => Some(Product {
            input: *input,
            weight: site.weight(*weight),
            first: *first,
        }),
        _ => None,
    }
}

/// The same for checkpoints of these roles.
pub(super) fn product_of<'s, 'a>(site: &Site<'s, 'a>, roles: &[&str]) -> Option<Product<'s, 'a>> {
    roles.contains(&site.node.role()).then(|| product(site))?
}

/// A norm's input, weight, epsilon and parts.
pub(super) struct Normed<'s> {
    pub(super) input: Rows<'s>,
    pub(super) weight: Vec<f64>,
    pub(super) epsilon: f64,
    pub(super) heads: usize,
}

pub(super) fn normed<'s>(site: &Site<'s, '_>) -> Option<Normed<'s>> {
    match site.op() {
        Op::Norm {
            input,
            weight,
            epsilon,
            heads,
            ..
        } => Some(Normed {
            input: site.input(*input)?,
            weight: rows::decoded(site.weight(*weight), 0),
            epsilon: (*epsilon).into(),
            heads: *heads,
        }),
        _ => None,
    }
}

/// A turn's input, heads and angles.
pub(super) struct Turned<'s> {
    pub(super) input: Rows<'s>,
    pub(super) heads: usize,
    pub(super) rope: &'s Rope,
}

pub(super) fn turned<'s>(site: &Site<'s, '_>) -> Option<Turned<'s>> {
    match site.op() {
        Op::Rope {
            input, heads, rope, ..
        } => Some(Turned {
            input: site.input(*input)?,
            heads: *heads,
            rope: &site.reference.graph.ropes[rope.0 as usize],
        }),
        _ => None,
    }
}

/// Of several variants the one nearest to what was found; the first if nothing was.
pub(super) fn fitted(site: &Site<'_, '_>, variants: Vec<Vec<f64>>) -> Option<Vec<f64>> {
    let Some(found) = site.found else {
        return variants.into_iter().next();
    };
    let distance = |values: &[f64]| -> f64 {
        let known = values.iter().zip(found).filter(|(_, b)| !b.is_nan());
        known.map(|(a, b)| (a - b) * (a - b)).sum()
    };
    (variants.into_iter()).min_by(|a, b| distance(a).total_cmp(&distance(b)))
}

/// A row read head-minor: element `[d][h]` where it should be `[h][d]`.
pub(super) fn head_minor(row: &[f64], heads: usize) -> Vec<f64> {
    let width = row.len() / heads;
    (0..row.len())
        .map(|i| row[i % width * heads + i / width])
        .collect()
}

/// The largest magnitude.
pub(super) fn largest(values: &[f64]) -> f64 {
    values.iter().fold(0.0, |most, x| most.max(x.abs()))
}

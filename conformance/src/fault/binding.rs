//! Which weight a product uses, and how its elements are addressed.

use super::parts::{product, product_of};
use super::{Family, Fault};
use crate::reference::rows::{decoded, product as multiplied};
use crate::reference::{Site, Wrong};
use fidelis_engine::graph::Op;
use fidelis_engine::tensor::Tensor as Weight;

const fn fault(
    name: &'static str,
    shows: &'static [&'static str],
    says: &'static str,
    fix: &'static str,
    wrong: Wrong,
) -> Fault {
    Fault {
        name,
        family: Family::Binding,
        shows,
        says,
        fix,
        wrong,
    }
}

const Q: &[&str] = &["*attn_q"];
const K: &[&str] = &["*attn_k"];
const LINEAR: &[&str] = &[
    "attn_q",
    "attn_k",
    "attn_v",
    "attn_output",
    "ffn_gate",
    "ffn_up",
    "ffn_down",
];

pub(super) const FAULTS: &[Fault] = &[
    fault(
        "embd-column-major",
        &["token_embd"],
        "the embedding is read column by column: element [d] of token v at d · vocabulary + v",
        "GGUF rows are contiguous: token v begins at v · width",
        |site| {
            let Op::Embed { table, scale, .. } = site.op() else {
                return None;
            };
            let table = site.weight(*table);
            let (flat, rows) = (flat(table), table.shape.rows());
            site.each(|token| {
                let id = site.tokens[token] as usize;
                (0..site.node.width)
                    .map(|d| flat[d * rows + id] * scale)
                    .collect()
            })
        },
    ),
    fault(
        "gguf-dims-as-rowmajor",
        Q,
        "the weights of all linear layers are read column by column: GGUF's [in, out] was taken as row-major [in][out]",
        "a GGUF matrix [K, N] is N rows of K contiguous values: y[j] = Σ W[j·K + i] x[i]",
        |site| transposed(site, |_| LINEAR.contains(&site.node.role())),
    ),
    fault(
        "gguf-dims-kv-only",
        K,
        "the key and value weights alone are read column by column",
        "a GGUF matrix [K, N] is N rows of K contiguous values, for every tensor",
        |site| transposed(site, |_| ["attn_k", "attn_v"].contains(&site.node.role())),
    ),
    fault(
        "square-weights-transposed",
        &["*attn_q", "*attn_k", "*attn_output"],
        "square weights are transposed; others are right",
        "transpose none: shapes that happen to fit hide this",
        |site| transposed(site, |w| w.shape.width() == w.shape.rows()),
    ),
    fault(
        "ffn-down-transposed",
        &["*ffn_down"],
        "ffn_down alone is read column by column",
        "a GGUF matrix [K, N] is N rows of K contiguous values",
        |site| transposed(site, |_| site.node.role() == "ffn_down"),
    ),
    fault(
        "attn-output-transposed",
        &["*attn_output"],
        "attn_output alone is read column by column",
        "a GGUF matrix [K, N] is N rows of K contiguous values",
        |site| transposed(site, |_| site.node.role() == "attn_output"),
    ),
    fault(
        "qk-permutation-missing",
        Q,
        "the rows of queries and keys are in Hugging Face's order, not in the converted file's",
        "with unpermuted weights rotate halves (NEOX); with a GGUF llama file rotate neighbours (NORM)",
        |site| {
            let p = product_of(site, &["attn_q", "attn_k"])?;
            let width = head_width(site)?;
            permuted(site, p.first, move |row| unconverted(row, width))
        },
    ),
    fault(
        "qk-permutation-twice",
        Q,
        "the rows of queries and keys are permuted again, which the converter has done",
        "use a GGUF file's rows as they are",
        |site| {
            let p = product_of(site, &["attn_q", "attn_k"])?;
            let width = head_width(site)?;
            permuted(site, p.first, move |row| converted(row, width))
        },
    ),
    fault(
        "k-permuted-with-query-heads",
        K,
        "the rows of keys were permuted with the number of query heads",
        "permute keys with the number of key heads",
        |site| {
            let p = product_of(site, &["attn_k"])?;
            let (width, heads) = (head_width(site)?, query_heads(site)?);
            let wrong = site.node.width / heads;
            (wrong >= 2 && wrong % 2 == 0 && wrong != width).then_some(())?;
            permuted(site, p.first, move |row| {
                unconverted(converted(row, wrong), width)
            })
        },
    ),
    fault(
        "kv-swapped",
        K,
        "keys have the values' weights, and values the keys'",
        "check the order in which tensors are bound (and the slices of a fused one)",
        |site| {
            let other = match site.node.role() {
                "attn_k" => "attn_v",
                "attn_v" => "attn_k",
                _ => return None,
            };
            with_weight_of(site, other)
        },
    ),
    fault(
        "qk-swapped",
        Q,
        "queries have the keys' weights, and keys the queries'",
        "check the order in which tensors are bound",
        |site| {
            let other = match site.node.role() {
                "attn_q" => "attn_k",
                "attn_k" => "attn_q",
                _ => return None,
            };
            with_weight_of(site, other)
        },
    ),
    fault(
        "gate-up-weights-swapped",
        &["*ffn_gate"],
        "gate has up's weights, and up gate's",
        "check the order in which tensors are bound (and the halves of a fused one)",
        |site| {
            let other = match site.node.role() {
                "ffn_gate" => "ffn_up",
                "ffn_up" => "ffn_gate",
                _ => return None,
            };
            with_weight_of(site, other)
        },
    ),
    fault(
        "weights-of-first-layer",
        Q,
        "every layer has the first layer's weights",
        "index tensors by the layer",
        |site| other_layer(site, |layer| (layer > 0).then_some(0)),
    ),
    fault(
        "weights-of-next-layer",
        Q,
        "layers have the weights of the layer after them",
        "count layers from 0",
        |site| {
            let layers = site.reference.graph.caches.len();
            other_layer(site, |layer| (layers > 1).then_some((layer + 1) % layers))
        },
    ),
    fault(
        "bias-missing",
        &["*.bias"],
        "the bias is not added",
        "add attn_q.bias, attn_k.bias and attn_v.bias where the file has them",
        |site| biased(site, 0.0),
    ),
    fault(
        "bias-twice",
        &["*.bias"],
        "the bias is added twice",
        "add it once: in the product or after it",
        |site| biased(site, 2.0),
    ),
    fault(
        "columns-shifted",
        Q,
        "the weights of all linear layers begin one value late",
        "check the offset of each tensor's data: tensors are aligned to general.alignment",
        |site| {
            let p = product_of(site, LINEAR)?;
            let flat = flat(p.weight);
            let width = p.weight.shape.width();
            multiplied(site, p.input, |j| {
                let start = (p.first + j) * width + 1;
                (0..width).map(|k| flat[(start + k) % flat.len()]).collect()
            })
        },
    ),
    fault(
        "last-rows-zero",
        &["*attn_q", "*ffn_gate"],
        "the last rows of products are zero: work groups do not cover them",
        "round the number of work groups up, and test with odd sizes",
        |site| {
            product(site)?;
            let (right, width) = (site.right()?, site.node.width);
            let start = match site.found {
                None => width - width.div_ceil(5),
                Some(found) => {
                    let rows = || found.chunks(width);
                    let end =
                        |row: &[f64]| row.iter().rposition(|x| *x != 0.0).map_or(0, |at| at + 1);
                    rows()
                        .map(end)
                        .max()
                        .filter(|&end| end > 0 && end < width)?
                }
            };
            let zeroed = right.iter().enumerate();
            Some(
                zeroed
                    .map(|(i, x)| if i % width < start { *x } else { 0.0 })
                    .collect(),
            )
        },
    ),
];

/// All values of a weight, row after row.
pub(super) fn flat(weight: &Weight<'_>) -> Vec<f64> {
    (0..weight.shape.rows())
        .flat_map(|row| decoded(weight, row))
        .collect()
}

/// The matrix read column by column, where `at` says so.
fn transposed(site: &Site<'_, '_>, at: impl Fn(&Weight<'_>) -> bool) -> Option<Vec<f64>> {
    let p = product(site)?;
    (at(p.weight) && LINEAR.contains(&site.node.role())).then_some(())?;
    let (flat, rows) = (flat(p.weight), p.weight.shape.rows());
    multiplied(site, p.input, |j| {
        (0..p.weight.shape.width())
            .map(|k| flat[k * rows + p.first + j])
            .collect()
    })
}

/// The width of a head of keys.
fn head_width(site: &Site<'_, '_>) -> Option<usize> {
    let width = site
        .reference
        .graph
        .caches
        .get(site.node.layer()?)?
        .key_width;
    (width % 2 == 0).then_some(width)
}

fn query_heads(site: &Site<'_, '_>) -> Option<usize> {
    let name = format!("blk.{}.attn_heads", site.node.layer()?);
    match &site.reference.graph.ops[site.reference.node(&name)?.op] {
        Op::Attend(attend) => Some(attend.heads),
        _ => None,
    }
}

/// Of a row in the converter's order (pairs are neighbours) the row in the original's (pairs are halves) that has its place.
fn unconverted(row: usize, width: usize) -> usize {
    let (head, at) = (row / width * width, row % width);
    // Place `at` of the original is pair `at mod half`, element `at / half`.
    head + at % (width / 2) * 2 + at / (width / 2)
}

/// The inverse: what stands at a place if rows are converted once more.
fn converted(row: usize, width: usize) -> usize {
    let (head, at) = (row / width * width, row % width);
    head + at % 2 * (width / 2) + at / 2
}

fn permuted(site: &Site<'_, '_>, first: usize, row: impl Fn(usize) -> usize) -> Option<Vec<f64>> {
    let p = product(site)?;
    multiplied(site, p.input, |j| decoded(p.weight, first + row(j)))
}

/// With the weight of another product of the layer.
fn with_weight_of(site: &Site<'_, '_>, role: &str) -> Option<Vec<f64>> {
    let own = product(site)?;
    let name = format!("blk.{}.{role}", site.node.layer()?);
    let other = site.reference.node(&name)?;
    (other.width == site.node.width).then_some(())?;
    let Op::MatMul { weight, first, .. } = &site.reference.graph.ops[other.op] else {
        return None;
    };
    let weight = site.weight(*weight);
    (weight.shape.width() == own.weight.shape.width()).then_some(())?;
    multiplied(site, own.input, |j| decoded(weight, first + j))
}

/// With the weight of another layer.
fn other_layer(site: &Site<'_, '_>, other: impl Fn(usize) -> Option<usize>) -> Option<Vec<f64>> {
    let own = product_of(site, LINEAR)?;
    let layer = other(site.node.layer()?)?;
    let rest = own.weight.name.strip_prefix("blk.")?.split_once('.')?.1;
    let weight = site.weight_named(&format!("blk.{layer}.{rest}"))?;
    (weight.shape == own.weight.shape).then_some(())?;
    multiplied(site, own.input, |j| decoded(weight, own.first + j))
}

fn biased(site: &Site<'_, '_>, times: f64) -> Option<Vec<f64>> {
    let Op::Bias { input, bias, .. } = site.op() else {
        return None;
    };
    let (x, bias) = (site.input(*input)?, decoded(site.weight(*bias), 0));
    site.each(|token| {
        let pairs = x.row(token).iter().zip(&bias);
        pairs.map(|(x, b)| x + times * b).collect()
    })
}

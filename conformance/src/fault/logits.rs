//! The head: which weight, which rows, and what is done to the result.

use super::parts::{fitted, product};
use super::{Family, Fault};
use crate::reference::rows::{capped, decoded, product as multiplied};
use crate::reference::{Site, Wrong};
use fidelis_engine::graph::Op;

const fn fault(name: &'static str, says: &'static str, fix: &'static str, wrong: Wrong) -> Fault {
    Fault {
        name,
        family: Family::Logits,
        shows: &["logits", "logits.raw"],
        says,
        fix,
        wrong,
    }
}

pub(super) const FAULTS: &[Fault] = &[
    fault(
        "lm-head-column-major",
        "the head is read column by column: element [h][v] at h · vocabulary + v",
        "GGUF rows are contiguous: token v's weights begin at v · width",
        |site| {
            let (input, weight) = head(site)?;
            let flat = super::binding::flat(weight);
            let rows = site.node.width;
            multiplied(site, input, |j| {
                (0..weight.shape.width())
                    .map(|k| flat[k * rows + j])
                    .collect()
            })
        },
    ),
    fault(
        "lm-head-uses-embd",
        "the embedding is used as head, though the file has output.weight",
        "use output.weight where there is one",
        |site| {
            let (input, weight) = head(site)?;
            let embedding = site.weight_named("token_embd.weight")?;
            (weight.name != embedding.name).then_some(())?;
            multiplied(site, input, |j| decoded(embedding, j))
        },
    ),
    fault(
        "lm-head-next-row",
        "each logit is that of the id after its own",
        "row v is token v, counted from 0",
        |site| {
            let (input, weight) = head(site)?;
            multiplied(site, input, |j| decoded(weight, (j + 1) % site.node.width))
        },
    ),
    fault(
        "lm-head-unnormed",
        "the head reads the last layer's output, not output_norm's",
        "apply the last norm, and pass its result on",
        |site| {
            let (_, weight) = head(site)?;
            let last = site.reference.graph.caches.len().checked_sub(1)?;
            let name = format!("blk.{last}.out");
            let id = (site.reference.graph.activations.iter()).position(|a| a.name == name)?;
            let id = fidelis_engine::graph::TensorId(id as u32);
            multiplied(site, id, |j| decoded(weight, j))
        },
    ),
    fault(
        "final-softcap-spurious",
        "the logits are capped (as in Gemma 2); this architecture does not cap them",
        "cap only where `final_logit_softcapping` says so",
        |site| {
            head(site)?;
            (site.node.name == "logits").then_some(())?;
            let right = site.right()?;
            let cap = |cap: f64| right.iter().map(|&x| capped(x, cap)).collect();
            fitted(site, vec![cap(30.0), cap(50.0)])
        },
    ),
    fault(
        "final-softcap-missing",
        "the logits are not capped",
        "cap · tanh(logit / cap)",
        |site| match site.op() {
            Op::SoftCap { input, .. } => {
                let x = site.input(*input)?;
                site.each(|token| x.row(token).to_vec())
            }
            _ => None,
        },
    ),
    fault(
        "logits-row-before",
        "each token has the logits of the token before it",
        "logits of row i say what follows token i",
        |site| row(site, |token| token.saturating_sub(1)),
    ),
    fault(
        "logits-first-row",
        "every token has the logits of the first",
        "take the row of the token itself (of a prompt its last)",
        |site| row(site, |_| 0),
    ),
];

fn head<'s, 'a>(
    site: &Site<'s, 'a>,
) -> Option<(
    fidelis_engine::graph::TensorId,
    &'s fidelis_engine::tensor::Tensor<'a>,
)> {
    matches!(site.node.role(), "logits" | "logits.raw").then_some(())?;
    let product = product(site)?;
    Some((product.input, product.weight))
}

/// With another token's row.
fn row(site: &Site<'_, '_>, other: impl Fn(usize) -> usize) -> Option<Vec<f64>> {
    head(site)?;
    (site.rows.start == 0 && site.rows.len() > 1).then_some(())?;
    let (right, width) = (site.right()?, site.node.width);
    site.each(|token| right[other(token) * width..][..width].to_vec())
}

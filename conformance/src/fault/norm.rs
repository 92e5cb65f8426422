//! Norms: their weights, their epsilon, what they extend over, and whether they are there at all.

use super::parts::{Normed, fitted, head_minor, normed, turned};
use super::{Family, Fault};
use crate::reference::Site;
use crate::reference::rows::{decoded, norm, turn};

const ALL: &[&str] = &["*attn_norm", "*norm"];
const HEADS: &[&str] = &["*attn_q.norm", "*attn_k.norm"];

const fn fault(
    name: &'static str,
    shows: &'static [&'static str],
    says: &'static str,
    fix: &'static str,
    wrong: crate::reference::Wrong,
) -> Fault {
    Fault {
        name,
        family: Family::Norm,
        shows,
        says,
        fix,
        wrong,
    }
}

pub(super) const FAULTS: &[Fault] = &[
    fault(
        "norm-plus1-twice",
        ALL,
        "1 is added to the norm weights, which need no addition",
        "use the weights of a GGUF file as they are: where an architecture adds 1 (Gemma), the converter has done it",
        |site| with_weight(site, |w| w + 1.0),
    ),
    fault(
        "norm-plus1-missing",
        ALL,
        "the norm weights lack the 1 that this architecture adds",
        "add 1 to raw (Hugging Face) Gemma weights, or read the GGUF file's, which have it",
        |site| with_weight(site, |w| w - 1.0),
    ),
    fault(
        "qk-norm-plus1-twice",
        HEADS,
        "1 is added to the weights of the query and key norms alone, which need no addition",
        "use q_norm and k_norm of a GGUF file as they are",
        |site| heads_only(site).then(|| with_weight(site, |w| w + 1.0))?,
    ),
    fault(
        "qk-norm-plus1-missing",
        HEADS,
        "the weights of the query and key norms lack the 1 that this architecture adds; its other norms have it",
        "q_norm and k_norm are Gemma norms like every other: add 1 to raw weights",
        |site| heads_only(site).then(|| with_weight(site, |w| w - 1.0))?,
    ),
    fault(
        "norm-weight-ignored",
        ALL,
        "the norm's weight is not applied",
        "multiply the normalised row by the weight",
        |site| with_weight(site, |_| 1.0),
    ),
    fault(
        "norm-weight-twice",
        ALL,
        "the norm's weight is applied twice",
        "multiply once: in the norm or after it",
        |site| with_weight(site, |w| w * w),
    ),
    fault(
        "layernorm-for-rmsnorm",
        ALL,
        "the mean is subtracted (LayerNorm) where this architecture divides by the root mean square alone",
        "leave the mean in",
        |site| {
            let n = whole(site)?;
            site.each(|token| {
                let x = n.input.row(token);
                let mean = x.iter().sum::<f64>() / x.len() as f64;
                let centred: Vec<f64> = x.iter().map(|x| x - mean).collect();
                norm(&centred, &n.weight, n.epsilon, 1)
            })
        },
    ),
    fault(
        "rms-eps-wrong",
        ALL,
        "the norm's epsilon is not the file's",
        "read `attention.layer_norm_rms_epsilon`",
        |site| {
            let n = normed(site)?;
            let usual = [1e-5, 1e-6, 1e-8, 1e-12, 0.0, 1e-4];
            let others = usual
                .into_iter()
                .filter(|e| (e - n.epsilon).abs() > 1e-3 * n.epsilon);
            let variants = (others.chain(fitted_epsilon(site, &n)))
                .filter_map(|e| site.each(|token| norm(n.input.row(token), &n.weight, e, n.heads)));
            fitted(site, variants.collect())
        },
    ),
    fault(
        "rms-eps-outside",
        ALL,
        "epsilon is added after the root, not to the mean square",
        "x / √(mean x² + epsilon)",
        |site| {
            let n = whole(site)?;
            site.each(|token| {
                let x = n.input.row(token);
                let mean = x.iter().map(|x| x * x).sum::<f64>() / x.len() as f64;
                let root = libm::sqrt(mean) + n.epsilon;
                x.iter().zip(&n.weight).map(|(x, w)| x / root * w).collect()
            })
        },
    ),
    fault(
        "rms-no-mean",
        ALL,
        "the squares are added but not divided by their number",
        "divide the sum of squares by the row's width",
        |site| {
            let n = normed(site)?;
            site.each(|token| {
                let x = n.input.row(token);
                let width = x.len() / n.heads;
                // √(Σx² + e) = √width · √(mean + e / width).
                let root = libm::sqrt(width as f64);
                let scaled = norm(x, &n.weight, n.epsilon / width as f64, n.heads);
                scaled.iter().map(|y| y / root).collect()
            })
        },
    ),
    fault(
        "rms-whole-buffer",
        ALL,
        "the mean square is taken over all tokens, not over each token's row",
        "one mean square per row",
        |site| {
            let n = whole(site)?;
            if site.rows.len() < 2 {
                return None;
            }
            let all = || site.rows.clone().flat_map(|token| n.input.row(token));
            let mean = all().map(|x| x * x).sum::<f64>() / all().count() as f64;
            let root = libm::sqrt(mean + n.epsilon);
            site.each(|token| {
                let pairs = n.input.row(token).iter().zip(&n.weight);
                pairs.map(|(x, w)| x / root * w).collect()
            })
        },
    ),
    fault(
        "qk-norm-full-row",
        HEADS,
        "queries or keys are normalised over all heads together, not head by head",
        "one mean square per head",
        |site| {
            let n = normed(site)?;
            (n.heads > 1).then_some(())?;
            let weight = n.weight.repeat(n.heads);
            site.each(|token| norm(n.input.row(token), &weight, n.epsilon, 1))
        },
    ),
    fault(
        "qk-norm-skipped",
        HEADS,
        "queries and keys are not normalised",
        "apply attn_q_norm and attn_k_norm before the rotation",
        |site| {
            heads_only(site).then_some(())?;
            let n = normed(site)?;
            site.each(|token| n.input.row(token).to_vec())
        },
    ),
    fault(
        "qk-norm-after-rope",
        HEADS,
        "queries and keys are normalised after the rotation, not before it",
        "norm, then rotate",
        |site| {
            if heads_only(site) {
                let n = normed(site)?;
                return site.each(|token| n.input.row(token).to_vec());
            }
            let part = site.node.role().strip_suffix(".rope")?;
            let t = turned(site)?;
            let name = format!("blk.{}.{part}_norm.weight", site.node.layer()?);
            let weight = decoded(site.weight_named(&name)?, 0);
            let epsilon = epsilon(site)?;
            site.each(|token| {
                let turned = turn(t.input.row(token), t.heads, t.rope, token as f64);
                norm(&turned, &weight, epsilon, t.heads)
            })
        },
    ),
    fault(
        "qk-norm-head-split",
        HEADS,
        "rows are split head-minor ([element][head]) before the query and key norms",
        "a row is head after head",
        |site| {
            heads_only(site).then_some(())?;
            let n = normed(site)?;
            (n.heads > 1).then_some(())?;
            site.each(|token| {
                let row = head_minor(n.input.row(token), n.heads);
                norm(&row, &n.weight, n.epsilon, n.heads)
            })
        },
    ),
    fault(
        "post-attn-norm-missing",
        &["*attn_post_norm"],
        "the norm after attention is not applied",
        "apply post_attention_norm to the attention output before the residual",
        |site| copied(site, "attn_post_norm"),
    ),
    fault(
        "post-ffn-norm-missing",
        &["*ffn_post_norm"],
        "the norm after the feed-forward block is not applied",
        "apply post_ffw_norm to its output before the residual",
        |site| copied(site, "ffn_post_norm"),
    ),
    fault(
        "post-norm-after-residual",
        &["*attn_post_norm"],
        "the norm after attention is applied to the sum with the residual",
        "norm the attention output, then add the residual",
        |site| match site.node.role() {
            "attn_post_norm" => copied(site, "attn_post_norm"),
            "attn_residual" => {
                let (a, x) = (site.beside("attn_post_norm")?, site.layer_input()?);
                let name = format!("blk.{}.post_attention_norm.weight", site.node.layer()?);
                let weight = decoded(site.weight_named(&name)?, 0);
                let epsilon = epsilon(site)?;
                site.each(|token| {
                    let pairs = a.row(token).iter().zip(x.row(token));
                    let sum: Vec<f64> = pairs.map(|(a, x)| a + x).collect();
                    norm(&sum, &weight, epsilon, 1)
                })
            }
            _ => None,
        },
    ),
    fault(
        "sandwich-norms-swapped",
        &["*attn_post_norm"],
        "the weights of the norm after attention and of the one before the feed-forward block are exchanged",
        "Hugging Face's post_attention_layernorm is the norm before the feed-forward block in Llama, and the one after attention in Gemma",
        |site| match site.node.role() {
            "attn_post_norm" => with_named(site, "ffn_norm.weight"),
            "ffn_norm" => with_named(site, "post_attention_norm.weight"),
            _ => None,
        },
    ),
    fault(
        "layer-norms-swapped",
        &["*attn_norm"],
        "the weights of attn_norm and ffn_norm are exchanged",
        "Hugging Face's input_layernorm is attn_norm; post_attention_layernorm is ffn_norm in Llama",
        |site| match site.node.role() {
            "attn_norm" => with_named(site, "ffn_norm.weight"),
            "ffn_norm" => with_named(site, "attn_norm.weight"),
            _ => None,
        },
    ),
    fault(
        "qk-norms-swapped",
        HEADS,
        "the weights of the query norm and of the key norm are exchanged",
        "attn_q_norm is for queries, attn_k_norm for keys",
        |site| match site.node.role() {
            "attn_q.norm" => with_named(site, "attn_k_norm.weight"),
            "attn_k.norm" => with_named(site, "attn_q_norm.weight"),
            _ => None,
        },
    ),
    fault(
        "ffn-norm-of-layer-input",
        &["*ffn_norm"],
        "the norm before the feed-forward block reads the layer's input, not the residual after attention",
        "norm the sum of attention and input",
        |site| {
            (site.node.role() == "ffn_norm").then_some(())?;
            let (n, x) = (normed(site)?, site.layer_input()?);
            site.each(|token| norm(x.row(token), &n.weight, n.epsilon, 1))
        },
    ),
    fault(
        "ffn-norm-skipped",
        &["*ffn_norm"],
        "the norm before the feed-forward block is not applied",
        "apply ffn_norm",
        |site| copied(site, "ffn_norm"),
    ),
    fault(
        "attn-norm-skipped",
        &["*attn_norm"],
        "the norm before attention is not applied",
        "apply attn_norm",
        |site| copied(site, "attn_norm"),
    ),
    fault(
        "final-norm-missing",
        &["output_norm"],
        "the last norm is not applied",
        "apply output_norm before the head",
        |site| copied(site, "output_norm"),
    ),
];

/// The epsilon that explains the largest element of the token with the smallest values: there it matters most.
fn fitted_epsilon(site: &Site<'_, '_>, n: &Normed<'_>) -> Option<f64> {
    (n.heads == 1).then_some(())?;
    let found = site.found?;
    let mean = |token: &usize| {
        let x = n.input.row(*token);
        x.iter().map(|x| x * x).sum::<f64>() / x.len() as f64
    };
    let token = site
        .rows
        .clone()
        .min_by(|a, b| mean(a).total_cmp(&mean(b)))?;
    let row = &found[(token - site.rows.start) * site.node.width..][..site.node.width];
    let known = (0..row.len()).filter(|&at| !row[at].is_nan());
    let at = known.max_by(|&a, &b| row[a].abs().total_cmp(&row[b].abs()))?;
    let root = n.input.row(token)[at] * n.weight[at] / row[at];
    let epsilon = root * root - mean(&token);
    (epsilon.is_finite() && epsilon > 0.0).then_some(epsilon)
}

fn heads_only(site: &Site<'_, '_>) -> bool {
    matches!(site.node.role(), "attn_q.norm" | "attn_k.norm")
}

/// A norm over a whole row.
fn whole<'s>(site: &Site<'s, '_>) -> Option<Normed<'s>> {
    normed(site).filter(|n| n.heads == 1 && !heads_only(site))
}

fn with_weight(site: &Site<'_, '_>, change: impl Fn(f64) -> f64) -> Option<Vec<f64>> {
    let n = normed(site)?;
    let weight: Vec<f64> = n.weight.iter().map(|&w| change(w)).collect();
    site.each(|token| norm(n.input.row(token), &weight, n.epsilon, n.heads))
}

/// With another weight of the layer.
fn with_named(site: &Site<'_, '_>, weight: &str) -> Option<Vec<f64>> {
    let n = normed(site)?;
    let weight = site.weight_named(&format!("blk.{}.{weight}", site.node.layer()?))?;
    let weight = decoded(weight, 0);
    (weight.len() == n.weight.len()).then_some(())?;
    site.each(|token| norm(n.input.row(token), &weight, n.epsilon, n.heads))
}

/// The input as it is.
fn copied(site: &Site<'_, '_>, role: &str) -> Option<Vec<f64>> {
    (site.node.role() == role).then_some(())?;
    let n = normed(site)?;
    site.each(|token| n.input.row(token).to_vec())
}

/// The model's epsilon.
fn epsilon(site: &Site<'_, '_>) -> Option<f64> {
    site.reference.graph.ops.iter().find_map(|op| match op {
        fidelis_engine::graph::Op::Norm { epsilon, .. } => Some(f64::from(*epsilon)),
        _ => None,
    })
}

//! The embedding's scale, activations, gates and residuals.

use super::parts::largest;
use super::{Family, Fault};
use crate::reference::rows::{activated, gelu_tanh, silu};
use crate::reference::{Rows, Site, Wrong};
use fidelis_engine::graph::{Activate, Op};

const fn fault(
    name: &'static str,
    shows: &'static [&'static str],
    says: &'static str,
    fix: &'static str,
    wrong: Wrong,
) -> Fault {
    Fault {
        name,
        family: Family::Activation,
        shows,
        says,
        fix,
        wrong,
    }
}

const EMBED: &[&str] = &["token_embd"];
const ACT: &[&str] = &["*ffn_act"];
const ATTN: &[&str] = &["*attn_residual"];
const OUT: &[&str] = &["blk.*.out"];

pub(super) const FAULTS: &[Fault] = &[
    fault(
        "embd-scale-missing",
        EMBED,
        "the embedding is not scaled; this architecture multiplies it by √width",
        "multiply each looked-up row by √width",
        |site| scaled(site, |scale, _| (scale != 1.0).then_some(1.0 / scale)),
    ),
    fault(
        "embd-scale-twice",
        EMBED,
        "the embedding is scaled twice (or by the width, not its root)",
        "scale once: in the lookup or after it (Hugging Face's Gemma embed_tokens already scales)",
        |site| scaled(site, |scale, _| (scale != 1.0).then_some(scale)),
    ),
    fault(
        "embd-scale-spurious",
        EMBED,
        "the embedding is scaled by √width; this architecture does not scale it",
        "leave the embedding as it is",
        |site| {
            scaled(site, |scale, width| {
                (scale == 1.0).then(|| libm::sqrt(width))
            })
        },
    ),
    fault(
        "embd-scale-bf16",
        EMBED,
        "the embedding's scale is rounded to bf16 (as Hugging Face does; a small constant error)",
        "multiply by √width in f32",
        |site| {
            scaled(site, |scale, _| {
                let bits = (scale as f32).to_bits();
                let rounded = (bits + 0x7fff + (bits >> 16 & 1)) & 0xffff_0000;
                (scale != 1.0).then(|| f64::from(f32::from_bits(rounded)) / scale)
            })
        },
    ),
    fault(
        "embd-rows-zero",
        EMBED,
        "the embeddings of some ids are all zero: what filled the table stopped before its end",
        "check the conversion or copy of token_embd past its first part (a dispatch of 65535 groups, a buffer limit)",
        |site| {
            let Op::Embed { table, .. } = site.op() else {
                return None;
            };
            let half = site.weight(*table).shape.rows() / 2;
            let right = site.right()?;
            let width = site.node.width;
            let zero = |at: usize, token: usize| match site.found {
                Some(found) => found[at * width..][..width].iter().all(|x| *x == 0.0),
                None => site.tokens[token] as usize >= half,
            };
            let rows = site.rows.clone().enumerate();
            Some(
                rows.flat_map(|(at, token)| {
                    let row = &right[at * width..][..width];
                    if zero(at, token) {
                        vec![0.0; width]
                    } else {
                        row.to_vec()
                    }
                })
                .collect(),
            )
        },
    ),
    fault(
        "embd-next-token",
        EMBED,
        "each token has the embedding of the id after its own",
        "look up row `id`, counted from 0",
        |site| {
            let Op::Embed { table, scale, .. } = site.op() else {
                return None;
            };
            let table = site.weight(*table);
            site.each(|token| {
                let row = (site.tokens[token] as usize + 1) % table.shape.rows();
                let row = crate::reference::rows::decoded(table, row);
                row.iter().map(|x| x * scale).collect()
            })
        },
    ),
    fault(
        "act-silu-for-gelu",
        ACT,
        "the gate goes through SiLU where this architecture uses GELU",
        "GELU with tanh; a missing key does not mean SiLU",
        |site| {
            let (g, u) = gate(site, Activate::GeluTanh)?;
            pairs(site, g, u, |g, u| silu(g) * u)
        },
    ),
    fault(
        "act-gelu-for-silu",
        ACT,
        "the gate goes through GELU (tanh) where this architecture uses SiLU",
        "x · σ(x)",
        |site| {
            let (g, u) = gate(site, Activate::Silu)?;
            pairs(site, g, u, |g, u| gelu_tanh(g) * u)
        },
    ),
    fault(
        "act-gelu-erf",
        ACT,
        "the gate goes through the exact (erf) GELU",
        "use the architecture's own: SiLU, or GELU's tanh approximation",
        |site| {
            let (g, u) = any_gate(site)?;
            pairs(site, g, u, |g, u| {
                0.5 * g * (1.0 + libm::erf(g / std::f64::consts::SQRT_2)) * u
            })
        },
    ),
    fault(
        "act-gelu-quick",
        ACT,
        "the gate goes through the quick GELU, x · σ(1.702 x)",
        "use the architecture's own: SiLU, or GELU's tanh approximation",
        |site| {
            let (g, u) = any_gate(site)?;
            pairs(site, g, u, |g, u| g / (1.0 + libm::exp(-1.702 * g)) * u)
        },
    ),
    fault(
        "act-relu",
        ACT,
        "the gate goes through ReLU",
        "use the architecture's own activation",
        |site| {
            let (g, u) = any_gate(site)?;
            pairs(site, g, u, |g, u| g.max(0.0) * u)
        },
    ),
    fault(
        "act-missing",
        ACT,
        "the gate is multiplied without its activation",
        "activate(gate) · up",
        |site| {
            let (g, u) = any_gate(site)?;
            pairs(site, g, u, |g, u| g * u)
        },
    ),
    fault(
        "act-without-up",
        ACT,
        "the activated gate is not multiplied by up",
        "activate(gate) · up",
        |site| {
            let (g, u) = any_gate(site)?;
            let kind = kind(site)?;
            pairs(site, g, u, |g, _| activated(kind, g))
        },
    ),
    fault(
        "glu-gate-up-swapped",
        ACT,
        "up goes through the activation, not gate",
        "activate(gate) · up",
        |site| {
            let (g, u) = any_gate(site)?;
            let kind = kind(site)?;
            pairs(site, g, u, |g, u| activated(kind, u) * g)
        },
    ),
    fault(
        "glu-double-activation",
        ACT,
        "both gate and up go through the activation",
        "activate(gate) · up",
        |site| {
            let (g, u) = any_gate(site)?;
            let kind = kind(site)?;
            pairs(site, g, u, |g, u| activated(kind, g) * activated(kind, u))
        },
    ),
    fault(
        "attn-residual-missing",
        ATTN,
        "the layer's input is not added to the attention output",
        "residual = attention + input",
        |site| sum(site, "attn_residual", |a, _| a),
    ),
    fault(
        "attn-output-dropped",
        ATTN,
        "the attention output is not added to the layer's input",
        "residual = attention + input",
        |site| sum(site, "attn_residual", |_, b| b),
    ),
    fault(
        "attn-residual-from-normed",
        ATTN,
        "the normed input is added to the attention output, not the input itself",
        "keep the input from before the norm",
        |site| {
            (site.node.role() == "attn_residual").then_some(())?;
            let (a, b) = (terms(site)?.0, site.beside("attn_norm")?);
            pairs(site, a, b, |a, b| a + b)
        },
    ),
    fault(
        "ffn-residual-missing",
        OUT,
        "the residual after attention is not added to the feed-forward output",
        "out = feed-forward + residual",
        |site| sum(site, "out", |a, _| a),
    ),
    fault(
        "ffn-output-dropped",
        OUT,
        "the feed-forward output is not added to the residual",
        "out = feed-forward + residual",
        |site| sum(site, "out", |_, b| b),
    ),
    fault(
        "ffn-residual-from-layer-input",
        OUT,
        "the layer's input is added to the feed-forward output, not the residual after attention",
        "keep the sum after attention as the second residual",
        |site| {
            (site.node.role() == "out").then_some(())?;
            let (a, b) = (terms(site)?.0, site.layer_input()?);
            pairs(site, a, b, |a, b| a + b)
        },
    ),
    fault(
        "ffn-residual-from-normed",
        OUT,
        "the normed residual is added to the feed-forward output",
        "keep the residual from before the norm",
        |site| {
            (site.node.role() == "out").then_some(())?;
            let (a, b) = (terms(site)?.0, site.beside("ffn_norm")?);
            pairs(site, a, b, |a, b| a + b)
        },
    ),
    fault(
        "layer-skipped",
        OUT,
        "the layer's output is its input: the layer was skipped",
        "run as many layers as block_count says",
        |site| {
            (site.node.role() == "out").then_some(())?;
            let x = site.layer_input()?;
            site.each(|token| x.row(token).to_vec())
        },
    ),
    fault(
        "residual-clamp",
        &["*attn_residual", "blk.*.out"],
        "values are clamped to a bound",
        "do not clamp the residual stream: large activations are part of the model",
        |site| {
            matches!(site.node.role(), "attn_residual" | "out").then_some(())?;
            let right = site.right()?;
            let bound = match site.found {
                Some(found) => largest(found),
                None => 0.5 * largest(&right),
            };
            Some(right.iter().map(|x| x.clamp(-bound, bound)).collect())
        },
    ),
];

fn scaled(site: &Site<'_, '_>, factor: impl Fn(f64, f64) -> Option<f64>) -> Option<Vec<f64>> {
    let Op::Embed { scale, .. } = site.op() else {
        return None;
    };
    let factor = factor(*scale, site.node.width as f64)?;
    Some(site.right()?.iter().map(|x| x * factor).collect())
}

fn kind(site: &Site<'_, '_>) -> Option<Activate> {
    match site.op() {
        Op::Gate { activate, .. } => Some(*activate),
        _ => None,
    }
}

fn any_gate<'s>(site: &Site<'s, '_>) -> Option<(Rows<'s>, Rows<'s>)> {
    match site.op() {
        Op::Gate { gate, up, .. } => Some((site.input(*gate)?, site.input(*up)?)),
        _ => None,
    }
}

fn gate<'s>(site: &Site<'s, '_>, wanted: Activate) -> Option<(Rows<'s>, Rows<'s>)> {
    (kind(site)? == wanted).then(|| any_gate(site))?
}

/// The terms of a sum: what was computed, and the residual.
fn terms<'s>(site: &Site<'s, '_>) -> Option<(Rows<'s>, Rows<'s>)> {
    match site.op() {
        Op::Add { a, b, .. } => Some((site.input(*a)?, site.input(*b)?)),
        _ => None,
    }
}

fn sum(site: &Site<'_, '_>, role: &str, of: impl Fn(f64, f64) -> f64) -> Option<Vec<f64>> {
    (site.node.role() == role).then_some(())?;
    let (a, b) = terms(site)?;
    pairs(site, a, b, of)
}

fn pairs(
    site: &Site<'_, '_>,
    a: Rows<'_>,
    b: Rows<'_>,
    of: impl Fn(f64, f64) -> f64,
) -> Option<Vec<f64>> {
    site.each(|token| {
        let pairs = a.row(token).iter().zip(b.row(token));
        pairs.map(|(&a, &b)| of(a, b)).collect()
    })
}

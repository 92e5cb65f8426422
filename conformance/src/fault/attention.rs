//! Scores, the softmax and the heads.

use super::{Family, Fault};
use crate::reference::attention::{
    Rule, heads, heads_of, probs, probs_of, raw, recorded, scores, softmax,
};
use crate::reference::{Part, Site, Wrong};
use fidelis_engine::graph::Attend;

const fn fault(
    name: &'static str,
    shows: &'static [&'static str],
    says: &'static str,
    fix: &'static str,
    wrong: Wrong,
) -> Fault {
    Fault {
        name,
        family: Family::Attention,
        shows,
        says,
        fix,
        wrong,
    }
}

const SCALE: &[&str] = &["*attn_scores", "*attn_probs"];
const SCORES: &[&str] = &["*attn_scores"];
pub(super) const PROBS: &[&str] = &["*attn_probs"];
const HEADS: &[&str] = &["*attn_heads"];

pub(super) const FAULTS: &[Fault] = &[
    fault(
        "attn-scale-missing",
        SCALE,
        "the scores are not scaled",
        "multiply by 1 / √(width of a key), or by what the file says",
        |site| rescaled(site, |scale, _| 1.0 / scale),
    ),
    fault(
        "attn-scale-twice",
        SCALE,
        "the scores are scaled twice (or divided by the width of a key, not by its root)",
        "scale the query or the scores, not both",
        |site| rescaled(site, |scale, _| scale),
    ),
    fault(
        "attn-scale-width",
        SCALE,
        "the scores are scaled by 1 / √(width of the model)",
        "the width is that of one key",
        |site| rescaled(site, |scale, width| 1.0 / (scale * libm::sqrt(width))),
    ),
    fault(
        "gqa-tile",
        SCORES,
        "query head h reads key and value head h mod n, not h divided by the group",
        "repeat each key and value head for its group of neighbouring query heads",
        |site| {
            let kv = kv_heads(site)?;
            mapped(site, true, |head, _| head % kv)
        },
    ),
    fault(
        "gqa-first-head",
        SCORES,
        "every query head reads the first key and value head",
        "query head h reads head h divided by the group",
        |site| mapped(site, true, |_, _| 0),
    ),
    fault(
        "v-head-tile",
        HEADS,
        "query head h reads value head h mod n; the keys' heads are right",
        "values are grouped as keys are",
        |site| {
            let kv = kv_heads(site)?;
            mapped(site, false, |head, _| head % kv)
        },
    ),
    fault(
        "v-head-first",
        HEADS,
        "every query head reads the first value head; the keys' heads are right",
        "values are grouped as keys are",
        |site| mapped(site, false, |_, _| 0),
    ),
    fault(
        "softmax-row-length",
        PROBS,
        "the softmax's sum runs over all tokens of the buffer, not over those seen",
        "sum what the token sees",
        |site| {
            let attend = site.attend(Part::Probs)?;
            let rule = Rule::of(site, attend);
            let raw = raw(site, attend, &rule)?;
            let count = site.tokens.len();
            let all = vec![true; count];
            let mut out = Vec::new();
            for head in 0..attend.heads {
                for token in site.rows.clone() {
                    let row: Vec<f64> = (0..count).map(|p| raw(head, token, p)).collect();
                    let p = softmax(&row, &all, &rule);
                    out.extend(
                        (0..count).map(|at| if (rule.sees)(token, at) { p[at] } else { 0.0 }),
                    );
                }
            }
            Some(out)
        },
    ),
    fault(
        "softmax-axis",
        PROBS,
        "the softmax runs over the queries, not over the positions",
        "normalise each query's row",
        |site| {
            let attend = site.attend(Part::Probs)?;
            let (rule, score) = (Rule::of(site, attend), recorded(site, attend)?);
            let count = site.tokens.len();
            (site.rows == (0..count)).then_some(())?;
            let mut out = vec![0.0; attend.heads * count * count];
            for head in 0..attend.heads {
                for p in 0..count {
                    let sees: Vec<bool> = (0..count).map(|t| (rule.sees)(t, p)).collect();
                    let column: Vec<f64> = (0..count).map(|t| score(head, t, p)).collect();
                    for (t, value) in softmax(&column, &sees, &rule).into_iter().enumerate() {
                        out[(head * count + t) * count + p] = value;
                    }
                }
            }
            Some(out)
        },
    ),
    fault(
        "softmax-unnormalised",
        PROBS,
        "the exponentials are not divided by their sum",
        "divide by the sum of the row",
        |site| {
            let attend = site.attend(Part::Probs)?;
            let rule = Rule::of(site, attend);
            let p = probs(site, attend, &rule)?;
            // The largest exponential is 1.
            let rows = p.chunks(site.tokens.len()).flat_map(|row| {
                let most = row.iter().fold(0.0, |most, &p| f64::max(most, p));
                row.iter().map(move |p| p / most)
            });
            Some(rows.collect())
        },
    ),
    fault(
        "attn-uniform",
        PROBS,
        "all seen positions have the same probability: the softmax fell back, or read zeros",
        "check what the softmax reads, and its fallback for a sum that is not positive",
        |site| {
            let attend = site.attend(Part::Probs)?;
            let rule = Rule::of(site, attend);
            Some(probs_of(site, attend, &rule, |_, _, _| 0.0))
        },
    ),
    fault(
        "attn-softcap-spurious",
        PROBS,
        "the scores are capped (as in Gemma 2); this architecture does not cap them",
        "cap only where `attn_logit_softcapping` says so",
        |site| {
            let attend = site.attend(Part::Probs)?;
            attend.soft_cap.is_none().then_some(())?;
            let rule = Rule {
                cap: Some(50.0),
                ..Rule::of(site, attend)
            };
            probs(site, attend, &rule)
        },
    ),
    fault(
        "attn-softcap-missing",
        PROBS,
        "the scores are not capped",
        "cap · tanh(score / cap) before the mask and the softmax",
        |site| {
            let attend = site.attend(Part::Probs)?;
            attend.soft_cap?;
            let rule = Rule {
                cap: None,
                ..Rule::of(site, attend)
            };
            probs(site, attend, &rule)
        },
    ),
    fault(
        "decode-attention-limit",
        PROBS,
        "attention reads 256 positions at most",
        "size the kernel's arrays by the number of positions",
        |site| {
            let window = window(site)?;
            (site.tokens.len() > 256).then_some(())?;
            masked(site, move |t, p| {
                p < 256 && p <= t && window.is_none_or(|w| p + w > t)
            })
        },
    ),
    fault(
        "attn-bypassed",
        HEADS,
        "each token's heads are its own values: attention is not computed",
        "sum the values of all seen positions, weighted by the probabilities",
        |site| {
            let attend = site.attend(Part::Heads)?;
            let value = site.input(attend.value)?;
            let cache = &site.reference.graph.caches[attend.cache];
            let (width, group) = (cache.value_width, attend.heads / cache.heads);
            site.each(|token| {
                (0..attend.heads)
                    .flat_map(|head| value.row(token)[head / group * width..][..width].to_vec())
                    .collect()
            })
        },
    ),
    fault(
        "heads-layout",
        HEADS,
        "heads are written head-minor ([element][head])",
        "a row is head after head",
        |site| {
            let attend = site.attend(Part::Heads)?;
            (attend.heads > 1).then_some(())?;
            let right = heads(site, attend, &Rule::of(site, attend))?;
            let width = site.node.width / attend.heads;
            let rows = right.chunks(site.node.width).flat_map(|row| {
                (0..row.len()).map(move |i| row[i % attend.heads * width + i / attend.heads])
            });
            Some(rows.collect())
        },
    ),
    fault(
        "v-is-k",
        HEADS,
        "keys are read in the values' place",
        "the weighted sum is of values",
        |site| {
            let attend = site.attend(Part::Heads)?;
            let cache = &site.reference.graph.caches[attend.cache];
            (cache.key_width == cache.value_width).then_some(())?;
            let key = site.input(attend.key)?;
            (key.tokens() == (0..site.tokens.len())).then_some(())?;
            let width = cache.key_width;
            heads_of(site, attend, &Rule::of(site, attend), |position, head| {
                key.row(position)[head * width..][..width].to_vec()
            })
        },
    ),
];

/// The operation, if the node is scores or probabilities.
pub(super) fn attend<'s>(site: &Site<'s, '_>) -> Option<&'s Attend> {
    site.attend(Part::Scores)
        .or_else(|| site.attend(Part::Probs))
}

fn kv_heads(site: &Site<'_, '_>) -> Option<usize> {
    let attend = attend(site).or_else(|| site.attend(Part::Heads))?;
    let heads = site.reference.graph.caches[attend.cache].heads;
    (heads > 1 && heads < attend.heads).then_some(heads)
}

/// The layer's window.
pub(super) fn window(site: &Site<'_, '_>) -> Option<Option<usize>> {
    Some(site.reference.graph.caches[attend(site)?.cache].window)
}

/// With the scale that is not 1 multiplied by `factor(scale, width of the model)`.
fn rescaled(site: &Site<'_, '_>, factor: impl Fn(f64, f64) -> f64) -> Option<Vec<f64>> {
    let attend = attend(site)?;
    let model = site.layer_input().map(|x| x.width() as f64)?;
    let mut rule = Rule::of(site, attend);
    if attend.query_scale != 1.0 {
        let factor = factor(attend.query_scale, model);
        site.attend(Part::Scores)?;
        rule.query_scale *= factor;
        return scores(site, attend, &rule);
    }
    site.attend(Part::Probs)?;
    rule.score_scale *= factor(attend.score_scale, model);
    probs(site, attend, &rule)
}

/// With another map from query heads to those of keys (if `keys`) and values.
fn mapped(
    site: &Site<'_, '_>,
    keys: bool,
    map: impl Fn(usize, usize) -> usize,
) -> Option<Vec<f64>> {
    let kv = kv_heads(site)?;
    if let Some(attend) = site.attend(Part::Scores).filter(|_| keys) {
        let rule = Rule {
            key_head: Box::new(|head| map(head, kv)),
            ..Rule::of(site, attend)
        };
        return scores(site, attend, &rule);
    }
    let attend = site.attend(Part::Heads)?;
    let rule = Rule {
        value_head: Box::new(|head| map(head, kv)),
        ..Rule::of(site, attend)
    };
    heads(site, attend, &rule)
}

/// With another mask, on scores formed anew: those that a query should not see are not recorded.
pub(super) fn masked(site: &Site<'_, '_>, sees: impl Fn(usize, usize) -> bool) -> Option<Vec<f64>> {
    let attend = site.attend(Part::Probs)?;
    let right = Rule::of(site, attend);
    let raw = raw(site, attend, &right);
    let known = recorded(site, attend)?;
    let beyond = site
        .rows
        .clone()
        .any(|t| (0..site.tokens.len()).any(|p| sees(t, p) && !(right.sees)(t, p)));
    if beyond && raw.is_none() {
        return None;
    }
    let score = |h: usize, t: usize, p: usize| match &raw {
        Some(raw) if !(right.sees)(t, p) => raw(h, t, p),
        _ => known(h, t, p),
    };
    let rule = Rule {
        sees: Box::new(sees),
        ..Rule::of(site, attend)
    };
    Some(probs_of(site, attend, &rule, score))
}

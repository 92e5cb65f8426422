//! Attention in three steps, with everything that can be got wrong as a rule.

use super::{Rows, Site};
use crate::reference::rows::{capped, dot};
use fidelis_engine::graph::{Attend, Graph};

/// How a layer attends.
pub struct Rule<'r> {
    /// Multiplies the query.
    pub query_scale: f64,
    /// Multiplies the scores.
    pub score_scale: f64,
    /// `cap · tanh(score / cap)`.
    pub cap: Option<f64>,
    /// The head of the keys that a query head meets.
    pub key_head: Box<dyn Fn(usize) -> usize + 'r>,
    /// The head of the values that it reads.
    pub value_head: Box<dyn Fn(usize) -> usize + 'r>,
    /// Whether a token (first) sees a position (second).
    pub sees: Box<dyn Fn(usize, usize) -> bool + 'r>,
}

impl Rule<'_> {
    /// The layer's own.
    pub fn of(site: &Site<'_, '_>, attend: &Attend) -> Self {
        Self::in_graph(site.reference.graph, attend)
    }

    /// The same without a site.
    pub fn in_graph(graph: &Graph<'_>, attend: &Attend) -> Self {
        let cache = &graph.caches[attend.cache];
        let (group, window) = (attend.heads / cache.heads, cache.window);
        Self {
            query_scale: attend.query_scale,
            score_scale: attend.score_scale,
            cap: attend.soft_cap.map(f64::from),
            key_head: Box::new(move |head| head / group),
            value_head: Box::new(move |head| head / group),
            sees: Box::new(move |token, position| {
                position <= token && window.is_none_or(|window| position + window > token)
            }),
        }
    }
}

/// One head's row.
fn head<'s>(rows: &Rows<'s>, token: usize, head: usize, heads: usize) -> &'s [f64] {
    let width = rows.width() / heads;
    &rows.row(token)[head * width..][..width]
}

/// The scores of one query head, `query · key` for each position, before the softmax's scale.
///
/// `None` if queries, or the keys of any token, are missing.
pub fn raw<'s>(
    site: &Site<'s, '_>,
    attend: &Attend,
    rule: &Rule<'_>,
) -> Option<impl Fn(usize, usize, usize) -> f64 + 's> {
    let (query, key) = (site.input(attend.query)?, site.input(attend.key)?);
    let heads = attend.heads;
    let kv_heads = site.reference.graph.caches[attend.cache].heads;
    let scale = rule.query_scale;
    let map: Vec<usize> = (0..heads).map(|head| (rule.key_head)(head)).collect();
    // A wrong mask may see any position.
    let all = key.tokens() == (0..site.tokens.len());
    all.then_some(move |h: usize, token: usize, position: usize| {
        let query = head(&query, token, h, heads);
        scale * dot(query, head(&key, position, map[h], kv_heads))
    })
}

/// A square of `[heads, tokens, positions]`; 0 where `value` gives nothing.
pub fn square(
    site: &Site<'_, '_>,
    heads: usize,
    value: impl Fn(usize, usize, usize) -> Option<f64>,
) -> Vec<f64> {
    let positions = site.tokens.len();
    let mut out = Vec::with_capacity(heads * site.rows.len() * positions);
    for head in 0..heads {
        for token in site.rows.clone() {
            out.extend((0..positions).map(|p| value(head, token, p).unwrap_or(0.0)));
        }
    }
    out
}

/// Queries times keys, 0 where a query does not see.
pub fn scores(site: &Site<'_, '_>, attend: &Attend, rule: &Rule<'_>) -> Option<Vec<f64>> {
    let raw = raw(site, attend, rule)?;
    Some(square(site, attend.heads, |head, token, position| {
        (rule.sees)(token, position).then(|| raw(head, token, position))
    }))
}

/// The recorded scores of a query, where the right rule sees them.
pub fn recorded<'s>(
    site: &Site<'s, '_>,
    attend: &Attend,
) -> Option<impl Fn(usize, usize, usize) -> f64 + 's> {
    let (scores, positions) = (site.tensor(&attend.scores)?, site.tokens.len());
    Some(move |head: usize, token: usize, position: usize| {
        scores.values[(head * positions + token) * positions + position]
    })
}

/// `softmax(cap(scale · score))` over what is seen; 0 elsewhere.
pub fn softmax(scores: &[f64], sees: &[bool], rule: &Rule<'_>) -> Vec<f64> {
    let scaled = |x: f64| {
        let x = x * rule.score_scale;
        rule.cap.map_or(x, |cap| capped(x, cap))
    };
    let seen = || (0..scores.len()).filter(|&p| sees[p]);
    let most = seen().fold(f64::NEG_INFINITY, |most, p| most.max(scaled(scores[p])));
    let mut out = vec![0.0; scores.len()];
    for p in seen() {
        out[p] = libm::exp(scaled(scores[p]) - most);
    }
    let sum: f64 = out.iter().sum();
    if sum > 0.0 {
        out.iter_mut().for_each(|p| *p /= sum);
    }
    out
}

/// Probabilities from recorded scores.
pub fn probs(site: &Site<'_, '_>, attend: &Attend, rule: &Rule<'_>) -> Option<Vec<f64>> {
    let recorded = recorded(site, attend)?;
    Some(probs_of(site, attend, rule, recorded))
}

/// Probabilities from any scores.
pub fn probs_of(
    site: &Site<'_, '_>,
    attend: &Attend,
    rule: &Rule<'_>,
    score: impl Fn(usize, usize, usize) -> f64,
) -> Vec<f64> {
    let positions = site.tokens.len();
    let mut out = Vec::with_capacity(attend.heads * site.rows.len() * positions);
    for head in 0..attend.heads {
        for token in site.rows.clone() {
            let sees: Vec<bool> = (0..positions).map(|p| (rule.sees)(token, p)).collect();
            let scores: Vec<f64> = (0..positions)
                .map(|p| if sees[p] { score(head, token, p) } else { 0.0 })
                .collect();
            out.extend(softmax(&scores, &sees, rule));
        }
    }
    out
}

/// `Σ p v` of every head.
pub fn heads(site: &Site<'_, '_>, attend: &Attend, rule: &Rule<'_>) -> Option<Vec<f64>> {
    let value = site.input(attend.value)?;
    let cache = &site.reference.graph.caches[attend.cache];
    (value.tokens() == (0..site.tokens.len())).then_some(())?;
    let of = |position: usize, h: usize| head(&value, position, h, cache.heads).to_vec();
    heads_of(site, attend, rule, of)
}

/// The same with the values from `value(position, head of the values)`.
pub fn heads_of(
    site: &Site<'_, '_>,
    attend: &Attend,
    rule: &Rule<'_>,
    value: impl Fn(usize, usize) -> Vec<f64>,
) -> Option<Vec<f64>> {
    let probs = site.tensor(&attend.probs)?;
    let positions = site.tokens.len();
    let width = site.reference.graph.caches[attend.cache].value_width;
    site.each(|token| {
        let mut out = Vec::with_capacity(attend.heads * width);
        for head in 0..attend.heads {
            let row = &probs.values[(head * positions + token) * positions..][..positions];
            let mut sum = vec![0.0; width];
            for (position, p) in row.iter().enumerate().filter(|(_, p)| **p != 0.0) {
                let value = value(position, (rule.value_head)(head));
                sum.iter_mut().zip(&value).for_each(|(s, v)| *s += p * v);
            }
            out.extend(sum);
        }
        out
    })
}

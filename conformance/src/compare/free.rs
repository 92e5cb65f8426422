//! Two runs side by side, each on its own outputs: how error grows, and what it does to the logits.

use crate::metric::{MetricError, kl_divergence, largest_error};
use crate::recording::Recording;
use crate::reference::Reference;

/// How far a checkpoint of one run is from that of another.
#[derive(Clone, Debug, PartialEq)]
pub struct Drift {
    /// The checkpoint.
    pub name: String,
    /// `|found − expected| / |expected|` in the 2-norm.
    pub relative: f64,
}

/// The drift of every checkpoint that both have, in the order of computation.
pub fn drift(reference: &Reference<'_, '_>, truth: &Recording, found: &Recording) -> Vec<Drift> {
    let of = |name: &String| {
        let (t, f) = (truth.tensors.get(name)?, found.tensors.get(name)?);
        (t.values.len() == f.values.len()).then_some(())?;
        let square = |x: f64| x * x;
        let error: f64 = (t.values.iter().zip(&f.values))
            .map(|(t, f)| square(t - f))
            .sum();
        let size: f64 = t.values.iter().map(|&t| square(t)).sum();
        Some(Drift {
            name: name.clone(),
            relative: libm::sqrt(error / size.max(f64::MIN_POSITIVE)),
        })
    };
    reference
        .nodes
        .iter()
        .filter_map(|node| of(&node.name))
        .collect()
}

/// What two runs of a prompt make of its logits.
#[derive(Clone, Debug, PartialEq)]
pub struct PromptReport {
    /// Tokens.
    pub tokens: usize,
    /// The largest error of a logit.
    pub largest_error: f64,
    /// The mean error of a logit.
    pub mean_error: f64,
    /// The largest error over the bound that the last operation alone has.
    pub largest_over_bound: f64,
    /// The mean error over the mean of these bounds.
    pub mean_over_bound: f64,
    /// Mean KL divergence, in nats.
    pub mean_kl: f64,
    /// The largest KL divergence of a token.
    pub largest_kl: f64,
    /// Shares of tokens whose 1, 5 and 10 likeliest successors are the same sets.
    pub top: [f64; 3],
    /// Perplexity of the prompt: of the reference and of the candidate; `None` for a single token.
    pub perplexity: Option<[f64; 2]>,
    /// The first token after which the likeliest successor differs: its index, and both ids.
    pub first_difference: Option<(usize, usize, usize)>,
}

/// Compares the logits of two runs of the same ids; `bounds` are those of the last operation.
///
/// # Errors
///
/// [`MetricError`] if there is nothing to compare, shapes differ or a value is not finite.
pub fn compare_prompt(
    tokens: &[u32],
    truth: &[f64],
    found: &[f64],
    bounds: &[f64],
) -> Result<PromptReport, MetricError> {
    let largest_error = largest_error(truth, found)?;
    let width = truth.len() / tokens.len().max(1);
    if width == 0 || width * tokens.len() != truth.len() || bounds.len() != truth.len() {
        return Err(MetricError::Width {
            width,
            values: truth.len(),
        });
    }
    let errors = || truth.iter().zip(found).map(|(t, f)| (t - f).abs());
    let over = errors()
        .zip(bounds)
        .map(|(e, b)| if e == 0.0 { 0.0 } else { e / b });
    let count = truth.len() as f64;
    let rows: Vec<(&[f64], &[f64])> = truth.chunks(width).zip(found.chunks(width)).collect();
    let kl = (rows.iter())
        .map(|(t, f)| kl_divergence(t, f))
        .collect::<Result<Vec<f64>, _>>()?;
    let same = |n: usize| {
        let equal = rows
            .iter()
            .filter(|(t, f)| best(t, n) == best(f, n))
            .count();
        equal as f64 / rows.len() as f64
    };
    let first_difference = rows.iter().enumerate().find_map(|(at, (t, f))| {
        let (t, f) = (best(t, 1), best(f, 1));
        (t != f).then(|| (at, t[0], f[0]))
    });
    let perplexity = (tokens.len() > 1).then(|| {
        [truth, found].map(|logits| {
            let loss: f64 = (logits.chunks(width).zip(&tokens[1..]))
                .map(|(row, &next)| -log_probability(row, next as usize))
                .sum();
            libm::exp(loss / (tokens.len() - 1) as f64)
        })
    });
    Ok(PromptReport {
        tokens: tokens.len(),
        largest_error,
        mean_error: errors().sum::<f64>() / count,
        largest_over_bound: over.fold(0.0, f64::max),
        mean_over_bound: errors().sum::<f64>() / bounds.iter().sum::<f64>(),
        mean_kl: kl.iter().sum::<f64>() / kl.len() as f64,
        largest_kl: kl.iter().fold(0.0, |most, &x| f64::max(most, x)),
        top: [1, 5, 10].map(same),
        perplexity,
        first_difference,
    })
}

/// The `n` likeliest ids in rising order; ties go to the lower id.
fn best(row: &[f64], n: usize) -> Vec<usize> {
    let mut ids: Vec<usize> = (0..row.len()).collect();
    ids.sort_by(|&a, &b| row[b].total_cmp(&row[a]).then(a.cmp(&b)));
    ids.truncate(n);
    ids.sort_unstable();
    ids
}

fn log_probability(row: &[f64], id: usize) -> f64 {
    let most = row.iter().fold(f64::NEG_INFINITY, |m, &x| m.max(x));
    let sum: f64 = row.iter().map(|x| libm::exp(x - most)).sum();
    row.get(id)
        .map_or(f64::NEG_INFINITY, |x| x - most - libm::log(sum))
}

//! Several engines' logits against `audit`'s.

use crate::metric::{MetricError, kl_divergence, largest_error};
use fidelis_engine::backend::{
    BackendError, CacheFormat, CpuBackend, CpuSettings, Logits, Step, Tier,
};
use fidelis_engine::graph::Graph;

/// How far logits are from the truth, over several tokens.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Accuracy {
    /// Mean KL divergence, in nats.
    pub mean_kl: f64,
    /// Largest KL divergence of a token.
    pub largest_kl: f64,
    /// Largest error of a logit.
    pub largest_error: f64,
    /// Tokens compared.
    pub tokens: usize,
}

impl Accuracy {
    /// Compares `[tokens, width]` logits.
    ///
    /// # Errors
    ///
    /// [`MetricError`] if there is nothing to compare.
    pub fn of(truth: &[f64], found: &[f64], width: usize) -> Result<Self, MetricError> {
        let largest = largest_error(truth, found)?;
        if width == 0 || !truth.len().is_multiple_of(width) {
            return Err(MetricError::Width {
                width,
                values: truth.len(),
            });
        }
        let rows = truth.chunks_exact(width).zip(found.chunks_exact(width));
        let divergences = rows
            .map(|(truth, found)| kl_divergence(truth, found))
            .collect::<Result<Vec<f64>, _>>()?;
        if divergences.is_empty() {
            return Err(MetricError::Empty);
        }
        Ok(Self {
            mean_kl: divergences.iter().sum::<f64>() / divergences.len() as f64,
            largest_kl: divergences.iter().fold(0.0, |most, &kl| f64::max(most, kl)),
            largest_error: largest,
            tokens: divergences.len(),
        })
    }
}

/// The logits of every id in a tier, `[ids, vocabulary]`, exactly.
///
/// # Errors
///
/// [`BackendError`] if the ids cannot be read.
pub fn logits(
    graph: &Graph<'_>,
    ids: &[u32],
    tier: Tier,
    cache: CacheFormat,
) -> Result<Vec<f64>, BackendError> {
    let settings = CpuSettings {
        tier,
        cache,
        ..CpuSettings::new(ids.len())?
    };
    let mut backend = CpuBackend::new(graph, &settings)?;
    let step = Step {
        tokens: ids,
        position: 0,
        logits: Logits::All,
    };
    let rounded: Vec<f64> = backend.forward(&step)?.iter().map(|&x| x.into()).collect();
    Ok(backend.exact_logits().map_or(rounded, <[f64]>::to_vec))
}

//! Tokens that may still be chosen.

use super::SampleError;

/// A token and its logit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Candidate {
    pub(super) token: u32,
    pub(super) logit: f64,
}

/// The most probable first; of equals the lower id.
fn order(a: &Candidate, b: &Candidate) -> std::cmp::Ordering {
    // Adding zero makes minus zero equal to zero, as the numbers are.
    (b.logit + 0.0)
        .total_cmp(&(a.logit + 0.0))
        .then(a.token.cmp(&b.token))
}

/// The tokens that no filter has removed.
#[derive(Clone, Debug)]
pub(super) struct Candidates {
    all: Vec<Candidate>,
    /// Tokens at minus infinity. They cannot be chosen, but until a filter drops them an even
    /// distribution would have a place for them, by which the dynamic temperature measures.
    masked: usize,
    sorted: bool,
}

impl Candidates {
    /// All tokens but those whose logit is minus infinity.
    pub(super) fn new(logits: &[f32]) -> Result<Self, SampleError> {
        if logits.is_empty() {
            return Err(SampleError::Empty);
        }
        if let Some(token) = logits
            .iter()
            .position(|logit| logit.is_nan() || *logit == f32::INFINITY)
        {
            return Err(SampleError::NonFinite {
                token,
                value: logits[token],
            });
        }
        let finite = logits
            .iter()
            .enumerate()
            .filter(|(_, logit)| logit.is_finite());
        let all: Vec<Candidate> = finite
            .map(|(token, &logit)| Candidate {
                token: token as u32,
                logit: logit.into(),
            })
            .collect();
        if all.is_empty() {
            Err(SampleError::Impossible)
        } else {
            Ok(Self {
                masked: logits.len() - all.len(),
                all,
                sorted: false,
            })
        }
    }

    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    /// Candidates and masked tokens.
    pub(super) fn places(&self) -> usize {
        self.all.len() + self.masked
    }

    /// Drops the masked tokens.
    pub(super) fn drop_masked(&mut self) {
        self.masked = 0;
    }

    /// Masks the candidates for which `keep` does not hold, unless it holds for none.
    pub(super) fn mask(&mut self, keep: impl Fn(&Candidate) -> bool) {
        let places = self.places();
        self.retain(|_, candidate| keep(candidate));
        self.masked = places - self.all.len();
    }

    pub(super) fn first(&self) -> Option<u32> {
        self.all.first().map(|candidate| candidate.token)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Candidate> {
        self.all.iter()
    }

    /// Changes one token's logit; minus infinity masks it.
    pub(super) fn change(&mut self, token: u32, change: impl Fn(f64) -> f64) {
        // Tokens are in order of their ids until they are sorted.
        let at = if self.sorted {
            self.all.iter().position(|c| c.token == token)
        } else {
            self.all.binary_search_by_key(&token, |c| c.token).ok()
        };
        let Some(at) = at else { return };
        self.all[at].logit = change(self.all[at].logit);
        if self.all[at].logit == f64::NEG_INFINITY {
            self.all.remove(at);
            self.masked += 1;
        } else if self.sorted {
            self.sorted = false;
            self.all.sort_unstable_by(order);
            self.sorted = true;
        }
    }

    /// Changes every logit by a function that keeps their order.
    pub(super) fn scale(&mut self, change: impl Fn(f64) -> f64) {
        self.all
            .iter_mut()
            .for_each(|candidate| candidate.logit = change(candidate.logit));
        if self.sorted {
            // What rounding has made equal goes by its id.
            self.all.sort_unstable_by(order);
        }
    }

    /// The most probable first.
    pub(super) fn sort(&mut self) {
        if !self.sorted {
            self.all.sort_unstable_by(order);
            self.sorted = true;
        }
    }

    /// Keeps the `count` most probable, sorted.
    pub(super) fn keep_best(&mut self, count: usize) {
        if !self.sorted && count < self.all.len() {
            self.all.select_nth_unstable_by(count, order);
        }
        let count = count.max(1);
        // The masked ones come last.
        self.masked = self.masked.min(count.saturating_sub(self.all.len()));
        if !self.sorted {
            self.all.truncate(count.min(self.all.len()));
            self.sort();
        } else {
            self.all.truncate(count);
        }
    }

    /// Keeps those for which `keep` holds of place and candidate, if any.
    pub(super) fn retain(&mut self, keep: impl Fn(usize, &Candidate) -> bool) {
        let kept: Vec<Candidate> = self
            .all
            .iter()
            .enumerate()
            .filter(|(place, candidate)| keep(*place, candidate))
            .map(|(_, c)| *c)
            .collect();
        if !kept.is_empty() {
            self.all = kept;
        }
    }

    /// The largest logit.
    pub(super) fn max(&self) -> f64 {
        self.all
            .iter()
            .fold(f64::NEG_INFINITY, |max, candidate| max.max(candidate.logit))
    }

    /// The probabilities, in the candidates' order.
    pub(super) fn probabilities(&self) -> Vec<f64> {
        let max = self.max();
        let weights: Vec<f64> = self
            .all
            .iter()
            .map(|candidate| libm::exp(candidate.logit - max))
            .collect();
        let sum: f64 = weights.iter().sum();
        weights.into_iter().map(|weight| weight / sum).collect()
    }

    /// The first whose cumulative probability exceeds `u`; the last if rounding leaves none.
    pub(super) fn draw(&self, u: f64) -> Option<u32> {
        let mut sum = 0.0;
        let found = self.probabilities().into_iter().position(|p| {
            sum += p;
            sum > u
        });
        self.all
            .get(found.unwrap_or(self.all.len() - 1))
            .map(|candidate| candidate.token)
    }
}

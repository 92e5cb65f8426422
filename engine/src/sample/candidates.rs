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

/// The tokens that no filter has removed. Their memory is used again for the next token.
#[derive(Clone, Debug, Default)]
pub(super) struct Candidates {
    all: Vec<Candidate>,
    /// Tokens at minus infinity. They cannot be chosen, but until a filter drops them an even
    /// distribution would have a place for them, by which the dynamic temperature measures.
    masked: usize,
    sorted: bool,
    /// Probabilities, when they were last asked for.
    probabilities: Vec<f64>,
    /// Places or tokens with a number each, for filters that sort them.
    pub(super) marks: Vec<(usize, f64)>,
}

impl Candidates {
    /// Bytes for a vocabulary.
    pub(super) fn memory_bytes(vocabulary: usize) -> usize {
        vocabulary * (size_of::<Candidate>() + size_of::<f64>())
    }

    /// All tokens but those whose logit is minus infinity, in place of those that were there.
    pub(super) fn read(&mut self, logits: &[f32]) -> Result<(), SampleError> {
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
        self.all.clear();
        self.all.reserve_exact(logits.len());
        self.all.extend(finite.map(|(token, &logit)| Candidate {
            token: token as u32,
            logit: logit.into(),
        }));
        self.masked = logits.len() - self.all.len();
        self.sorted = false;
        if self.all.is_empty() {
            Err(SampleError::Impossible)
        } else {
            Ok(())
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
        let mut places = self.all.iter().enumerate();
        if !places.any(|(place, candidate)| keep(place, candidate)) {
            return;
        }
        let mut place = 0;
        self.all.retain(|candidate| {
            place += 1;
            keep(place - 1, candidate)
        });
    }

    /// Keeps those for which `keep` holds of place and probability, if any.
    pub(super) fn retain_probable(&mut self, keep: impl Fn(usize, f64) -> bool) {
        self.probabilities();
        let probabilities = std::mem::take(&mut self.probabilities);
        self.retain(|place, _| keep(place, probabilities[place]));
        self.probabilities = probabilities;
    }

    /// The largest logit.
    pub(super) fn max(&self) -> f64 {
        self.all
            .iter()
            .fold(f64::NEG_INFINITY, |max, candidate| max.max(candidate.logit))
    }

    /// The probabilities, in the candidates' order.
    pub(super) fn probabilities(&mut self) -> &[f64] {
        let max = self.max();
        let weights = self.all.iter().map(|c| libm::exp(c.logit - max));
        self.probabilities.clear();
        self.probabilities.extend(weights);
        let sum: f64 = self.probabilities.iter().sum();
        self.probabilities
            .iter_mut()
            .for_each(|weight| *weight /= sum);
        &self.probabilities
    }

    /// The first whose cumulative probability exceeds `u`; the last if rounding leaves none.
    pub(super) fn draw(&mut self, u: f64) -> Option<u32> {
        let mut sum = 0.0;
        let found = self.probabilities().iter().position(|p| {
            sum += p;
            sum > u
        });
        self.all
            .get(found.unwrap_or(self.all.len() - 1))
            .map(|candidate| candidate.token)
    }
}

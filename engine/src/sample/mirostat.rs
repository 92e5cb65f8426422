//! Mirostat (Basu and others, 2020): the surprise of the chosen tokens is steered to a target.

use super::SampleError;
use super::candidates::Candidates;
use super::random::Pcg32;
use super::settings::{Mirostat, Settings};

/// Candidates that the first version estimates its exponent from.
const ESTIMATED: usize = 100;

/// What is steered.
#[derive(Clone, Debug)]
pub(super) struct MirostatState {
    /// The largest surprise allowed, in bits.
    most: f64,
}

impl MirostatState {
    pub(super) fn new(s: &Settings) -> Self {
        Self {
            most: 2.0 * f64::from(s.mirostat_tau),
        }
    }

    /// The one with this bound.
    pub(super) fn at(most: f64) -> Self {
        Self { most }
    }

    /// The bound.
    pub(super) fn most(&self) -> f64 {
        self.most
    }

    /// Keeps, of sorted candidates, those that surprise little enough.
    pub(super) fn cut(&self, s: &Settings, candidates: &mut Candidates) {
        match s.mirostat {
            Mirostat::V1 => self.cut_to_k(candidates),
            Mirostat::V2 | Mirostat::Off => {
                candidates.retain_probable(|place, p| place == 0 || -libm::log2(p) <= self.most);
            }
        }
    }

    /// Chooses among what was kept and adjusts the bound.
    pub(super) fn choose(
        &mut self,
        s: &Settings,
        candidates: &mut Candidates,
        random: &mut Pcg32,
    ) -> Result<u32, SampleError> {
        let token = candidates
            .draw(random.unit())
            .ok_or(SampleError::Impossible)?;
        let chosen = candidates
            .iter()
            .position(|candidate| candidate.token == token)
            .unwrap_or(0);
        let surprise = -libm::log2(candidates.probabilities()[chosen]);
        self.most -= f64::from(s.mirostat_eta) * (surprise - f64::from(s.mirostat_tau));
        Ok(token)
    }

    /// Keeps as many candidates as a Zipf distribution with the estimated exponent asks for.
    fn cut_to_k(&self, candidates: &mut Candidates) {
        let vocabulary = candidates.len() as f64;
        let probabilities = candidates.probabilities();
        let (mut products, mut squares) = (0.0, 0.0);
        for (i, pair) in probabilities.windows(2).take(ESTIMATED - 1).enumerate() {
            let t = libm::log((i + 2) as f64 / (i + 1) as f64);
            products += t * libm::log(pair[0] / pair[1]);
            squares += t * t;
        }
        let exponent = products / squares;
        let epsilon = exponent - 1.0;
        let k = libm::pow(
            epsilon * libm::pow(2.0, self.most) / (1.0 - libm::pow(vocabulary, -epsilon)),
            1.0 / exponent,
        );
        let k = if k.is_finite() {
            k.max(1.0).min(vocabulary)
        } else {
            vocabulary
        };
        candidates.keep_best(k as usize);
    }
}

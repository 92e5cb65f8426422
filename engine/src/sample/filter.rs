//! The filters of the chain, each a few lines.

use super::candidates::Candidates;
use super::random::Pcg32;
use super::settings::Settings;
use std::collections::{BTreeMap, VecDeque};

/// The newest `last_n` tokens; all if it is negative.
pub(super) fn window(recent: &VecDeque<u32>, last_n: i32) -> impl DoubleEndedIterator<Item = u32> {
    let len = usize::try_from(last_n).map_or(recent.len(), |n| n.min(recent.len()));
    recent.range(recent.len() - len..).copied()
}

pub(super) fn penalties(candidates: &mut Candidates, s: &Settings, recent: &VecDeque<u32>) {
    let (repeat, frequency, presence) = (
        f64::from(s.repeat_penalty),
        f64::from(s.frequency_penalty),
        f64::from(s.presence_penalty),
    );
    if s.repeat_last_n == 0 || (repeat == 1.0 && frequency == 0.0 && presence == 0.0) {
        return;
    }
    let mut counts: BTreeMap<u32, f64> = BTreeMap::new();
    for token in window(recent, s.repeat_last_n) {
        *counts.entry(token).or_default() += 1.0;
    }
    for (token, count) in counts {
        candidates.change(token, |logit| {
            // Dividing a negative logit would make it likelier.
            let repeated = if logit <= 0.0 {
                logit * repeat
            } else {
                logit / repeat
            };
            repeated - count * frequency - presence
        });
    }
}

pub(super) fn top_n_sigma(candidates: &mut Candidates, sigmas: f64) {
    if sigmas <= 0.0 || candidates.len() <= 1 {
        return;
    }
    let count = candidates.len() as f64;
    let mean = candidates.iter().map(|c| c.logit).sum::<f64>() / count;
    let variance = candidates
        .iter()
        .map(|c| (c.logit - mean) * (c.logit - mean))
        .sum::<f64>()
        / count;
    let least = candidates.max() - sigmas * variance.sqrt();
    candidates.mask(|candidate| candidate.logit >= least);
}

pub(super) fn top_k(candidates: &mut Candidates, k: i32, min_keep: usize) {
    if let Ok(k @ 1..) = usize::try_from(k) {
        candidates.keep_best(k.max(min_keep));
    }
}

pub(super) fn typical(candidates: &mut Candidates, p: f64, min_keep: usize) {
    if p >= 1.0 {
        return;
    }
    candidates.sort();
    let probabilities = candidates.probabilities();
    let surprise = |p: f64| {
        if p > 0.0 {
            -libm::log(p)
        } else {
            f64::INFINITY
        }
    };
    let entropy: f64 = probabilities
        .iter()
        .filter(|&&p| p > 0.0)
        .map(|&p| p * surprise(p))
        .sum();
    let mut places: Vec<usize> = (0..probabilities.len()).collect();
    let distance = |place: usize| (surprise(probabilities[place]) - entropy).abs();
    places.sort_by(|&a, &b| distance(a).total_cmp(&distance(b)));
    let mut sum = 0.0;
    let mut keep = vec![false; probabilities.len()];
    for (count, place) in places.into_iter().enumerate() {
        keep[place] = true;
        sum += probabilities[place];
        if sum > p && count + 1 >= min_keep {
            break;
        }
    }
    candidates.retain(|place, _| keep[place]);
    candidates.drop_masked();
}

pub(super) fn top_p(candidates: &mut Candidates, p: f64, min_keep: usize) {
    if p >= 1.0 {
        return;
    }
    candidates.sort();
    let mut sum = 0.0;
    let last =
        candidates
            .probabilities()
            .into_iter()
            .enumerate()
            .position(|(place, probability)| {
                sum += probability;
                sum >= p && place + 1 >= min_keep
            });
    if let Some(last) = last {
        candidates.keep_best(last + 1);
    }
}

pub(super) fn min_p(candidates: &mut Candidates, p: f64, min_keep: usize) {
    if p <= 0.0 {
        return;
    }
    let least = candidates.max() + libm::log(p);
    let enough = candidates.iter().filter(|c| c.logit >= least).count();
    // Above 1 not even the best is probable enough.
    if enough < min_keep.max(1) {
        candidates.keep_best(min_keep);
    } else {
        candidates.retain(|_, candidate| candidate.logit >= least);
        candidates.drop_masked();
    }
}

pub(super) fn xtc(candidates: &mut Candidates, s: &Settings, random: &mut Pcg32) {
    if s.xtc_probability <= 0.0 || s.xtc_threshold > 0.5 || candidates.len() < 2 {
        return;
    }
    if random.unit() > f64::from(s.xtc_probability) {
        return;
    }
    candidates.sort();
    let above = candidates
        .probabilities()
        .into_iter()
        .take_while(|&p| p >= f64::from(s.xtc_threshold))
        .count();
    // All top choices but the least probable of them go.
    if above >= 2 && candidates.len() - (above - 1) >= s.min_keep {
        candidates.retain(|place, _| place + 1 >= above);
    }
}

pub(super) fn temperature(candidates: &mut Candidates, s: &Settings) {
    let (base, range) = (f64::from(s.temperature), f64::from(s.dynatemp_range));
    if range <= 0.0 || candidates.places() <= 1 {
        return set_temperature(candidates, base);
    }
    let (least, most) = ((base - range).max(0.0), base + range);
    let entropy: f64 = candidates
        .probabilities()
        .iter()
        .filter(|&&p| p > 0.0)
        .map(|&p| -p * libm::log(p))
        .sum();
    let normalised = entropy / libm::log(candidates.places() as f64);
    set_temperature(
        candidates,
        least + (most - least) * libm::pow(normalised, s.dynatemp_exponent.into()),
    );
}

fn set_temperature(candidates: &mut Candidates, temperature: f64) {
    if temperature <= 0.0 {
        candidates.keep_best(1);
    } else {
        candidates.scale(|logit| logit / temperature);
    }
}

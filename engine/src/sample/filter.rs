//! The filters of the chain, each a few lines.

use super::candidates::Candidates;
use super::random::Pcg32;
use super::settings::Settings;
use std::collections::VecDeque;

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
    let mut counts = std::mem::take(&mut candidates.marks);
    counts.clear();
    let most = usize::try_from(s.repeat_last_n).unwrap_or(usize::MAX);
    // As many as there can be at some time: an answer takes no memory token by token.
    counts.reserve(most.min(recent.capacity()));
    counts.extend(window(recent, s.repeat_last_n).map(|token| (token as usize, 1.0)));
    counts.sort_unstable_by_key(|&(token, _)| token);
    counts.dedup_by(|next, first| {
        let is_same = next.0 == first.0;
        first.1 += if is_same { next.1 } else { 0.0 };
        is_same
    });
    for &(token, count) in &counts {
        candidates.change(token as u32, |logit| {
            // Dividing a negative logit would make it likelier.
            let repeated = if logit <= 0.0 {
                logit * repeat
            } else {
                logit / repeat
            };
            repeated - count * frequency - presence
        });
    }
    candidates.marks = counts;
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
    let mut places = std::mem::take(&mut candidates.marks);
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
    let distance = |p: f64| (surprise(p) - entropy).abs();
    places.clear();
    places.extend(probabilities.iter().map(|&p| distance(p)).enumerate());
    places.sort_unstable_by(|a, b| a.1.total_cmp(&b.1).then(a.0.cmp(&b.0)));
    let mut sum = 0.0;
    let taken = places.iter().enumerate().position(|(count, &(place, _))| {
        sum += probabilities[place];
        sum > p && count + 1 >= min_keep
    });
    if let Some(last) = taken {
        places.truncate(last + 1);
    }
    places.sort_unstable_by_key(|&(place, _)| place);
    candidates.retain(|place, _| places.binary_search_by_key(&place, |&(at, _)| at).is_ok());
    candidates.marks = places;
    candidates.drop_masked();
}

pub(super) fn top_p(candidates: &mut Candidates, p: f64, min_keep: usize) {
    if p >= 1.0 {
        return;
    }
    candidates.sort();
    let mut sum = 0.0;
    let last = candidates
        .probabilities()
        .iter()
        .enumerate()
        .position(|(place, &probability)| {
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
        .iter()
        .take_while(|&&p| p >= f64::from(s.xtc_threshold))
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

//! "Don't repeat yourself": tokens that would lengthen a repetition are made less likely.
//!
//! For every earlier place that ends as the text ends, over `n` tokens, the token after it gets
//! `multiplier · base^(n − allowed)` taken off, for the longest such `n`. Nothing is compared across a
//! sequence breaker, and a token that contains one is never made less likely.

use super::breakers::Breakers;
use super::candidates::Candidates;
use super::filter::window;
use super::settings::Settings;
use std::collections::{BTreeMap, VecDeque};

/// The natural logarithm of the largest `f32`, which the exponential does not exceed.
const LARGEST_LOG: f64 = 88.722_839_1;

pub(super) fn apply(
    candidates: &mut Candidates,
    s: &Settings,
    recent: &VecDeque<u32>,
    breakers: &Breakers,
) {
    if s.dry_multiplier == 0.0 || s.dry_base < 1.0 || s.dry_penalty_last_n == 0 {
        return;
    }
    // Newest first, up to the newest breaker for the text's end.
    let backwards: Vec<u32> = window(recent, s.dry_penalty_last_n).rev().collect();
    let limit = breakers.nearest(&backwards).unwrap_or(backwards.len());
    let allowed = usize::try_from(s.dry_allowed_length).unwrap_or(0);
    if limit < allowed || backwards.len() <= allowed {
        return;
    }
    let mut longest: BTreeMap<u32, usize> = BTreeMap::new();
    for (place, length) in repeats(&backwards).into_iter().enumerate().skip(1) {
        let length = length.min(limit);
        let next = backwards[place - 1];
        if length >= allowed && !breakers.is_single(next) {
            let entry = longest.entry(next).or_default();
            *entry = (*entry).max(length);
        }
    }
    let base = f64::from(s.dry_base);
    let most = if base > 1.000_001 {
        libm::floor(LARGEST_LOG / libm::log(base))
    } else {
        f64::INFINITY
    };
    for (token, length) in longest {
        let exponent = ((length - allowed) as f64).min(most);
        let penalty = f64::from(s.dry_multiplier) * libm::pow(base, exponent);
        candidates.change(token, |logit| logit - penalty);
    }
}

/// For every place the length of the run that begins there and equals the beginning (the Z function).
fn repeats(tokens: &[u32]) -> Vec<usize> {
    let mut lengths = vec![0; tokens.len()];
    let (mut start, mut end) = (0, 0);
    for place in 1..tokens.len() {
        let mut length = if place < end {
            (end - place).min(lengths[place - start])
        } else {
            0
        };
        while place + length < tokens.len() && tokens[length] == tokens[place + length] {
            length += 1;
        }
        if place + length > end {
            (start, end) = (place, place + length);
        }
        lengths[place] = length;
    }
    lengths
}

#[cfg(test)]
mod tests {
    use super::repeats;

    #[test]
    fn repeats_are_those_found_by_comparing() {
        let mut random = crate::sample::random::Pcg32::new(1);
        for len in 0..40 {
            let tokens: Vec<u32> = (0..len).map(|_| random.next_u32() % 3).collect();
            let naive = |place: usize| {
                (place..len)
                    .take_while(|&at| tokens[at] == tokens[at - place])
                    .count()
            };
            let expected: Vec<usize> = (0..len)
                .map(|place| if place == 0 { 0 } else { naive(place) })
                .collect();
            assert_eq!(repeats(&tokens), expected, "{tokens:?}");
        }
    }
}

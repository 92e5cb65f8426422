//! Samplers to test, and what they are without being told.

use fidelis_engine::sample::{Filter, Mirostat, NoVocabulary, Sampler, Settings};
use std::collections::BTreeMap;

pub(crate) fn sampler(settings: Settings) -> Sampler {
    Sampler::new(settings, &NoVocabulary).expect("settings that make sense")
}

/// Settings with this chain alone, everything else off.
pub(crate) fn only(filters: &str) -> Settings {
    Settings {
        filters: Filter::by_names(filters).expect("known filters"),
        top_k: 0,
        top_p: 1.0,
        min_p: 0.0,
        temperature: 1.0,
        ..Settings::default()
    }
}

/// Logits of these probabilities.
pub(crate) fn logits(probabilities: &[f64]) -> Vec<f32> {
    probabilities.iter().map(|p| libm::log(*p) as f32).collect()
}

/// Which tokens come in many draws.
pub(crate) fn drawn(settings: &Settings, logits: &[f32], recent: &[u32]) -> BTreeMap<u32, usize> {
    let mut counts = BTreeMap::new();
    for seed in 0..400 {
        let mut sampler = sampler(Settings {
            seed,
            ..settings.clone()
        });
        recent.iter().for_each(|&token| sampler.accept(token));
        *counts
            .entry(sampler.sample(logits).expect("a token"))
            .or_default() += 1;
    }
    counts
}

pub(crate) fn tokens(settings: &Settings, logits: &[f32], recent: &[u32]) -> Vec<u32> {
    drawn(settings, logits, recent).into_keys().collect()
}

#[test]
fn the_defaults_are_those_of_llama_cpp() {
    let s = Settings::default();
    let names = "penalties;dry;top_n_sigma;top_k;typ_p;top_p;min_p;xtc;temperature";
    assert_eq!(s.filters, Filter::by_names(names).expect("known filters"));
    assert_eq!(
        (s.top_k, s.top_p, s.min_p, s.typical, s.top_n_sigma),
        (40, 0.95, 0.05, 1.0, -1.0)
    );
    assert_eq!(
        (s.temperature, s.dynatemp_range, s.dynatemp_exponent),
        (0.8, 0.0, 1.0)
    );
    assert_eq!((s.xtc_probability, s.xtc_threshold), (0.0, 0.1));
    assert_eq!(
        (
            s.repeat_last_n,
            s.repeat_penalty,
            s.frequency_penalty,
            s.presence_penalty
        ),
        (64, 1.0, 0.0, 0.0)
    );
    assert_eq!(
        (
            s.dry_multiplier,
            s.dry_base,
            s.dry_allowed_length,
            s.dry_penalty_last_n
        ),
        (0.0, 1.75, 2, -1)
    );
    assert_eq!(
        (s.mirostat, s.mirostat_tau, s.mirostat_eta),
        (Mirostat::Off, 5.0, 0.1)
    );
}

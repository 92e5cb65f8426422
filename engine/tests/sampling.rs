//! The chain against values worked out by hand.

use fidelis_engine::sample::{
    Filter, Mirostat, NoVocabulary, SampleError, Sampler, Settings, Vocabulary,
};
use std::collections::BTreeMap;

fn sampler(settings: Settings) -> Sampler {
    Sampler::new(settings, &NoVocabulary).expect("settings that make sense")
}

/// Settings with this chain alone, everything else off.
fn only(filters: &str) -> Settings {
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
fn logits(probabilities: &[f64]) -> Vec<f32> {
    probabilities.iter().map(|p| libm::log(*p) as f32).collect()
}

/// Which tokens come in many draws.
fn drawn(settings: &Settings, logits: &[f32], recent: &[u32]) -> BTreeMap<u32, usize> {
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

fn tokens(settings: &Settings, logits: &[f32], recent: &[u32]) -> Vec<u32> {
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

#[test]
fn temperature_zero_takes_the_largest_and_of_equals_the_first() {
    assert_eq!(Sampler::greedy().sample(&[0.0, 3.0, 3.0, 1.0]), Ok(1));
    assert_eq!(
        sampler(Settings {
            temperature: -1.0,
            ..Settings::default()
        })
        .sample(&[5.0, 5.0]),
        Ok(0)
    );
}

#[test]
fn each_filter_keeps_what_its_rule_says() {
    let p = logits(&[0.1, 0.2, 0.3, 0.4]);
    assert_eq!(tokens(&only(""), &p, &[]), [0, 1, 2, 3]);
    assert_eq!(
        tokens(
            &Settings {
                top_k: 2,
                ..only("top_k")
            },
            &p,
            &[]
        ),
        [2, 3]
    );
    // 0.4 + 0.3 is the first sum that reaches 0.6.
    assert_eq!(
        tokens(
            &Settings {
                top_p: 0.6,
                ..only("top_p")
            },
            &p,
            &[]
        ),
        [2, 3]
    );
    // 0.7 of 0.4 is 0.28.
    assert_eq!(
        tokens(
            &Settings {
                min_p: 0.7,
                ..only("min_p")
            },
            &p,
            &[]
        ),
        [2, 3]
    );
    // Top choices are 0.4 and 0.3; the lesser stays.
    assert_eq!(
        tokens(
            &Settings {
                xtc_probability: 1.0,
                xtc_threshold: 0.25,
                ..only("xtc")
            },
            &p,
            &[]
        ),
        [0, 1, 2]
    );
    // The entropy is 1.28; the surprises 2.30, 1.61, 1.20, 0.92 lie nearest for 2, then 1.
    assert_eq!(
        tokens(
            &Settings {
                typical: 0.4,
                ..only("typ_p")
            },
            &p,
            &[]
        ),
        [1, 2]
    );
    // Mean 2, deviation √10/… of 0, 0, 0, 8: 2 ± 3.46; one deviation below 8 leaves 8 alone.
    assert_eq!(
        tokens(
            &Settings {
                top_n_sigma: 1.0,
                ..only("top_n_sigma")
            },
            &[0.0, 0.0, 0.0, 8.0],
            &[]
        ),
        [3]
    );
}

#[test]
fn penalties_count_what_the_window_holds() {
    let greedy = |settings: Settings, logits: &[f32], recent: &[u32]| {
        tokens(
            &Settings {
                temperature: 0.0,
                ..settings
            },
            logits,
            recent,
        )
    };
    let penalties = only("penalties;temperature");
    // 3 / 2 falls below 2; −1 · 2 falls further.
    assert_eq!(
        greedy(
            Settings {
                repeat_penalty: 2.0,
                ..penalties.clone()
            },
            &[3.0, 2.0],
            &[0]
        ),
        [1]
    );
    assert_eq!(
        greedy(
            Settings {
                repeat_penalty: 2.0,
                ..penalties.clone()
            },
            &[-1.0, -1.5],
            &[0]
        ),
        [1]
    );
    assert_eq!(
        greedy(
            Settings {
                presence_penalty: 0.9,
                ..penalties.clone()
            },
            &[3.0, 2.0],
            &[0, 0, 0]
        ),
        [0]
    );
    assert_eq!(
        greedy(
            Settings {
                frequency_penalty: 0.4,
                ..penalties.clone()
            },
            &[3.0, 2.0],
            &[0, 0, 0]
        ),
        [1]
    );
    assert_eq!(
        greedy(
            Settings {
                frequency_penalty: 0.4,
                repeat_last_n: 2,
                ..penalties
            },
            &[3.0, 2.0],
            &[0, 0, 0]
        ),
        [0]
    );
}

#[test]
fn dry_penalises_what_would_repeat() {
    // "7 8 9" was followed by 5; after "7 8 9" again, 5 costs 1 · 2^(3 − 2) = 2.
    let dry = Settings {
        dry_multiplier: 1.0,
        dry_base: 2.0,
        temperature: 0.0,
        ..only("dry;temperature")
    };
    let mut logits = vec![0.0; 10];
    logits[5] = 1.9;
    assert_eq!(tokens(&dry, &logits, &[7, 8, 9, 5, 1, 7, 8, 9]), [0]);
    logits[5] = 2.1;
    assert_eq!(tokens(&dry, &logits, &[7, 8, 9, 5, 1, 7, 8, 9]), [5]);
    // A breaker between leaves nothing to repeat.
    logits[5] = 0.1;
    let mut broken = Sampler::new(dry, &Lines).expect("settings that make sense");
    [7, 8, 9, 5, 1, 7, 8, 9]
        .into_iter()
        .for_each(|token| broken.accept(token));
    assert_eq!(broken.sample(&logits), Ok(5));
}

/// Ten tokens, of which 8 is a line's end.
struct Lines;

impl Vocabulary for Lines {
    fn tokens(&self) -> usize {
        10
    }
    fn bytes(&self, token: u32) -> Vec<u8> {
        if token == 8 { b"\n" } else { b"x" }.to_vec()
    }
    fn tokenize(&self, text: &str) -> Vec<u32> {
        text.chars()
            .map(|c| if c == '\n' { 8 } else { 0 })
            .collect()
    }
}

#[test]
fn draws_follow_the_probabilities() {
    let p = [0.5, 0.25, 0.125, 0.125];
    let mut sampler = sampler(Settings {
        seed: 3,
        ..only("")
    });
    let mut counts = [0.0; 4];
    let draws = 20_000;
    for _ in 0..draws {
        counts[sampler.sample(&logits(&p)).expect("a token") as usize] += 1.0;
    }
    let square: f64 = counts
        .iter()
        .zip(p)
        .map(|(n, p)| (n - f64::from(draws) * p, f64::from(draws) * p))
        .map(|(off, expected)| off * off / expected)
        .sum();
    // The 99.9th percentile of chi-square with 3 degrees of freedom.
    assert!(square < 16.27, "{counts:?}: {square}");
}

#[test]
fn mirostat_steers_surprise_towards_its_target() {
    let weights: Vec<f64> = (1..=1000).map(|rank| 1.0 / f64::from(rank)).collect();
    let total: f64 = weights.iter().sum();
    let p: Vec<f64> = weights.iter().map(|w| w / total).collect();
    // What draws without any cut surprise by, in bits.
    let entropy: f64 = p.iter().map(|p| -p * libm::log2(*p)).sum();
    for version in [Mirostat::V1, Mirostat::V2] {
        let mean = |tau: f32| {
            let settings = Settings {
                mirostat: version,
                mirostat_tau: tau,
                temperature: 1.0,
                seed: 5,
                ..Settings::default()
            };
            let mut sampler = sampler(settings);
            let mut draw =
                || -libm::log2(p[sampler.sample(&logits(&p)).expect("a token") as usize]);
            assert!((0..200).all(|_| draw() >= 0.0));
            (0..2000).map(|_| draw()).sum::<f64>() / 2000.0
        };
        let means = [1.0, 3.0, 5.0].map(mean);
        assert!(
            means[0] < means[1] && means[1] < means[2] && means[2] < entropy,
            "{version:?}: {means:?} of {entropy}"
        );
    }
}

#[test]
fn a_seed_means_the_same_tokens() {
    let p: Vec<f32> = (0..500).map(|i| ((i * 37) % 101) as f32 / 20.0).collect();
    let run = || {
        let mut sampler = sampler(Settings {
            seed: 42,
            ..Settings::default()
        });
        (0..50)
            .map(|_| sampler.sample(&p).expect("a token"))
            .collect::<Vec<_>>()
    };
    assert_eq!(run(), run());
}

#[test]
fn what_cannot_be_sampled_is_said() {
    let sample = |logits: &[f32]| sampler(Settings::default()).sample(logits);
    assert_eq!(sample(&[]), Err(SampleError::Empty));
    assert!(matches!(
        sample(&[0.0, f32::NAN]),
        Err(SampleError::NonFinite { token: 1, .. })
    ));
    assert!(matches!(
        sample(&[f32::INFINITY]),
        Err(SampleError::NonFinite { token: 0, .. })
    ));
    assert_eq!(
        sample(&[f32::NEG_INFINITY; 3]),
        Err(SampleError::Impossible)
    );
    assert_eq!(sample(&[f32::NEG_INFINITY, 1.0]), Ok(1));
    assert!(Filter::by_names("top_q").is_err());
    assert!(
        Sampler::new(
            Settings {
                repeat_penalty: 0.0,
                ..Settings::default()
            },
            &NoVocabulary
        )
        .is_err()
    );
}

#[test]
fn any_settings_choose_a_possible_token() {
    let mut random = fidelis_engine::sample::random::Pcg32::new(9);
    for case in 0..3000 {
        let mut unit = || random.unit() as f32;
        let settings = Settings {
            seed: case,
            top_k: (unit() * 20.0) as i32 - 5,
            top_p: unit(),
            min_p: unit(),
            typical: unit(),
            top_n_sigma: unit() * 3.0 - 1.0,
            xtc_probability: unit(),
            xtc_threshold: unit(),
            temperature: unit() * 3.0 - 0.5,
            dynatemp_range: unit(),
            repeat_penalty: 0.5 + unit(),
            dry_multiplier: unit(),
            min_keep: (unit() * 4.0) as usize,
            mirostat: [Mirostat::Off, Mirostat::V1, Mirostat::V2][(unit() * 2.99) as usize],
            ..Settings::default()
        };
        let logits: Vec<f32> = (0..1 + case % 50)
            .map(|_| {
                if unit() < 0.2 {
                    f32::NEG_INFINITY
                } else {
                    unit() * 20.0 - 10.0
                }
            })
            .collect();
        let mut sampler = sampler(settings);
        (0..30).for_each(|i| sampler.accept(i % 7));
        match sampler.sample(&logits) {
            Ok(token) => assert!(logits[token as usize].is_finite(), "case {case}"),
            Err(error) => assert!(
                logits.iter().all(|l| !l.is_finite()),
                "case {case}: {error}"
            ),
        }
    }
}

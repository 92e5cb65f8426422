//! When choosing the largest logit is all that a sampler does, so that a device may do it.

use fidelis_engine::sample::{Filter, Mirostat, NoVocabulary, Sampler, Settings};
use rand_core::Rng;
use rand_pcg::Pcg64;

fn greedy() -> Settings {
    Settings {
        temperature: 0.0,
        ..Settings::default()
    }
}

fn sampler(settings: Settings) -> Sampler {
    Sampler::new(settings, &NoVocabulary).expect("settings")
}

/// Every setting that could make another token than the largest win, one at a time.
fn others() -> Vec<(&'static str, Settings)> {
    let without = |gone: Filter| {
        let filters = Settings::default().filters;
        filters.into_iter().filter(|&f| f != gone).collect()
    };
    vec![
        (
            "temperature",
            Settings {
                temperature: 0.1,
                ..greedy()
            },
        ),
        (
            "dynatemp",
            Settings {
                dynatemp_range: 0.5,
                ..greedy()
            },
        ),
        (
            "repeat",
            Settings {
                repeat_penalty: 1.1,
                ..greedy()
            },
        ),
        (
            "frequency",
            Settings {
                frequency_penalty: 0.1,
                ..greedy()
            },
        ),
        (
            "presence",
            Settings {
                presence_penalty: -0.1,
                ..greedy()
            },
        ),
        (
            "dry",
            Settings {
                dry_multiplier: 0.8,
                ..greedy()
            },
        ),
        (
            "typical",
            Settings {
                typical: 0.5,
                ..greedy()
            },
        ),
        (
            "xtc",
            Settings {
                xtc_probability: 0.5,
                ..greedy()
            },
        ),
        (
            "mirostat",
            Settings {
                mirostat: Mirostat::V2,
                ..greedy()
            },
        ),
        (
            "bias",
            Settings {
                logit_bias: vec![(3, 1.0)],
                ..greedy()
            },
        ),
        (
            "no temperature",
            Settings {
                filters: without(Filter::Temperature),
                ..greedy()
            },
        ),
    ]
}

#[test]
fn nothing_that_may_change_the_choice_passes_as_greedy() {
    assert!(Sampler::greedy().is_greedy());
    assert!(!sampler(Settings::default()).is_greedy());
    for (what, settings) in others() {
        assert!(!sampler(settings).is_greedy(), "{what}");
    }
    // What is not in the chain does nothing.
    let unused = Settings {
        filters: vec![Filter::TopK, Filter::Temperature],
        repeat_penalty: 1.5,
        xtc_probability: 1.0,
        ..greedy()
    };
    assert!(sampler(unused).is_greedy());
}

#[test]
fn a_greedy_sampler_takes_the_first_of_the_largest() {
    let mut random = Pcg64::new(1, 54);
    for (top_k, top_p, min_p, top_n_sigma) in [
        (40, 0.95, 0.05, -1.0),
        (1, 1.0, 0.0, 1.0),
        (0, 0.1, 0.9, 0.5),
    ] {
        let mut sampler = sampler(Settings {
            top_k,
            top_p,
            min_p,
            top_n_sigma,
            ..greedy()
        });
        assert!(sampler.is_greedy());
        for length in [1, 2, 7, 300] {
            for _ in 0..20 {
                // Few values, so that many are equal.
                let logits: Vec<f32> = (0..length)
                    .map(|_| (random.next_u32() % 5) as f32 - 2.0)
                    .collect();
                let first =
                    (0..length).fold(0, |best, i| if logits[i] > logits[best] { i } else { best });
                assert_eq!(sampler.sample(&logits), Ok(first as u32), "{logits:?}");
                sampler.accept(first as u32);
            }
        }
    }
}

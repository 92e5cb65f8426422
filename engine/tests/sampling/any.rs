//! Any logits and any settings: a possible token, or why not.

use crate::settings::sampler;
use fidelis_engine::sample::random::Pcg32;
use fidelis_engine::sample::{Filter, Mirostat, NoVocabulary, SampleError, Sampler, Settings};

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
    let mut random = Pcg32::new(9);
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

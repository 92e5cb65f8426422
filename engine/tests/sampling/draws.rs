//! Draws, and the surprise that Mirostat aims at.

use crate::settings::{logits, only, sampler};
use fidelis_engine::sample::{Mirostat, Settings};

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

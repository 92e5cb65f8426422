//! What the filters keep.

use crate::settings::{logits, only, sampler, tokens};
use fidelis_engine::sample::{Sampler, Settings};

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

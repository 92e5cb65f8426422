//! What came before costs.

use crate::settings::{only, tokens};
use fidelis_engine::sample::{Sampler, Settings, Vocabulary};

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

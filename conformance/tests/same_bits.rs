//! One model, one list of ids, one tier: the logits are the same bits however the work is done.

use fidelis_engine::backend::{
    BackendError, CacheFormat, CpuBackend, CpuSettings, Logits, Step, Tier,
};
use fidelis_engine::gguf::File;
use fidelis_engine::model::Model;
use fidelis_simd::Level;
use std::path::Path;

const MODELS: [&str; 8] = [
    "llama-f32",
    "llama-q4_k_m",
    "llama3-f32",
    "gemma2-f32",
    "gemma3-f32",
    "gemma3-q4_k_m",
    "qwen2-f32",
    "qwen3-f32",
];

fn open(name: &str) -> File {
    File::open(
        &Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("oracle")
            .join(format!("{name}.gguf")),
    )
    .expect("the oracle is committed")
}

/// Ids that fill more than a chunk of the cache, a window and a block of keys.
fn tokens(count: usize, vocabulary: usize) -> Vec<u32> {
    (0..count)
        .map(|i| ((i * 7919 + 13) % vocabulary) as u32)
        .collect()
}

fn settings(context: usize) -> CpuSettings {
    CpuSettings {
        threads: 1,
        ..CpuSettings::new(context).expect("a level")
    }
}

/// The logits of every token, read `split` tokens at a time.
fn logits(model: &Model<'_>, settings: &CpuSettings, tokens: &[u32], split: usize) -> Vec<u64> {
    let mut backend = CpuBackend::new(&model.graph, settings).expect("a back end");
    let mut bits = Vec::new();
    for part in tokens.chunks(split) {
        let step = Step {
            tokens: part,
            position: backend.position(),
            logits: Logits::All,
        };
        let logits = backend.forward(&step).expect("a forward pass");
        let single: Vec<u64> = logits.iter().map(|logit| logit.to_bits().into()).collect();
        bits.extend(backend.exact_logits().map_or(single, |exact| {
            exact.iter().map(|logit| logit.to_bits()).collect()
        }));
    }
    bits
}

fn each_model(check: impl Fn(&str, &Model<'_>, &[u32])) {
    for name in MODELS {
        let file = open(name);
        let model = Model::read(&file.gguf().expect("a GGUF file")).expect("a model");
        check(name, &model, &tokens(300, model.config.vocabulary));
    }
}

#[test]
fn a_batch_gives_the_bits_of_one_by_one() {
    each_model(|name, model, tokens| {
        let expected = logits(model, &settings(512), tokens, 1);
        for batch in [2, 7, 31, 32, 33, 64, 512] {
            let found = logits(
                model,
                &CpuSettings {
                    batch,
                    ..settings(512)
                },
                tokens,
                usize::MAX,
            );
            assert!(
                found == expected,
                "{name}: a batch of {batch} gives other bits"
            );
        }
    });
}

#[test]
fn a_prompt_may_be_split_anywhere() {
    each_model(|name, model, tokens| {
        let expected = logits(model, &settings(512), tokens, usize::MAX);
        for split in [3, 100, 127, 128, 129, 257] {
            assert!(
                logits(model, &settings(512), tokens, split) == expected,
                "{name}: split at {split}"
            );
        }
    });
}

#[test]
fn any_number_of_threads_gives_the_same_bits() {
    each_model(|name, model, tokens| {
        let tokens = &tokens[..140];
        for split in [1, usize::MAX] {
            let expected = logits(model, &settings(256), tokens, split);
            for threads in [2, 3, 5, 16] {
                let found = logits(
                    model,
                    &CpuSettings {
                        threads,
                        ..settings(256)
                    },
                    tokens,
                    split,
                );
                assert!(
                    found == expected,
                    "{name}: {threads} threads give other bits"
                );
            }
        }
    });
}

#[test]
fn every_level_and_tier_gives_the_bits_of_the_scalar_level() {
    each_model(|name, model, tokens| {
        let tokens = &tokens[..40];
        for tier in [Tier::Fast, Tier::F32, Tier::Audit] {
            for cache in [CacheFormat::F16, CacheFormat::F32, CacheFormat::Q8_0] {
                let with = |level| CpuSettings {
                    level,
                    tier,
                    cache,
                    ..settings(64)
                };
                let scalar = Level::named("scalar").expect("always there");
                let widths = model
                    .graph
                    .caches
                    .iter()
                    .all(|c| c.key_width % cache.multiple() == 0);
                if tier == Tier::Audit && cache != CacheFormat::F16 {
                    continue;
                }
                if !widths {
                    let refused = CpuBackend::new(&model.graph, &with(scalar));
                    assert!(
                        matches!(refused, Err(BackendError::CacheWidth { .. })),
                        "{name}"
                    );
                    continue;
                }
                let expected = logits(model, &with(scalar), tokens, usize::MAX);
                for level in Level::available() {
                    let found = logits(model, &with(level), tokens, usize::MAX);
                    assert!(
                        found == expected,
                        "{name}: {} {tier:?} {cache}",
                        level.name()
                    );
                }
            }
        }
    });
}

#[test]
fn the_last_logits_are_those_of_all() {
    each_model(|name, model, tokens| {
        let all = logits(model, &settings(512), tokens, usize::MAX);
        let mut backend = CpuBackend::new(
            &model.graph,
            &CpuSettings {
                threads: 2,
                ..settings(512)
            },
        )
        .expect("a back end");
        let last = backend
            .forward(&Step {
                tokens,
                position: 0,
                logits: Logits::Last,
            })
            .expect("a forward pass");
        let last: Vec<u64> = last.iter().map(|logit| logit.to_bits().into()).collect();
        assert!(all.ends_with(&last), "{name}");
    });
}

#[test]
fn going_back_gives_the_bits_of_a_fresh_start() {
    each_model(|name, model, tokens| {
        let expected = logits(model, &settings(512), &tokens[..60], usize::MAX);
        let mut backend = CpuBackend::new(&model.graph, &settings(512)).expect("a back end");
        backend
            .forward(&Step {
                tokens: &tokens[..50],
                position: 0,
                logits: Logits::None,
            })
            .expect("a forward pass");
        backend
            .forward(&Step {
                tokens: &[3, 2, 1],
                position: 50,
                logits: Logits::Last,
            })
            .expect("a forward pass");
        assert!(backend.rewind(50), "{name}: so little is never forgotten");
        let found = backend
            .forward(&Step {
                tokens: &tokens[50..60],
                position: 50,
                logits: Logits::All,
            })
            .expect("a forward pass");
        let found: Vec<u64> = found.iter().map(|logit| logit.to_bits().into()).collect();
        assert!(expected.ends_with(&found), "{name}");
    });
}

#[test]
fn a_window_that_was_overwritten_is_not_gone_back_to() {
    let file = open("gemma3-f32");
    let model = Model::read(&file.gguf().expect("a GGUF file")).expect("a model");
    let ids = tokens(2000, model.config.vocabulary);
    let mut backend = CpuBackend::new(
        &model.graph,
        &CpuSettings {
            batch: 16,
            ..settings(2048)
        },
    )
    .expect("a back end");
    backend
        .forward(&Step {
            tokens: &ids,
            position: 0,
            logits: Logits::None,
        })
        .expect("a forward pass");
    assert!(!backend.rewind(100));
    assert_eq!(backend.position(), 2000);
    assert!(backend.rewind(1999));
}

#[test]
fn impossible_steps_are_refused_by_name() {
    let file = open("llama-f32");
    let model = Model::read(&file.gguf().expect("a GGUF file")).expect("a model");
    let mut backend = CpuBackend::new(&model.graph, &settings(8)).expect("a back end");
    let mut error = |tokens: &[u32], position| {
        let step = Step {
            tokens,
            position,
            logits: Logits::Last,
        };
        backend.forward(&step).expect_err("impossible").to_string()
    };
    assert_eq!(error(&[], 0), "there are no tokens to read");
    assert_eq!(
        error(&[1], 4),
        "the step begins at position 4, but 0 positions were read"
    );
    assert_eq!(
        error(&[1; 9], 0),
        "the context of 8 is full: 0 positions are read, 9 more do not fit"
    );
    assert!(error(&[u32::MAX], 0).starts_with("token id 4294967295 is not below"));
}

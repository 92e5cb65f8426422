//! Whole models on the device against the processor: the oracle's models, prompts in chunks and token by token.
//!
//! Without an adapter the tests say so and pass, unless `FIDELIS_REQUIRE_GPU` is set.

#[path = "models/translate.rs"]
mod translate;

use fidelis_engine::backend::{self, CpuBackend, CpuSettings, Logits};
use fidelis_engine::gguf::File;
use fidelis_engine::model::Model;
use fidelis_offload_gpu::device::{Gpu, reports};
use fidelis_offload_gpu::graph::{CacheFormat, Tier};
use fidelis_offload_gpu::plan::Plan;
use fidelis_offload_gpu::run::{Outcome, Step, Wanted};
use std::path::Path;
use translate::{Settings, graph, upload};

const CONTEXT: usize = 320;

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

/// A device of the test's own, if this machine has one.
fn gpu() -> Option<Gpu> {
    gpu_keeping(None)
}

/// The same, with compiled kernels kept in a folder.
fn gpu_keeping(folder: Option<&Path>) -> Option<Gpu> {
    let wanted = std::env::var("FIDELIS_GPU").ok();
    let index = wanted.map_or(0, |index| index.parse().expect("a number of an adapter"));
    if reports().is_empty() && std::env::var_os("FIDELIS_REQUIRE_GPU").is_none() {
        println!("GPU TESTS DID NOT RUN: there is no adapter");
        return None;
    }
    Some(Gpu::open_keeping(index, folder).expect("an adapter gives a device"))
}

/// How products are computed, and what keys and values are remembered as.
#[derive(Clone, Copy)]
struct Way {
    tier: Tier,
    cache: CacheFormat,
}

const FAST: Way = Way {
    tier: Tier::Fast,
    cache: CacheFormat::F16,
};

const FAST_ON_BYTES: Way = Way {
    tier: Tier::Fast,
    cache: CacheFormat::Q8_0,
};

const FLOATS: Way = Way {
    tier: Tier::F32,
    cache: CacheFormat::F32,
};

/// The logits of every token, read in steps of so many.
fn found(gpu: &Gpu, model: &Model<'_>, way: Way, tokens: &[u32], steps: &[usize]) -> Vec<f32> {
    let batch = steps.iter().copied().max().expect("a step");
    let weights = upload(gpu, &model.graph);
    let settings = Settings {
        tier: way.tier,
        cache: way.cache,
        context: CONTEXT,
        batch,
        wanted: batch,
    };
    let graph = graph(&model.graph, &settings);
    let mut plan = Plan::new(gpu, graph, &weights).expect("a plan");
    let vocabulary = model.config.vocabulary;
    let mut all = vec![f32::NAN; tokens.len() * vocabulary];
    let (mut position, mut next) = (0, 0);
    while position < tokens.len() {
        let count = steps[next % steps.len()].min(tokens.len() - position);
        plan.poison(gpu);
        let logits = &mut all[position * vocabulary..][..count * vocabulary];
        let mut chosen = u32::MAX;
        let mut outcome = Outcome {
            logits: Some(&mut *logits),
            chosen: Some(&mut chosen),
        };
        let step = Step {
            tokens: &tokens[position..][..count],
            count,
            position,
            wanted: Wanted::All,
            choices: vocabulary,
        };
        plan.run(gpu, &step, &[], &mut [], &mut outcome)
            .expect("the step runs");
        let last = &logits[(count - 1) * vocabulary..];
        let most = last.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let first = last.iter().position(|&x| x == most).expect("a largest");
        assert_eq!(chosen as usize, first, "the token chosen on the device");
        (position, next) = (position + count, next + 1);
    }
    all
}

fn expected(model: &Model<'_>, tier: backend::Tier, tokens: &[u32]) -> Vec<f32> {
    let settings = CpuSettings {
        tier,
        ..CpuSettings::new(CONTEXT).expect("a level")
    };
    on_processor(model, &settings, tokens)
}

fn on_processor(model: &Model<'_>, settings: &CpuSettings, tokens: &[u32]) -> Vec<f32> {
    let mut backend = CpuBackend::new(&model.graph, settings).expect("a back end");
    let step = backend::Step {
        tokens,
        position: 0,
        logits: Logits::All,
    };
    backend.forward(&step).expect("a forward pass").to_vec()
}

fn each_model(check: impl Fn(&Gpu, &str, &Model<'_>, &[u32])) {
    let Some(gpu) = gpu() else { return };
    for name in MODELS {
        let oracle = Path::new(env!("CARGO_MANIFEST_DIR")).join("../conformance/oracle");
        let file = File::open(&oracle.join(format!("{name}.gguf"))).expect("the oracle");
        let model = Model::read(&file.gguf().expect("a GGUF file")).expect("a model");
        let tokens: Vec<u32> = (0..300)
            .map(|i| ((i * 7919 + 13) % model.config.vocabulary) as u32)
            .collect();
        check(&gpu, name, &model, &tokens);
    }
}

#[test]
fn fast_logits_have_the_bits_of_the_processor() {
    each_model(|gpu, name, model, tokens| {
        let expected = expected(model, backend::Tier::Fast, tokens);
        for steps in [&[300][..], &[40, 1, 1, 7, 130, 1]] {
            let found = found(gpu, model, FAST, tokens, steps);
            let both = found.iter().zip(&expected);
            let unequal = both.filter(|(a, b)| a.to_bits() != b.to_bits()).count();
            println!(
                "{name} in {steps:?}: {unequal} of {} logits differ",
                found.len()
            );
            assert_eq!(unequal, 0, "{name} in {steps:?}");
        }
    });
}

#[test]
fn logits_from_a_cache_of_bytes_have_the_bits_of_the_processor() {
    each_model(|gpu, name, model, tokens| {
        let settings = CpuSettings {
            tier: backend::Tier::Fast,
            cache: backend::CacheFormat::Q8_0,
            ..CpuSettings::new(CONTEXT).expect("a level")
        };
        if !model.config.key_width.is_multiple_of(32) {
            println!(
                "{name}: no cache of bytes for keys of {}",
                model.config.key_width
            );
            return;
        }
        let expected = on_processor(model, &settings, tokens);
        for steps in [&[300][..], &[40, 1, 1, 7, 130, 1]] {
            let found = found(gpu, model, FAST_ON_BYTES, tokens, steps);
            let both = found.iter().zip(&expected);
            let unequal = both.filter(|(a, b)| a.to_bits() != b.to_bits()).count();
            println!(
                "{name} in {steps:?}: {unequal} of {} logits differ",
                found.len()
            );
            assert_eq!(unequal, 0, "{name} in {steps:?}");
        }
    });
}

#[test]
fn decoded_logits_are_near_the_truth() {
    each_model(|gpu, name, model, tokens| {
        let tokens = &tokens[..150];
        let truth = expected(model, backend::Tier::Audit, tokens);
        let found = found(gpu, model, FLOATS, tokens, &[100, 1, 49]);
        let largest = truth.iter().fold(0.0_f32, |most, x| most.max(x.abs()));
        let errors = found.iter().zip(&truth).map(|(a, b)| (a - b).abs());
        let error = errors.fold(
            0.0_f32,
            |most, x| if x > most || x.is_nan() { x } else { most },
        );
        println!("{name}: {:e} of the largest logit", error / largest);
        // 2⁻²⁴ for each of some hundred roundings on the way, enlarged by a few layers; seen 1e-6.
        assert!(error <= 2e-5 * largest, "{name}: {error} of {largest}");
    });
}

#[test]
fn kernels_kept_on_disk_compute_the_same_and_a_broken_file_does_no_harm() {
    let oracle = Path::new(env!("CARGO_MANIFEST_DIR")).join("../conformance/oracle");
    let file = File::open(&oracle.join("llama-q4_k_m.gguf")).expect("the oracle");
    let model = Model::read(&file.gguf().expect("a GGUF file")).expect("a model");
    let tokens = [1, 17, 42, 99];
    let expected = expected(&model, backend::Tier::Fast, &tokens);
    let folder = std::env::temp_dir().join(format!("fidelis-kernels-{}", std::process::id()));
    let kept = || -> Vec<std::path::PathBuf> {
        let entries = std::fs::read_dir(&folder).into_iter().flatten();
        entries
            .map(|entry| entry.expect("an entry").path())
            .collect()
    };
    // Made anew, from what was kept, from what was cut off, from what was changed.
    for time in 0..4 {
        for path in kept() {
            let mut bytes = std::fs::read(&path).expect("readable");
            match time {
                2 => bytes.truncate(bytes.len() / 2),
                3 => bytes.iter_mut().skip(50).step_by(97).for_each(|x| *x ^= 1),
                _ => {}
            }
            std::fs::write(&path, bytes).expect("writable");
        }
        let Some(gpu) = gpu_keeping(Some(&folder)) else {
            return;
        };
        let found = found(&gpu, &model, FAST, &tokens, &[4]);
        assert_eq!(found, expected, "time {time}");
        if !gpu.keep() {
            println!("NOT TESTED: this adapter keeps no kernels");
            return;
        }
        assert_eq!(kept().len(), 1, "time {time}");
    }
    std::fs::remove_dir_all(&folder).expect("removed");
}

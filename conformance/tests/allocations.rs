//! Once it runs, a token takes no memory. Alone in its program, for it counts every allocation there.

#[path = "support/counting.rs"]
mod counting;

use fidelis_conformance::tiny::{Kind, Tiny};
use fidelis_engine::backend::{CacheFormat, CpuBackend, CpuSettings, Logits, Step, Tier};
use fidelis_engine::gguf::Gguf;
use fidelis_engine::model::Model;
use fidelis_engine::sample::{Sampler, Settings};
use fidelis_engine::session::{Limits, Session};
use fidelis_engine::text::Tokenizer;
use fidelis_simd::Format;
use std::ops::ControlFlow;

/// Tokens that are counted.
const COUNTED: usize = 40;

/// Allocations while [`COUNTED`] tokens are read one by one, after a prompt and a few more.
fn of_steps(model: &Model<'_>, settings: &CpuSettings) -> usize {
    let mut backend = CpuBackend::new(&model.graph, settings).expect("a tiny model");
    let mut position = 0;
    let mut read = |tokens: &[u32]| {
        let step = Step {
            tokens,
            position,
            logits: Logits::Last,
        };
        backend.forward(&step).expect("it fits");
        position += tokens.len();
    };
    read(&[5; 20]);
    (0..3).for_each(|_| read(&[7]));
    let before = counting::calls();
    (0..COUNTED).for_each(|_| read(&[9]));
    counting::calls() - before
}

/// Allocations while [`COUNTED`] tokens of an answer are made, after a few.
fn of_an_answer(
    model: &Model<'_>,
    tokenizer: &Tokenizer,
    settings: &CpuSettings,
    sampler: Sampler,
) -> usize {
    let backend = CpuBackend::new(&model.graph, settings).expect("a tiny model");
    let mut session = Session::new(backend, tokenizer, sampler);
    let limits = Limits {
        stop_strings: vec!["never said".to_owned()],
        ignore_end: true,
        ..Limits::default()
    };
    let mut text = String::with_capacity(1 << 16);
    let reply = session.reply(&[5; 20], limits, |_, _| ControlFlow::Continue(()));
    let mut reply = reply.expect("it fits");
    let mut make = |count: usize| {
        for _ in 0..count {
            let token = reply.next_into(&mut text).expect("it runs");
            assert!(token.is_some(), "it goes on");
        }
    };
    make(5);
    let before = counting::calls();
    make(COUNTED);
    counting::calls() - before
}

fn samplers() -> Vec<(&'static str, Sampler)> {
    let with = |settings: Settings| {
        Sampler::new(settings, &fidelis_engine::sample::NoVocabulary)
            .expect("settings that make sense")
    };
    vec![
        ("greedy", Sampler::greedy()),
        ("the default", with(Settings::default())),
        (
            "penalties, typical and xtc",
            with(Settings {
                repeat_penalty: 1.1,
                typical: 0.9,
                xtc_probability: 0.5,
                ..Settings::default()
            }),
        ),
    ]
}

#[test]
fn a_token_takes_no_memory_once_it_runs() {
    // First those without workers, so that none is about to end.
    for threads in [1, 2] {
        each_model(threads);
    }
}

fn each_model(threads: usize) {
    for (kind, format) in [
        (Kind::Llama, Format::F32),
        (Kind::Llama, Format::Q4_K),
        (Kind::Gemma2, Format::Q8_0),
        (Kind::Gemma3, Format::Q6_K),
        (Kind::Qwen2, Format::F16),
        (Kind::Phi3, Format::Q4_K),
    ] {
        let bytes = Tiny::blocks(kind, format).bytes().expect("it is encoded");
        let gguf = Gguf::read(&bytes).expect("a file");
        let model = Model::read(&gguf).expect("a model");
        let tokenizer = Tokenizer::read(&gguf).expect("a vocabulary");
        for tier in [Tier::Fast, Tier::F32, Tier::Audit] {
            let settings = CpuSettings {
                threads,
                tier,
                cache: CacheFormat::F16,
                ..CpuSettings::new(256).expect("a level")
            };
            let case = format!("{kind:?} {format} {tier:?}, {threads} threads");
            // With workers, rayon's broadcast takes one list of jobs for a step, and gives it back.
            // Those of the case before may still be ending, which takes an allocation or two.
            let allowed = (threads - 1) * (COUNTED + 8);
            let found = of_steps(&model, &settings);
            assert!(found <= allowed, "{case}: {found} allocations");
            for (name, sampler) in samplers() {
                let found = of_an_answer(&model, &tokenizer, &settings, sampler);
                assert!(found <= allowed, "{case}, {name}: {found} allocations");
            }
            println!("{case}: {found} in {COUNTED} steps");
        }
    }
}

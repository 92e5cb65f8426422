//! Sessions of one model at the same time.

use fidelis_conformance::tiny::{Kind, Tiny};
use fidelis_engine::backend::{CpuBackend, CpuSettings, Tier};
use fidelis_engine::gguf::Gguf;
use fidelis_engine::model::Model;
use fidelis_engine::sample::{Sampler, Settings};
use fidelis_engine::session::{Limits, Session};
use fidelis_engine::text::Tokenizer;
use fidelis_simd::Format;
use std::ops::ControlFlow;
use std::sync::Barrier;

/// What a session is given.
struct Case {
    prompt: Vec<u32>,
    seed: u64,
    settings: CpuSettings,
}

/// Tokens, and the bits of the logits that each was chosen from.
fn answer(model: &Model<'_>, tokenizer: &Tokenizer, case: &Case) -> Vec<(u32, Vec<u32>)> {
    let backend = CpuBackend::new(&model.graph, &case.settings).expect("a back end");
    let settings = Settings {
        seed: case.seed,
        ..Settings::default()
    };
    let sampler = Sampler::new(settings, tokenizer).expect("a sampler");
    let mut session = Session::new(backend, tokenizer, sampler);
    let limits = Limits {
        tokens: Some(40),
        ignore_end: true,
        ..Limits::default()
    };
    let mut reply = session
        .reply(&case.prompt, limits, |_, _| ControlFlow::Continue(()))
        .expect("an answer");
    let mut steps = Vec::new();
    while let Some(piece) = reply.next() {
        let bits = reply.logits().iter().map(|logit| logit.to_bits()).collect();
        steps.push((piece.expect("a token").token, bits));
    }
    steps
}

#[test]
fn two_sessions_of_one_model_at_once_have_the_bits_of_each_alone() {
    for (kind, format, tier) in [
        (Kind::Llama, Format::Q4_0, Tier::Fast),
        (Kind::Gemma3, Format::Q8_0, Tier::Fast),
        (Kind::Qwen3, Format::F16, Tier::F32),
    ] {
        let tiny = Tiny {
            format,
            ..Tiny::small(kind)
        };
        let file = tiny.bytes().expect("whole blocks");
        let gguf = Gguf::read(&file).expect("a file");
        let model = Model::read(&gguf).expect("a model");
        let tokenizer = Tokenizer::read(&gguf).expect("a vocabulary");
        let case = |seed: u64| Case {
            prompt: (0..9).map(|at| 260 + (at * seed as u32) % 50).collect(),
            seed,
            settings: CpuSettings {
                threads: 2,
                batch: 4,
                tier,
                ..CpuSettings::new(64).expect("a level")
            },
        };
        let cases = [case(3), case(7)];
        let alone = cases
            .each_ref()
            .map(|case| answer(&model, &tokenizer, case));
        assert!(alone[0].len() == 40 && alone[0] != alone[1], "{kind:?}");
        let start = Barrier::new(2);
        let together = std::thread::scope(|scope| {
            let begun = cases.each_ref().map(|case| {
                scope.spawn(|| {
                    start.wait();
                    answer(&model, &tokenizer, case)
                })
            });
            begun.map(|thread| thread.join().expect("no panic"))
        });
        assert!(together == alone, "{kind:?} {format:?} {tier:?}");
    }
}

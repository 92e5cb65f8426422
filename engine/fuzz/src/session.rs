//! Saved sessions: a file is read, restored and gone on with.

use fidelis_conformance::tiny::{Kind, Tiny};
use fidelis_engine::backend::{CpuBackend, CpuSettings};
use fidelis_engine::gguf::Gguf;
use fidelis_engine::model::Model;
use fidelis_engine::sample::Sampler;
use fidelis_engine::session::{ModelDigest, Saved, Session};
use fidelis_engine::text::Tokenizer;
use fidelis_simd::Level;
use std::ops::ControlFlow;
use std::sync::LazyLock;

/// A model with a sliding window, and its tokenizer.
static MODEL: LazyLock<(Model<'static>, Tokenizer)> = LazyLock::new(|| {
    let tiny = Tiny {
        layers: 2,
        width: 32,
        feed_forward: 32,
        heads: 2,
        kv_heads: 1,
        head: 32,
        ..Tiny::small(Kind::Gemma3)
    };
    // It lives as long as the program.
    let file = Vec::leak(tiny.bytes().expect("whole blocks"));
    let gguf = Gguf::read(file).expect("a file");
    let tokenizer = Tokenizer::read(&gguf).expect("a vocabulary");
    (Model::read(&gguf).expect("a model"), tokenizer)
});

/// A session that has read nothing, and what its model is known by.
pub fn empty_session() -> (Session<'static>, ModelDigest) {
    let (model, tokenizer) = &*MODEL;
    let settings = CpuSettings {
        threads: 1,
        context: 16,
        batch: 4,
        level: Level::named("scalar").expect("always there"),
        ..CpuSettings::new(16).expect("a level")
    };
    let backend = CpuBackend::new(&model.graph, &settings).expect("settings that can be met");
    let session = Session::new(backend, tokenizer, Sampler::greedy());
    (session, ModelDigest::of(&[b"the model of this target"]))
}

/// Reads `bytes`, with the digest that they ought to end with, as a saved session and goes on from it.
pub fn session(bytes: &[u8]) {
    let mut whole = bytes.to_vec();
    whole.extend(blake3::hash(bytes).as_bytes());
    let Ok(saved) = Saved::read(whole) else {
        return;
    };
    let (mut session, digest) = empty_session();
    if session.restore(&saved, &digest).is_err() {
        assert!(session.history().is_empty(), "nothing is changed then");
        return;
    }
    assert_eq!(session.history(), saved.tokens());
    // Keys and values may be any numbers, so an error is right.
    if let Ok(logits) = session.feed(&[1], |_, _| ControlFlow::Continue(())) {
        assert!(logits.iter().all(|logit| logit.is_finite()));
    }
}

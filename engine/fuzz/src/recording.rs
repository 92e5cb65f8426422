//! Recordings of other engines: safetensors, npz, logs of llama.cpp, tables.

use fidelis_conformance::claims::Claims;
use fidelis_conformance::compare::{accept, operations};
use fidelis_conformance::import::{Imported, read};
use fidelis_conformance::precision::Precision;
use fidelis_conformance::recording::{Recording, Tensor};
use fidelis_conformance::reference::Reference;
use fidelis_conformance::tiny::{Kind, Tiny};
use fidelis_engine::gguf::Gguf;
use fidelis_engine::model::Model;
use fidelis_simd::Format;
use std::hint::black_box;
use std::sync::LazyLock;

/// Tokens up to which operations are compared; scores take their square.
const TOKENS: usize = 8;

static MODEL: LazyLock<Model<'static>> = LazyLock::new(|| {
    let tiny = Tiny {
        layers: 1,
        width: 32,
        feed_forward: 32,
        heads: 2,
        kv_heads: 1,
        format: Format::F32,
        ..Tiny::small(Kind::Llama)
    };
    // It lives as long as the program.
    let file = Vec::leak(tiny.bytes().expect("whole blocks"));
    let gguf = Gguf::read(file).expect("a file");
    Model::read(&gguf).expect("a model")
});

/// The model that recordings are compared with.
pub fn reference_model() -> &'static Model<'static> {
    &MODEL
}

/// Reads `bytes` as a recording of a tiny model, and compares what it holds.
pub fn recording(bytes: &[u8]) {
    let reference = Reference::new(&reference_model().graph);
    for ids in [None, Some(&[1, 2, 3][..])] {
        match read(bytes, &reference, ids) {
            Ok(Imported::Recording(recording)) => compare(&reference, recording),
            Ok(Imported::Claims(claims)) => look(&claims),
            Err(error) => {
                black_box(error.to_string());
            }
        }
    }
}

fn compare(reference: &Reference<'_, '_>, recording: Recording) {
    black_box(recording.to_bytes().is_ok());
    let Ok(accepted) = accept(reference, recording, None, None) else {
        return;
    };
    let recording = accepted.recording;
    if recording.tokens.len() <= TOKENS {
        let precision = Precision::of(&recording.provenance);
        black_box(operations(reference, &recording, &precision));
    }
}

fn look(claims: &Claims) {
    let tensor = Tensor {
        shape: vec![2, 3],
        first: 0,
        values: vec![1.0; 6],
    };
    for claim in &claims.all {
        black_box(claim.what.of(&tensor));
    }
}

//! Conversations that are saved and go on elsewhere: with the same bits, or not at all.

mod continues;
mod hostile;
mod killed;
mod refusals;

use fidelis_conformance::tiny::{Kind, Tiny};
use fidelis_engine::backend::{CacheFormat, CpuBackend, CpuSettings, Tier};
use fidelis_engine::gguf::Gguf;
use fidelis_engine::model::Model;
use fidelis_engine::sample::{Mirostat, Sampler, Settings};
use fidelis_engine::session::{Limits, ModelDigest, Saved, Session};
use fidelis_engine::text::Tokenizer;
use std::ops::ControlFlow;

/// A file in memory; heads fit every format of the cache.
fn file(kind: Kind, seed: u64) -> Vec<u8> {
    let tiny = Tiny {
        head: 32,
        seed,
        ..Tiny::small(kind)
    };
    tiny.bytes().expect("encoded")
}

/// What a session needs of a file.
struct Opened<'f> {
    bytes: &'f [u8],
    tokenizer: Tokenizer,
    digest: ModelDigest,
}

impl<'f> Opened<'f> {
    fn new(bytes: &'f [u8]) -> Self {
        let gguf = Gguf::read(bytes).expect("a GGUF file");
        Self {
            bytes,
            tokenizer: Tokenizer::read(&gguf).expect("a tokenizer"),
            digest: ModelDigest::of(&[bytes]),
        }
    }

    fn session(&self, settings: &CpuSettings, sampling: Settings) -> Session<'_> {
        let gguf = Gguf::read(self.bytes).expect("a GGUF file");
        let model = Model::read_for_context(&gguf, settings.context).expect("a model");
        let backend = CpuBackend::new(&model.graph, settings).expect("a back end");
        let sampler = Sampler::new(sampling, &self.tokenizer).expect("settings");
        Session::new(backend, &self.tokenizer, sampler)
    }

    /// The bytes of a saved session.
    fn saved(&self, session: &Session<'_>) -> Vec<u8> {
        let mut bytes = Vec::new();
        session
            .write(&mut bytes, &self.digest, &[])
            .expect("memory takes everything");
        bytes
    }
}

fn settings(tier: Tier, cache: CacheFormat) -> CpuSettings {
    CpuSettings {
        threads: 1,
        tier,
        cache,
        batch: 16,
        ..CpuSettings::new(512).expect("a level")
    }
}

/// A sampler whose every part has a state.
fn sampling(seed: u64) -> Settings {
    Settings {
        seed,
        temperature: 1.1,
        xtc_probability: 0.3,
        repeat_penalty: 1.05,
        dry_multiplier: 0.8,
        mirostat: if seed.is_multiple_of(2) {
            Mirostat::Off
        } else {
            Mirostat::V2
        },
        ..Settings::default()
    }
}

/// An answer: ids, and the bits of the logits that each was chosen from; and the prompt's tokens that were read for it.
fn answer(session: &mut Session<'_>, prompt: &[u32], tokens: usize) -> (Vec<Chosen>, usize) {
    let limits = Limits {
        tokens: Some(tokens),
        ignore_end: true,
        ..Limits::default()
    };
    let mut read = 0;
    let mut reply = session
        .reply(prompt, limits, |_, all| {
            read = all;
            ControlFlow::Continue(())
        })
        .expect("the prompt is read");
    let mut chosen = Vec::new();
    while let Some(piece) = reply.next() {
        let token = piece.expect("a token").token;
        let bits = match reply.exact_logits() {
            Some(exact) => exact.iter().map(|x| x.to_bits()).collect(),
            None => reply.logits().iter().map(|x| x.to_bits().into()).collect(),
        };
        chosen.push((token, bits));
    }
    (chosen, read)
}

/// A token and the bits of its logits.
type Chosen = (u32, Vec<u64>);

/// Ids that no other seed gives.
fn ids(count: usize, seed: usize) -> Vec<u32> {
    (0..count)
        .map(|i| ((i * 7919 + 13 * seed + i * i) % 300 + 3) as u32)
        .collect()
}

fn read(bytes: &[u8]) -> Saved {
    Saved::read(bytes.to_vec()).expect("what was written")
}

//! The engine inside another program: bytes in memory, one thread, whatever features there are.

use fidelis_engine::backend::{BackendError, CpuBackend, CpuSettings, Logits, Step};
#[cfg(any(unix, windows))]
use fidelis_engine::gguf::File;
use fidelis_engine::gguf::Gguf;
use fidelis_engine::model::Model;
use fidelis_engine::sample::Sampler;
use fidelis_engine::session::{Limits, Session};
#[cfg(not(feature = "tokenizers"))]
use fidelis_engine::text::TextError;
use fidelis_engine::text::{Bos, Specials, Tokenizer};
use std::ops::ControlFlow;

const MODEL: &[u8] = include_bytes!("../../tools/demo-model/demo-llama-q4_k_m.gguf");
const BYTE_PAIRS: &[u8] = include_bytes!("data/byte-pairs.gguf");

/// The bits of all logits of a prompt.
fn bits(gguf: &Gguf<'_>, threads: usize) -> Result<Vec<u32>, BackendError> {
    let model = Model::read(gguf).expect("a model");
    let settings = CpuSettings {
        threads,
        ..CpuSettings::new(64)?
    };
    let mut backend = CpuBackend::new(&model.graph, &settings)?;
    let tokenizer = Tokenizer::read(gguf).expect("a tokenizer");
    let prompt = tokenizer
        .encode("Tell me a story about a dog.", Specials::Parse, Bos::Auto)
        .expect("SentencePiece needs no feature");
    let logits = backend.forward(&Step {
        tokens: &prompt,
        position: 0,
        logits: Logits::All,
    })?;
    Ok(logits.iter().map(|logit| logit.to_bits()).collect())
}

#[test]
fn a_slice_of_bytes_answers_on_one_thread() {
    let gguf = Gguf::read(MODEL).expect("GGUF");
    let model = Model::read(&gguf).expect("a model");
    let tokenizer = Tokenizer::read(&gguf).expect("a tokenizer");
    let settings = CpuSettings {
        threads: 1,
        ..CpuSettings::new(64).expect("a level")
    };
    let backend = CpuBackend::new(&model.graph, &settings).expect("one thread");
    let mut session = Session::new(backend, &tokenizer, Sampler::greedy());
    let question = "<|user|>\nWhat color is the sky?<|end|>\n<|assistant|>\n";
    let prompt = tokenizer.encode(question, Specials::Parse, Bos::Auto);
    let answer: String = session
        .reply(&prompt.expect("ids"), Limits::default(), |_, _| {
            ControlFlow::Continue(())
        })
        .expect("the prompt fits")
        .map(|piece| piece.expect("a token").text)
        .collect();
    assert_eq!(answer.trim(), "The sky is blue.");
}

#[cfg(any(unix, windows))]
#[test]
fn a_file_and_a_slice_of_its_bytes_give_the_same_logits() {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../tools/demo-model/demo-llama-q4_k_m.gguf"
    );
    let file = File::open(path.as_ref()).expect("the demo model");
    assert_eq!(file.len_bytes(), MODEL.len() as u64);
    let of_bytes = bits(&Gguf::read(MODEL).expect("GGUF"), 1).expect("one thread");
    let of_file = bits(&file.gguf().expect("GGUF"), 1).expect("one thread");
    assert!(!of_bytes.is_empty() && of_bytes == of_file);
}

#[cfg(feature = "threads")]
#[test]
fn more_threads_give_the_bits_of_one() {
    let gguf = Gguf::read(MODEL).expect("GGUF");
    let one = bits(&gguf, 1).expect("one thread");
    assert_eq!(one, bits(&gguf, 3).expect("three threads"));
}

#[cfg(not(feature = "threads"))]
#[test]
fn more_threads_than_one_are_refused_by_name() {
    let gguf = Gguf::read(MODEL).expect("GGUF");
    let refused = bits(&gguf, 2);
    assert!(
        matches!(refused, Err(BackendError::NoThreads { threads: 2 })),
        "{refused:?}"
    );
    assert_eq!(CpuSettings::new(64).expect("a level").threads, 1);
}

/// Ids to text needs no feature; text to ids does, and says so.
#[test]
fn byte_pairs_are_spelt_without_the_crate_that_merges_them() {
    let gguf = Gguf::read(BYTE_PAIRS).expect("GGUF");
    let tokenizer = Tokenizer::read(&gguf).expect("a tokenizer");
    let the = tokenizer.token_id("Ġthe").expect("a frequent word");
    assert_eq!(tokenizer.decode(&[the, the]), " the the");
    encodes(&tokenizer, the);
}

#[cfg(feature = "tokenizers")]
fn encodes(tokenizer: &Tokenizer, the: u32) {
    let ids = tokenizer.encode(" the", Specials::AsText, Bos::Never);
    assert!(matches!(&ids, Ok(ids) if *ids == [the]), "{ids:?}");
}

#[cfg(not(feature = "tokenizers"))]
fn encodes(tokenizer: &Tokenizer, _: u32) {
    let ids = tokenizer.encode(" the", Specials::AsText, Bos::Never);
    assert!(matches!(&ids, Err(TextError::NoMerger)), "{ids:?}");
}

//! The engine inside another program: bytes in memory, one thread, whatever features there are.

use fidelis_engine::backend::{BackendError, CpuBackend, CpuSettings, Logits, Step};
use fidelis_engine::gguf::{File, Gguf};
use fidelis_engine::model::Model;
#[cfg(not(feature = "tokenizers"))]
use fidelis_engine::text::TextError;
use fidelis_engine::text::{Bos, Specials, Tokenizer};

const MODEL: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../tools/demo-model/demo-llama-q4_k_m.gguf"
);
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
fn a_file_and_a_slice_of_its_bytes_give_the_same_logits() {
    let bytes = std::fs::read(MODEL).expect("the demo model");
    let file = File::open(MODEL.as_ref()).expect("the demo model");
    assert_eq!(file.len_bytes(), bytes.len() as u64);
    let of_bytes = bits(&Gguf::read(&bytes).expect("GGUF"), 1).expect("one thread");
    let of_file = bits(&file.gguf().expect("GGUF"), 1).expect("one thread");
    assert!(!of_bytes.is_empty() && of_bytes == of_file);
}

#[cfg(feature = "threads")]
#[test]
fn more_threads_give_the_bits_of_one() {
    let bytes = std::fs::read(MODEL).expect("the demo model");
    let gguf = Gguf::read(&bytes).expect("GGUF");
    let one = bits(&gguf, 1).expect("one thread");
    assert_eq!(one, bits(&gguf, 3).expect("three threads"));
}

#[cfg(not(feature = "threads"))]
#[test]
fn more_threads_than_one_are_refused_by_name() {
    let bytes = std::fs::read(MODEL).expect("the demo model");
    let gguf = Gguf::read(&bytes).expect("GGUF");
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

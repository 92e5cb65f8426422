//! What is fuzzed: a function per reader, which takes bytes that may be anything and must come back.
//!
//! An error is right; a panic, an overflow, a hang, or memory without bound is not. `.ci/fuzz` runs them under a fuzzer,
//! `conformance/tests/corpora.rs` on the seeds alone, with the compiler and the flags of every other test.

mod file;
mod model;
mod receipt;
mod recording;
mod session;
mod template;
mod tokenizer;

pub use file::gguf;
pub use model::model;
pub use receipt::receipt;
pub use recording::{recording, reference_model};
pub use session::{empty_session, session};
pub use template::template;
pub use tokenizer::tokenizer;

/// A function that is fuzzed.
pub type Target = fn(&[u8]);

/// Every target, by the name of its folder of seeds.
pub const TARGETS: [(&str, Target); 7] = [
    ("gguf", gguf),
    ("tokenizer", tokenizer),
    ("template", template),
    ("receipt", receipt),
    ("recording", recording),
    ("model", model),
    ("session", session),
];

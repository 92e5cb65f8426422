//! Runs GGUF language models on the CPU, with the same bits on every machine.
//!
//! The path of a token:
//!
//! | module | gives |
//! |---|---|
//! | [`gguf`] | names, metadata and byte ranges of a mapped file |
//! | [`tensor`] | format, shape and the file's own bytes |
//! | [`model`] | hyper-parameters, and the computation as a [`graph`] |
//! | [`backend`] | logits |
//! | [`sample`] | a token |
//! | [`constrain`] | what an answer keeps to |
//! | [`text`] | whole characters, and conversations as text |
//! | [`session`] | the loop |
//!
//! What is written goes through [`atomic`].
//!
//! # A model from a file
//!
//! ```
//! use fidelis_engine::backend::{CpuBackend, CpuSettings};
//! use fidelis_engine::gguf::File;
//! use fidelis_engine::model::Model;
//! use fidelis_engine::sample::Sampler;
//! use fidelis_engine::session::{Limits, Session};
//! use fidelis_engine::text::{Bos, Specials, Tokenizer};
//! use std::ops::ControlFlow;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../tools/demo-model/demo-llama-q4_k_m.gguf");
//! let file = File::open(path.as_ref())?;
//! let gguf = file.gguf()?;
//! let model = Model::read(&gguf)?;
//! let tokenizer = Tokenizer::read(&gguf)?;
//! let backend = CpuBackend::new(&model.graph, &CpuSettings::new(512)?)?;
//! let mut session = Session::new(backend, &tokenizer, Sampler::greedy());
//! let prompt = tokenizer.encode("Once upon a time", Specials::Parse, Bos::Auto)?;
//! let limits = Limits {
//!     tokens: Some(20),
//!     ..Limits::default()
//! };
//! for piece in session.reply(&prompt, limits, |_, _| ControlFlow::Continue(()))? {
//!     print!("{}", piece?.text);
//! }
//! # Ok(())
//! # }
//! ```
//!
//! `examples/chat.rs` goes on from there to a conversation; the template that makes one text of it is the file's own.
//!
//! # Features
//!
//! All are on unless `default-features = false`. Each only adds: what a program does with some of them, it does with more.
//!
//! | feature | gives | without it |
//! |---|---|---|
//! | `mmap` | [`gguf::File`] maps files | it reads them into memory |
//! | `threads` | as many workers as [`CpuSettings::threads`](backend::CpuSettings::threads) says, through rayon | 1 is possible; more are [`BackendError::NoThreads`](backend::BackendError::NoThreads) |
//! | `tokenizers` | text to the ids of byte-pair vocabularies (Llama 3, Qwen, …) | such text is [`TextError::NoMerger`](text::TextError::NoMerger); SentencePiece vocabularies, and ids to text of both, work |
//! | `templates` | `text::ChatTemplate`, the file's own Jinja template | the program writes its prompts itself |
//! | `offload` | `backend::offload`, layers on a device behind a plug-in that is loaded at run time | all runs on the CPU |
//!
//! The logits have the same bits with and without any of them.
//! On `wasm32-unknown-unknown`, where Rust knows no clock, templates have no `strftime_now`, and the crates behind `tokenizers` need
//! random numbers from the program (`getrandom_backend` in the documentation of the crate `getrandom`).
//!
//! # Inside another program
//!
//! Without features, a model is a slice of bytes and an answer is a loop: no files, no threads, no clock. So it
//! builds for `wasm32-unknown-unknown` (give rustc `-C target-feature=+simd128`), `wasm32-wasip1` and whatever else has
//! Rust's standard library. Nothing is copied of the slice, so it may lie in the program itself (`include_bytes!`).
//!
//! ```toml
//! fidelis-engine = { version = "0.1", default-features = false }
//! ```
//!
//! ```
//! use fidelis_engine::backend::{CpuBackend, CpuSettings, Logits, Step};
//! use fidelis_engine::gguf::Gguf;
//! use fidelis_engine::model::Model;
//! use fidelis_engine::sample::Sampler;
//! use fidelis_engine::text::{Bos, Specials, Tokenizer};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../tools/demo-model/demo-llama-q4_k_m.gguf");
//! # let bytes = &std::fs::read(path)?[..];
//! let gguf = Gguf::read(bytes)?;
//! let model = Model::read(&gguf)?;
//! let tokenizer = Tokenizer::read(&gguf)?;
//! let settings = CpuSettings {
//!     threads: 1,
//!     ..CpuSettings::new(64)?
//! };
//! let mut backend = CpuBackend::new(&model.graph, &settings)?;
//! let mut sampler = Sampler::greedy();
//! let question = "<|user|>\nWhat color is the sky?<|end|>\n<|assistant|>\n";
//! let mut unread = tokenizer.encode(question, Specials::Parse, Bos::Auto)?;
//! let mut answer = Vec::new();
//! while backend.position() + unread.len() < backend.context() {
//!     let position = backend.position();
//!     let logits = backend.forward(&Step {
//!         tokens: &unread,
//!         position,
//!         logits: Logits::Last,
//!     })?;
//!     let token = sampler.sample(logits)?;
//!     if tokenizer.is_end(token) {
//!         break;
//!     }
//!     answer.push(token);
//!     unread = vec![token];
//! }
//! assert_eq!(tokenizer.decode(&answer).trim(), "The sky is blue.");
//! # Ok(())
//! # }
//! ```
//!
//! `examples/embedded.rs` is that as a program, and `tools/browser` a page that chats in a browser's tab.
//! A [`session::Session`] does the same and keeps what a conversation has in common with what was read before;
//! [`text::Stream`] turns ids into whole characters as they come.
//!
//! The numbers do not depend on the machine: [`CpuSettings::new`](backend::CpuSettings::new) takes the best SIMD level that the CPU has, and every level gives the same bits.
//! Memory besides the file is that of the keys and values and of one batch's intermediates: [`backend::Backend::memory_bytes`].

#![deny(unsafe_code)]

pub mod atomic;
pub mod backend;
pub mod constrain;
pub mod gguf;
pub mod graph;
pub mod model;
pub mod sample;
pub mod session;
pub mod shape;
pub mod tensor;
pub mod text;

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
//! ```no_run
//! use fidelis_engine::backend::{CpuBackend, CpuSettings};
//! use fidelis_engine::gguf::File;
//! use fidelis_engine::model::Model;
//! use fidelis_engine::sample::Sampler;
//! use fidelis_engine::session::{Limits, Session};
//! use fidelis_engine::text::{Bos, Specials, Tokenizer};
//! use std::ops::ControlFlow;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let file = File::open("model.gguf".as_ref())?;
//! let gguf = file.gguf()?;
//! let model = Model::read(&gguf)?;
//! let tokenizer = Tokenizer::read(&gguf)?;
//! let backend = CpuBackend::new(&model.graph, &CpuSettings::new(2048)?)?;
//! let mut session = Session::new(backend, &tokenizer, Sampler::greedy());
//! let prompt = tokenizer.encode("Once upon a time", Specials::Parse, Bos::Auto)?;
//! for piece in session.reply(&prompt, Limits::default(), |_, _| ControlFlow::Continue(()))? {
//!     print!("{}", piece?.text);
//! }
//! # Ok(())
//! # }
//! ```

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

//! Runs a model from bytes in memory, on the calling thread: none of the engine's features is needed.
//!
//! ```sh
//! cargo run --release -p fidelis-engine --no-default-features --example embedded -- FILE.gguf "Once upon a time"
//! ```
//!
//! The ids of the likeliest tokens come first, one a line, then their text.

use fidelis_engine::backend::{CpuBackend, CpuSettings, Logits, Step};
use fidelis_engine::gguf::Gguf;
use fidelis_engine::model::Model;
use fidelis_engine::sample::Sampler;
use fidelis_engine::text::{Bos, Specials, Tokenizer};
use std::error::Error;

/// Tokens to make, at most.
const TOKENS: usize = 32;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(path), Some(prompt)) = (arguments.next(), arguments.next()) else {
        return Err("usage: embedded FILE.gguf PROMPT".into());
    };
    // Wherever bytes come from: `include_bytes!`, flash memory, a download.
    let bytes = std::fs::read(path)?;
    let gguf = Gguf::read(&bytes)?;
    let model = Model::read(&gguf)?;
    let tokenizer = Tokenizer::read(&gguf)?;
    let settings = CpuSettings {
        threads: 1,
        ..CpuSettings::new(512)?
    };
    let mut backend = CpuBackend::new(&model.graph, &settings)?;
    let mut sampler = Sampler::greedy();
    let mut unread = tokenizer.encode(&prompt, Specials::Parse, Bos::Auto)?;
    let mut made = Vec::new();
    while made.len() < TOKENS {
        let position = backend.position();
        let logits = backend.forward(&Step {
            tokens: &unread,
            position,
            logits: Logits::Last,
        })?;
        // Rows of the head beyond the vocabulary are padding.
        let known = tokenizer.vocabulary_len().min(logits.len());
        let token = sampler.sample(&logits[..known])?;
        sampler.accept(token);
        if tokenizer.is_end(token) {
            break;
        }
        println!("{token}");
        made.push(token);
        unread = vec![token];
    }
    println!("{}", tokenizer.decode(&made));
    Ok(())
}

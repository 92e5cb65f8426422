//! Our logits and another engine's, both against `audit`.
//!
//! ```text
//! accuracy MODEL.gguf LOGITS.safetensors
//! ```
//!
//! The second file holds `tokens` (I32, `[n]`) and `logits` (F32, `[n, vocabulary]`), as
//! `tools/reference/llama_cpp_logits.py` writes it.

use fidelis_conformance::accuracy::{Accuracy, logits};
use fidelis_engine::backend::{CacheFormat, Tier};
use fidelis_engine::gguf::File;
use fidelis_engine::model::Model;
use safetensors::SafeTensors;
use std::error::Error;
use std::path::Path;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, model, recording] = &arguments[..] else {
        return Err("usage: accuracy MODEL.gguf LOGITS.safetensors".into());
    };
    let bytes = std::fs::read(recording)?;
    let tensors = SafeTensors::deserialize(&bytes)?;
    let words = |name| -> Result<Vec<[u8; 4]>, Box<dyn Error>> {
        Ok(tensors.tensor(name)?.data().as_chunks::<4>().0.to_vec())
    };
    let ids: Vec<u32> = words("tokens")?
        .into_iter()
        .map(u32::from_le_bytes)
        .collect();
    let theirs: Vec<f64> = (words("logits")?.into_iter())
        .map(|word| f32::from_le_bytes(word).into())
        .collect();
    let file = File::open(Path::new(model))?;
    let gguf = file.gguf()?;
    let model = Model::read(&gguf)?;
    let width = theirs.len() / ids.len().max(1);
    let truth = logits(&model.graph, &ids, Tier::Audit, CacheFormat::F32)?;
    let say = |name: &str, found: &[f64]| -> Result<Accuracy, Box<dyn Error>> {
        let accuracy = Accuracy::of(&truth, found, width)?;
        println!(
            "{name:24} mean KL {:.3e}, largest KL {:.3e}, largest logit error {:.3e}, {} tokens",
            accuracy.mean_kl, accuracy.largest_kl, accuracy.largest_error, accuracy.tokens
        );
        Ok(accuracy)
    };
    let theirs = say("the recording", &theirs)?;
    let fast = logits(&model.graph, &ids, Tier::Fast, CacheFormat::F16)?;
    let ours = say("fast, keys in f16", &fast)?;
    say(
        "f32, keys in f32",
        &logits(&model.graph, &ids, Tier::F32, CacheFormat::F32)?,
    )?;
    println!(
        "ours is {:.1} times nearer by mean KL, {:.1} times by the largest error",
        theirs.mean_kl / ours.mean_kl,
        theirs.largest_error / ours.largest_error
    );
    Ok(())
}

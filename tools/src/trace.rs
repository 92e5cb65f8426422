//! `fidelis trace`: every checkpoint of a run, as a file.

use crate::observe::{Prompt, Which, cache, open, steps};
use crate::output;
use anyhow::{Context, Result};
use clap::Args;
use fidelis_conformance::candidate::Candidate;
use fidelis_conformance::recording::model_digest;
use fidelis_engine::model::Model;
use fidelis_engine::text::Tokenizer;
use std::path::PathBuf;

#[derive(Args)]
pub(crate) struct Trace {
    /// GGUF file; of a split one the first part. Without it, the model inside this program.
    model: Option<PathBuf>,
    #[command(flatten)]
    prompt: Prompt,
    /// The safetensors file to write.
    #[arg(short, long)]
    output: PathBuf,
    #[command(flatten)]
    which: Which,
    /// audit, f32, fast, or level:NAME for fast on a SIMD level.
    #[arg(long, default_value = "audit")]
    numerics: String,
    /// How keys and values are remembered: f16, f32 or q8_0.
    #[arg(long, default_value = "f16")]
    cache_type_k: String,
    /// How many of the last tokens are read one by one, as in a conversation.
    #[arg(long, default_value_t = 0)]
    decode: usize,
}

impl Trace {
    pub(crate) fn execute(&self) -> Result<()> {
        let candidate = Candidate::named(&self.numerics, cache(&self.cache_type_k)?)?;
        let selection = self.which.selection()?;
        let source = open(self.model.as_ref())?;
        let gguf = source.gguf()?;
        let tokenizer = Tokenizer::read(&gguf).ok();
        let ids = self.prompt.ids(tokenizer.as_ref())?;
        let ids = ids.context("what shall be read? give -p TEXT or --tokens IDS")?;
        let model = Model::read_for_context(&gguf, ids.len())?;
        let digest = model_digest(&source.parts());
        let steps = steps(ids.len(), self.decode);
        let recording = candidate.record(&model.graph, &ids, &steps, &selection, Some(digest))?;
        if recording.tensors.is_empty() {
            let names: Vec<&str> = (model.graph.activations.iter())
                .take(6)
                .map(|activation| &activation.name[..])
                .collect();
            anyhow::bail!(
                "nothing was selected; checkpoints are called {}, …",
                names.join(", ")
            );
        }
        recording.save(&self.output)?;
        output::text(&format!(
            "{}: {} checkpoints of {} tokens; {}\n",
            self.output.display(),
            recording.tensors.len(),
            ids.len(),
            recording.provenance
        ))?;
        Ok(())
    }
}

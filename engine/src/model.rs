//! What a file's metadata and tensors mean: a configuration and a graph.

mod build;
mod config;
mod error;
mod gemma;
mod llama;
mod phi;
mod qwen;
mod rope;
mod weights;

pub use config::Config;
pub use error::ModelError;

use crate::gguf::Gguf;
use crate::graph::Graph;
use build::Build;

/// A model of a known architecture.
#[derive(Debug)]
pub struct Model<'a> {
    /// The hyper-parameters.
    pub config: Config,
    /// The computation.
    pub graph: Graph<'a>,
}

/// Builds the graph of one architecture.
type Builder = for<'g, 'a> fn(&mut Build<'g, 'a>) -> Result<(), ModelError>;

/// The architectures, by the file's name for them.
const ARCHITECTURES: [(&str, Builder); 6] = [
    ("llama", llama::build),
    ("gemma2", gemma::build_2),
    ("gemma3", gemma::build_3),
    ("qwen2", qwen::build_2),
    ("qwen3", qwen::build_3),
    ("phi3", phi::build_3),
];

impl<'a> Model<'a> {
    /// Reads the metadata and binds every tensor of the file to its place in the graph.
    ///
    /// # Errors
    ///
    /// [`ModelError`] for an unknown architecture, a missing or impossible key, and a tensor that is
    /// missing, of the wrong shape, or left over.
    pub fn read(gguf: &Gguf<'a>) -> Result<Self, ModelError> {
        let name = gguf
            .str("general.architecture")?
            .ok_or_else(|| ModelError::missing("general.architecture"))?;
        let known = ARCHITECTURES.iter().find(|(known, _)| *known == name);
        let (_, builder) = known.ok_or_else(|| ModelError::Architecture {
            name: name.to_owned(),
            known: ARCHITECTURES.map(|(known, _)| known),
        })?;
        let config = Config::read(gguf, name)?;
        let mut build = Build::new(gguf, &config);
        builder(&mut build)?;
        let graph = build.finish()?;
        Ok(Self { config, graph })
    }
}

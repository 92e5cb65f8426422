//! What a file's metadata and tensors mean: a configuration and a graph.

mod build;
mod config;
mod error;
mod gemma;
mod keys;
mod llama;
mod phi;
mod qwen;
mod rope;
mod weights;

pub use config::Config;
pub use error::ModelError;
pub use rope::{RopeConfig, Scaling, Yarn};

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

fn builder(name: &str) -> Result<Builder, ModelError> {
    let known = ARCHITECTURES.iter().find(|(known, _)| *known == name);
    known
        .map(|(_, builder)| *builder)
        .ok_or_else(|| ModelError::Architecture {
            name: name.to_owned(),
            known: ARCHITECTURES.map(|(known, _)| known),
        })
}

impl<'a> Model<'a> {
    /// Reads the metadata and binds every tensor of the file to its place in the graph, for contexts of the trained length.
    ///
    /// # Errors
    ///
    /// [`ModelError`] for an unknown architecture, a missing or impossible key, and a tensor that is
    /// missing, of the wrong shape, or left over.
    pub fn read(gguf: &Gguf<'a>) -> Result<Self, ModelError> {
        let config = Config::read(gguf)?;
        let context = config.context;
        Self::build(gguf, config, context)
    }

    /// The same for contexts of `context` positions.
    ///
    /// It differs for Phi 3 with two sets of rotary factors: contexts within `config.rope.original` use one, longer ones the other.
    /// The context decides and not the prompt's length, so that a longer prompt does not change the numbers of its beginning.
    ///
    /// # Errors
    ///
    /// As for [`Self::read`].
    pub fn read_for_context(gguf: &Gguf<'a>, context: usize) -> Result<Self, ModelError> {
        Self::build(gguf, Config::read(gguf)?, context)
    }

    fn build(gguf: &Gguf<'a>, config: Config, context: usize) -> Result<Self, ModelError> {
        let builder = builder(&config.architecture)?;
        let mut build = Build::new(gguf, &config, context);
        builder(&mut build)?;
        let graph = build.finish()?;
        Ok(Self { config, graph })
    }
}

//! What `trace`, `conformance` and `doctor` share: the model, the ids, how it runs.

use crate::load::{CACHES, Source};
use anyhow::{Context, Result, bail};
use clap::Args;
use fidelis_conformance::recording::Selection;
use fidelis_engine::backend::CacheFormat;
use fidelis_engine::text::{Bos, Specials, Tokenizer};
use std::path::PathBuf;

/// What is read.
#[derive(Args, Clone, Debug)]
pub(crate) struct Prompt {
    /// The text.
    #[arg(short, long, visible_alias = "text")]
    pub(crate) prompt: Option<String>,
    /// The ids, such as 1,15043,3186: the same for every engine, whatever its tokenizer.
    #[arg(long, value_name = "IDS")]
    pub(crate) tokens: Option<String>,
}

impl Prompt {
    /// The ids, if any were given.
    pub(crate) fn ids(&self, tokenizer: Option<&Tokenizer>) -> Result<Option<Vec<u32>>> {
        match (&self.tokens, &self.prompt) {
            (Some(ids), _) => parse(ids).map(Some),
            (None, Some(text)) => encode(tokenizer, text).map(Some),
            (None, None) => Ok(None),
        }
    }
}

/// Ids from text.
pub(crate) fn encode(tokenizer: Option<&Tokenizer>, text: &str) -> Result<Vec<u32>> {
    let tokenizer = tokenizer.context("the file's vocabulary cannot be read; give --tokens")?;
    Ok(tokenizer.encode(text, Specials::Parse, Bos::Auto)?)
}

/// Ids from a list.
pub(crate) fn parse(list: &str) -> Result<Vec<u32>> {
    let ids = list
        .split([',', ' ', '[', ']'])
        .filter(|part| !part.is_empty());
    let ids = ids
        .map(|part| {
            part.parse()
                .with_context(|| format!("--tokens: {part:?} is no id"))
        })
        .collect::<Result<Vec<u32>>>()?;
    if ids.is_empty() {
        bail!("--tokens: there is no id in {list:?}");
    }
    Ok(ids)
}

/// Which checkpoints are recorded.
#[derive(Args, Clone, Debug)]
pub(crate) struct Which {
    /// Checkpoints by name, * for any characters; may be given several times.
    #[arg(long, value_name = "PATTERN")]
    name: Vec<String>,
    /// Layers, such as 0 or 3-7.
    #[arg(long, value_name = "RANGE")]
    layers: Option<String>,
    /// Tokens, such as 0 or 3-7; scores and probabilities keep all.
    #[arg(long, value_name = "RANGE")]
    positions: Option<String>,
}

impl Which {
    pub(crate) fn selection(&self) -> Result<Selection> {
        let range = |text: &Option<String>| text.as_deref().map(Selection::range).transpose();
        Ok(Selection {
            names: self.name.clone(),
            layers: range(&self.layers)?,
            positions: range(&self.positions)?,
        })
    }
}

/// The cache's format by its name.
pub(crate) fn cache(name: &str) -> Result<CacheFormat> {
    Ok(match name {
        "f16" => CacheFormat::F16,
        "f32" => CacheFormat::F32,
        "q8_0" => CacheFormat::Q8_0,
        other => bail!("--cache-type-k {other}: only {CACHES} are known"),
    })
}

/// How a prompt is cut into calls: all but the last tokens at once, then these one by one, as in a conversation.
pub(crate) fn steps(tokens: usize, single: usize) -> Vec<usize> {
    let single = single.min(tokens.saturating_sub(1));
    let mut steps = vec![tokens - single];
    steps.extend(vec![1; single]);
    steps
}

/// A model from its path, or the one inside this program.
pub(crate) fn open(model: Option<&PathBuf>) -> Result<Source> {
    Source::open(model.map(PathBuf::as_path))
}

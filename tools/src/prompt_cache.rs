//! What was read of a prompt, kept in a file for the next run.

use crate::load::Source;
use anyhow::{Context, Result};
use clap::Args;
use fidelis_engine::session::{ModelDigest, Saved, Session};
use std::path::PathBuf;

/// Whether a prompt is kept.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Prompt cache")]
pub(crate) struct PromptCacheOptions {
    /// Keep what was read of the prompt in this file: what the next prompt shares with it is not read again. The text is the same.
    #[arg(long, value_name = "FILE")]
    prompt_cache: Option<PathBuf>,
    /// Keep the answer as well.
    #[arg(long, requires = "prompt_cache")]
    prompt_cache_all: bool,
    /// Use the file, but leave it as it is.
    #[arg(long, requires = "prompt_cache")]
    prompt_cache_ro: bool,
}

/// A file in use.
pub(crate) struct PromptCache<'o> {
    options: &'o PromptCacheOptions,
    path: &'o PathBuf,
    model: ModelDigest,
    /// What the file holds.
    kept: Vec<u32>,
}

impl PromptCacheOptions {
    /// Goes on where the file was left, if there is one; `None` without the flag.
    pub(crate) fn open(
        &self,
        source: &Source,
        session: &mut Session<'_>,
    ) -> Result<Option<PromptCache<'_>>> {
        let Some(path) = &self.prompt_cache else {
            return Ok(None);
        };
        let failed = || format!("cannot use {} as a prompt cache", path.display());
        // What cannot be saved must be said before anything is read.
        session.backend().remembered(0).with_context(failed)?;
        let model = ModelDigest::of(&source.parts());
        let mut kept = Vec::new();
        if path.try_exists().with_context(failed)? {
            let saved = Saved::open(path).with_context(failed)?;
            session.restore_text(&saved, &model).with_context(failed)?;
            kept = saved.tokens().to_vec();
        }
        Ok(Some(PromptCache {
            options: self,
            path,
            model,
            kept,
        }))
    }
}

impl PromptCache<'_> {
    /// Keeps a prompt that was read, unless the file holds it already.
    pub(crate) fn keep_prompt(&self, session: &Session<'_>) -> Result<()> {
        if self.kept.starts_with(session.history()) {
            return Ok(());
        }
        self.save(session)
    }

    /// Keeps prompt and answer, if that is wanted.
    pub(crate) fn keep_answer(&self, session: &Session<'_>) -> Result<()> {
        if !self.options.prompt_cache_all {
            return Ok(());
        }
        self.save(session)
    }

    fn save(&self, session: &Session<'_>) -> Result<()> {
        if self.options.prompt_cache_ro {
            return Ok(());
        }
        session
            .save(self.path, &self.model, &[])
            .with_context(|| format!("cannot write {}", self.path.display()))
    }
}

//! Flags of guessing tokens ahead.

use crate::load::{ModelOptions, Source};
use anyhow::{Context, Result, bail};
use clap::Args;
use fidelis_engine::backend::CpuBackend;
use fidelis_engine::gguf::Gguf;
use fidelis_engine::model::Model;
use fidelis_engine::session::{Draft, DraftModel, Lookup, Session, Speculation};
use fidelis_engine::text::Tokenizer;
use std::path::PathBuf;

/// Who guesses, and how far.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Speculation")]
pub(crate) struct DraftOptions {
    /// A smaller model with the same vocabulary: the model reads together what this one guesses. The text is the same.
    #[arg(long, value_name = "FILE", env = "LLAMA_ARG_MODEL_DRAFT")]
    model_draft: Option<PathBuf>,
    /// Guess that the text repeats what it said before. The text is the same.
    #[arg(long, conflicts_with = "model_draft")]
    lookup: bool,
    /// Tokens guessed at once, at most.
    #[arg(long, visible_aliases = ["draft", "draft-n"], default_value_t = 16)]
    draft_max: usize,
}

impl DraftOptions {
    /// The file of the model that guesses.
    pub(crate) fn source(&self) -> Result<Option<Source>> {
        let path = self.model_draft.as_deref();
        path.map(|path| Source::open(Some(path))).transpose()
    }

    /// The session with who guesses, if that is wanted; `gguf` is [`Self::source`]'s.
    pub(crate) fn add<'a>(
        &self,
        session: Session<'a>,
        gguf: Option<&Gguf<'a>>,
        target: &Tokenizer,
        options: &ModelOptions,
    ) -> Result<Session<'a>> {
        if options.memory.is_limited() && (self.lookup || self.model_draft.is_some()) {
            bail!(
                "--memory does not count what guesses take; leave out --lookup and --model-draft"
            );
        }
        let draft: Box<dyn Draft + 'a> = match (gguf, &self.model_draft) {
            (Some(gguf), Some(path)) => {
                let options = options.for_draft(path, session.backend().context());
                let failed = || format!("cannot use {} as a draft model", path.display());
                let guessing = guessing(gguf, target, &options);
                Box::new(guessing.with_context(failed)?)
            }
            _ if self.lookup => Box::new(Lookup),
            _ => return Ok(session),
        };
        Ok(session.with_draft(draft, self.draft_max))
    }
}

fn guessing<'a>(
    gguf: &Gguf<'a>,
    target: &Tokenizer,
    options: &ModelOptions,
) -> Result<DraftModel<'a>> {
    let tokenizer = Tokenizer::read(gguf)?;
    let model = Model::read_for_context(gguf, options.context_of(gguf)?)?;
    let backend = CpuBackend::new(&model.graph, &options.settings(&model)?)?;
    Ok(DraftModel::new(Box::new(backend), &tokenizer, target)?)
}

/// Says what came of guessing.
pub(crate) fn show(speculation: Option<Speculation>) {
    if let Some(told) = speculation {
        eprintln!(
            "{:>28} = {} of {} guesses; {} tokens read in {} steps",
            "accepted", told.accepted, told.guessed, told.tokens, told.steps
        );
    }
}

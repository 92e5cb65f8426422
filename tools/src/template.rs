//! Which chat template: the model's own, or one from the flags.

use anyhow::{Context, Result};
use clap::Args;
use fidelis_engine::gguf::Gguf;
use fidelis_engine::text::ChatTemplate;
use std::path::PathBuf;

/// A template in place of the model's own.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct TemplateOptions {
    /// Jinja source, or the name of a known chat format.
    #[arg(long)]
    chat_template: Option<String>,
    /// File with Jinja source.
    #[arg(long)]
    chat_template_file: Option<PathBuf>,
}

/// A template's source, and where it is from.
pub(crate) struct TemplateText {
    /// Jinja, even if a name was given.
    pub(crate) source: String,
    /// In words.
    pub(crate) name: String,
}

impl TemplateOptions {
    /// Whether the flags give one.
    pub(crate) fn is_given(&self) -> bool {
        self.chat_template.is_some() || self.chat_template_file.is_some()
    }

    /// The flags' template, or else the model's, if it has one.
    pub(crate) fn text(&self, gguf: &Gguf<'_>) -> Result<Option<TemplateText>> {
        let text = |source: &str, name: String| {
            Some(TemplateText {
                source: source.to_owned(),
                name,
            })
        };
        Ok(match (&self.chat_template, &self.chat_template_file) {
            (Some(given), _) => match ChatTemplate::named(given) {
                Some(source) => text(source, format!("the chat template {given:?}")),
                None => text(given, "the chat template of --chat-template".to_owned()),
            },
            (None, Some(path)) => {
                let source = std::fs::read_to_string(path)
                    .with_context(|| format!("cannot read {}", path.display()))?;
                text(&source, format!("the chat template {}", path.display()))
            }
            (None, None) => gguf
                .str("tokenizer.chat_template")?
                .and_then(|source| text(source, "the model's chat template".to_owned())),
        })
    }
}

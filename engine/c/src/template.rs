//! Conversations as text, by a Jinja template.

use crate::failure::Failure;
use crate::ffi::FIDELIS_TEMPLATE;
use crate::model::Parts;
use fidelis_engine::text::{ChatTemplate, Message, TemplateError};

/// A template that was compiled.
pub(crate) struct Template(ChatTemplate);

impl Template {
    /// Of this source or name, or the file's.
    pub(crate) fn of(parts: &Parts<'_>, source: Option<&str>) -> Result<Self, Failure> {
        let Parts {
            gguf, tokenizer, ..
        } = parts;
        let text = |id: Option<u32>| id.and_then(|id| tokenizer.token_text(id)).unwrap_or("");
        let (bos, eos) = (text(tokenizer.bos()), text(tokenizer.eos()));
        let template = match source {
            Some(source) => ChatTemplate::new(source, bos, eos)?,
            None => ChatTemplate::read(gguf, bos, eos)?.ok_or_else(|| {
                Failure::new(FIDELIS_TEMPLATE, "the file has no chat template; give one")
            })?,
        };
        Ok(Self(template))
    }

    /// Open for the next answer.
    pub(crate) fn render(&self, messages: &[Message]) -> Result<String, Failure> {
        Ok(self.0.render(messages, true)?)
    }
}

impl From<TemplateError> for Failure {
    fn from(error: TemplateError) -> Self {
        Self::of(FIDELIS_TEMPLATE, &error)
    }
}

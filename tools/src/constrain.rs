//! Flags of what an answer keeps to.

use anyhow::{Context, Result};
use clap::Args;
pub(crate) use fidelis_engine::constrain::Constraint;
use fidelis_engine::constrain::{Form, Tokens};
use fidelis_engine::text::Tokenizer;
use std::path::{Path, PathBuf};

/// What an answer keeps to, if to anything; one at most.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Constraints")]
#[group(id = "constraint", multiple = false)]
pub(crate) struct ConstraintOptions {
    /// The answer keeps to this grammar, in GBNF.
    #[arg(long, value_name = "GBNF", allow_hyphen_values = true)]
    grammar: Option<String>,
    /// The same from a file.
    #[arg(long, value_name = "FILE")]
    grammar_file: Option<PathBuf>,
    /// The answer is JSON that this schema accepts; {} accepts any.
    #[arg(short, long, value_name = "SCHEMA")]
    json_schema: Option<String>,
    /// The same from a file (-jf).
    #[arg(long, value_name = "FILE")]
    json_schema_file: Option<PathBuf>,
    /// The whole answer matches this regular expression.
    #[arg(long, value_name = "REGEX", allow_hyphen_values = true)]
    regex: Option<String>,
}

impl ConstraintOptions {
    /// Whether there is one.
    pub(crate) fn is_given(&self) -> bool {
        self.grammar.is_some()
            || self.grammar_file.is_some()
            || self.json_schema.is_some()
            || self.json_schema_file.is_some()
            || self.regex.is_some()
    }

    /// What was asked for, and the file it is from.
    fn form(&self) -> Result<Option<(Form, Option<&Path>)>> {
        let read = |path: &Path| {
            std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
        };
        Ok(if let Some(text) = &self.grammar {
            Some((Form::Grammar(text.clone()), None))
        } else if let Some(path) = &self.grammar_file {
            Some((Form::Grammar(read(path)?), Some(path)))
        } else if let Some(text) = &self.json_schema {
            Some((Form::JsonSchema(text.clone()), None))
        } else if let Some(path) = &self.json_schema_file {
            Some((Form::JsonSchema(read(path)?), Some(path)))
        } else {
            let form = |text: &String| (Form::Regex(text.clone()), None);
            self.regex.as_ref().map(form)
        })
    }

    /// The constraint for a model's tokens.
    pub(crate) fn constraint(&self, tokenizer: &Tokenizer) -> Result<Option<Constraint>> {
        let Some((form, path)) = self.form()? else {
            return Ok(None);
        };
        let constraint = Tokens::new(tokenizer).and_then(|tokens| Constraint::new(&tokens, &form));
        match path {
            None => Ok(Some(constraint?)),
            Some(path) => constraint
                .map(Some)
                .with_context(|| format!("{} cannot be used", path.display())),
        }
    }
}

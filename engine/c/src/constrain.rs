//! What answers keep to.

use crate::failure::Failure;
use crate::ffi::{
    FIDELIS_BAD_CONSTRAINT, FIDELIS_FORM_GRAMMAR, FIDELIS_FORM_JSON_SCHEMA, FIDELIS_FORM_REGEX,
    fidelis_form,
};
use fidelis_engine::constrain::{Constraint, ConstraintError, Form, Tokens};
use fidelis_engine::text::Tokenizer;
use std::sync::OnceLock;

/// A model's tokens as constraints search them; arranged when the first constraint comes.
#[derive(Default)]
pub(crate) struct Searched(OnceLock<Tokens>);

impl Searched {
    fn tokens(&self, tokenizer: &Tokenizer) -> Result<&Tokens, Failure> {
        if let Some(tokens) = self.0.get() {
            return Ok(tokens);
        }
        let tokens = Tokens::new(tokenizer)?;
        Ok(self.0.get_or_init(|| tokens))
    }

    /// What `text` asks for, which is one of `form`.
    pub(crate) fn constraint(
        &self,
        tokenizer: &Tokenizer,
        form: fidelis_form,
        text: &str,
    ) -> Result<Constraint, Failure> {
        let text = text.to_owned();
        let form = match form {
            FIDELIS_FORM_JSON_SCHEMA => Form::JsonSchema(text),
            FIDELIS_FORM_REGEX => Form::Regex(text),
            FIDELIS_FORM_GRAMMAR => Form::Grammar(text),
            unknown => {
                let known = "0 (none), 1 (JSON schema), 2 (regular expression) or 3 (grammar)";
                return Err(Failure::invalid(format!(
                    "form is {}; it must be {known}",
                    unknown.0
                )));
            }
        };
        Ok(Constraint::new(self.tokens(tokenizer)?, &form)?)
    }
}

impl From<ConstraintError> for Failure {
    fn from(error: ConstraintError) -> Self {
        Self::of(FIDELIS_BAD_CONSTRAINT, &error)
    }
}

//! A constraint, and where in it an answer is.

use super::{ConstraintError, Guide, Progress, Tokens, gbnf, lark};
use llguidance::api::{StopReason, TopLevelGrammar};
use llguidance::derivre::RegexBuilder;
use llguidance::{JsonCompileOptions, Matcher};
use serde_json::Value;
use std::fmt;

/// White space between the parts of JSON: a model that may write any amount of it may never stop.
const SPACE: &str = r"\x20|\n{1,2}[\x20\t]{0,20}";

/// What an answer keeps to, as its text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Form {
    /// A JSON schema: the answer is JSON that it accepts.
    JsonSchema(String),
    /// A regular expression in the `regex` crate's syntax, which the whole answer matches.
    Regex(String),
    /// A grammar in llama.cpp's GBNF, whose `root` gives the answer.
    Grammar(String),
}

/// A form that was read for a model's tokens, and how much of an answer was seen. Clones of a fresh one are fresh.
pub struct Constraint {
    tokens: Tokens,
    matcher: Matcher,
}

impl Constraint {
    /// Reads a form.
    ///
    /// # Errors
    ///
    /// [`ConstraintError`] with what is wrong with it, and where that is known.
    pub fn new(tokens: &Tokens, form: &Form) -> Result<Self, ConstraintError> {
        let grammar = match form {
            Form::JsonSchema(text) => schema(text)?,
            Form::Regex(text) => regex(text)?,
            Form::Grammar(text) => {
                TopLevelGrammar::from_lark(lark::write(&gbnf::Grammar::read(text)?)?)
            }
        };
        let parser = tokens.factory.create_parser(grammar).map_err(|error| {
            let reason = first_line(&error.to_string());
            match form {
                Form::JsonSchema(_) => ConstraintError::Schema { reason },
                Form::Regex(_) => ConstraintError::Regex { reason },
                Form::Grammar(_) => ConstraintError::Unusable { reason },
            }
        })?;
        Ok(Self {
            tokens: tokens.clone(),
            matcher: Matcher::new(Ok(parser)),
        })
    }

    fn progress(&self) -> Progress {
        if self.matcher.is_stopped() {
            Progress::Complete
        } else {
            Progress::Open
        }
    }
}

impl Clone for Constraint {
    fn clone(&self) -> Self {
        Self {
            tokens: self.tokens.clone(),
            // A plain clone shares a cache behind a lock with this one.
            matcher: self.matcher.deep_clone(),
        }
    }
}

impl fmt::Debug for Constraint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Constraint")
            .field("tokens", &self.tokens)
            .finish_non_exhaustive()
    }
}

impl Guide for Constraint {
    fn forbid(&mut self, logits: &mut [f32]) -> Result<Progress, ConstraintError> {
        if self.matcher.is_stopped() && !self.matcher.is_error() {
            return Ok(Progress::Complete);
        }
        let mut allowed = match self.matcher.compute_mask() {
            Ok(allowed) => allowed,
            Err(error) => {
                let reason = first_line(&error.to_string());
                // The library names this reason in place of a message.
                return Err(if reason == StopReason::NoExtensionBias.to_string() {
                    ConstraintError::NoToken
                } else {
                    ConstraintError::Step { reason }
                });
            }
        };
        let may_end = allowed.is_allowed(self.tokens.end);
        allowed.disallow_token(self.tokens.end);
        if allowed.is_zero() {
            return Ok(Progress::Complete);
        }
        if may_end {
            for &end in &*self.tokens.ends {
                allowed.allow_token(end);
            }
        }
        for (token, logit) in logits.iter_mut().enumerate() {
            if token >= allowed.len() || !allowed.get(token) {
                *logit = f32::NEG_INFINITY;
            }
        }
        Ok(Progress::Open)
    }

    fn accept(&mut self, token: u32) -> Result<Progress, ConstraintError> {
        self.matcher
            .consume_token(token)
            .map_err(|error| ConstraintError::Step {
                reason: first_line(&error.to_string()),
            })?;
        Ok(self.progress())
    }
}

/// What is said before the library's own state.
fn first_line(reason: &str) -> String {
    reason.lines().next().unwrap_or_default().to_owned()
}

fn schema(text: &str) -> Result<TopLevelGrammar, ConstraintError> {
    let mut schema: Value = serde_json::from_str(text).map_err(|error| ConstraintError::Json {
        reason: error.to_string(),
    })?;
    if schema == Value::Bool(true) {
        schema = Value::Object(serde_json::Map::new());
    }
    let Some(fields) = schema.as_object() else {
        return Err(ConstraintError::Schema {
            reason: "a schema is an object".to_owned(),
        });
    };
    if !fields.contains_key("x-guidance") {
        let options = JsonCompileOptions {
            whitespace_pattern: Some(SPACE.to_owned()),
            ..JsonCompileOptions::default()
        };
        options.apply_to(&mut schema);
    }
    Ok(TopLevelGrammar::from_json_schema(schema))
}

fn regex(text: &str) -> Result<TopLevelGrammar, ConstraintError> {
    // Nothing but nothing would be an answer.
    if text.is_empty() {
        return Err(ConstraintError::Regex {
            reason: "it is empty".to_owned(),
        });
    }
    // By itself first: what is wrong is then said of this text, not of a grammar around it.
    RegexBuilder::new()
        .mk_regex(text)
        .map_err(|error| ConstraintError::Regex {
            reason: error.to_string(),
        })?;
    Ok(TopLevelGrammar::from_regex(text))
}

//! Answers that keep to a JSON schema, a regular expression or a grammar.
//!
//! Before a token is chosen, the logit of every token after which the answer could not be completed becomes −∞; the sampler
//! is the same as ever. Once the answer is complete and nothing may follow, it ends; while more may follow, the model's own end is allowed
//! where the answer is complete.
//!
//! ```
//! # #[cfg(feature = "constraints")]
//! # fn answer(
//! #     tokenizer: &fidelis_engine::text::Tokenizer,
//! #     session: &mut fidelis_engine::session::Session<'_>,
//! #     prompt: &[u32],
//! # ) -> Result<(), Box<dyn std::error::Error>> {
//! # use fidelis_engine::constrain::{Constraint, Form, Tokens};
//! # use fidelis_engine::session::Limits;
//! # use std::ops::ControlFlow;
//! let tokens = Tokens::new(tokenizer)?; // once a model
//! let constraint = Constraint::new(&tokens, &Form::Regex("yes|no".to_owned()))?; // once a form
//! let reply = session.reply(prompt, Limits::default(), |_, _| ControlFlow::Continue(()))?;
//! for piece in reply.constrained(constraint.clone()) {
//!     print!("{}", piece?.text);
//! }
//! # Ok(())
//! # }
//! ```

#[cfg(not(feature = "constraints"))]
mod absent;
#[cfg(feature = "constraints")]
mod constraint;
#[cfg(feature = "constraints")]
mod gbnf;
#[cfg(feature = "constraints")]
mod lark;
#[cfg(feature = "constraints")]
mod tokens;

#[cfg(not(feature = "constraints"))]
pub use absent::Constraint;
#[cfg(feature = "constraints")]
pub use constraint::{Constraint, Form};
#[cfg(feature = "constraints")]
pub use tokens::Tokens;

/// Decides which tokens may come next; [`Constraint`](self) is one.
pub trait Guide: Send {
    /// Makes the logit of every token that may not come next −∞.
    ///
    /// # Errors
    ///
    /// [`ConstraintError::NoToken`] if none may, though the answer is not complete.
    fn forbid(&mut self, logits: &mut [f32]) -> Result<Progress, ConstraintError>;

    /// Goes on behind a token that was chosen; one that ends the answer is not given.
    ///
    /// # Errors
    ///
    /// [`ConstraintError`] if the token was not allowed.
    fn accept(&mut self, token: u32) -> Result<Progress, ConstraintError>;
}

/// How far an answer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// More may follow.
    Open,
    /// It is complete, and nothing may follow.
    Complete,
}

/// Why an answer cannot be constrained, or not any further.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConstraintError {
    /// The schema is no JSON.
    #[error("the JSON schema is not JSON: {reason}")]
    Json {
        /// What is wrong, and where.
        reason: String,
    },
    /// JSON, but not a schema that can be kept to.
    #[error("the JSON schema cannot be kept to: {reason}")]
    Schema {
        /// What it is about it.
        reason: String,
    },
    /// Not a regular expression, or one that looks around.
    #[error("the regular expression cannot be used: {reason}")]
    Regex {
        /// What is wrong, and where.
        reason: String,
    },
    /// Not a grammar.
    #[error("the grammar is wrong at line {line}, column {column}: {reason}")]
    Grammar {
        /// Where, from 1.
        line: usize,
        /// In characters, from 1.
        column: usize,
        /// What is wrong.
        reason: String,
    },
    /// A sound grammar that is too large or has no sentence.
    #[error("the grammar cannot be used: {reason}")]
    Unusable {
        /// Why.
        reason: String,
    },
    /// The vocabulary is of a kind that cannot be searched.
    #[error("the vocabulary cannot be searched for a constraint: {reason}")]
    Vocabulary {
        /// Why.
        reason: String,
    },
    /// Nothing can be chosen.
    #[error("the constraint allows no token: no text that continues the answer keeps to it")]
    NoToken,
    /// What may follow cannot be computed.
    #[error("what the constraint allows cannot be computed: {reason}")]
    Step {
        /// Why.
        reason: String,
    },
}

//! Answers keep to nothing: the crate that sees to it is not there.

use anyhow::Result;
use clap::Args;
pub(crate) use fidelis_engine::constrain::Constraint;
use fidelis_engine::text::Tokenizer;

/// No flags.
#[derive(Args, Clone, Debug)]
pub(crate) struct ConstraintOptions {}

impl ConstraintOptions {
    /// Never.
    pub(crate) fn is_given(&self) -> bool {
        false
    }

    /// None.
    pub(crate) fn constraint(&self, _: &Tokenizer) -> Result<Option<Constraint>> {
        Ok(None)
    }
}

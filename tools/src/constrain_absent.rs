//! Answers keep to nothing: the crate that sees to it is not there.

use anyhow::Result;
use clap::Args;
use fidelis_engine::constrain::{ConstraintError, Guide, Progress};
use fidelis_engine::text::Tokenizer;
use std::convert::Infallible;

/// There is none.
#[derive(Clone)]
pub(crate) struct Constraint(Infallible);

impl Guide for Constraint {
    fn forbid(&mut self, _: &mut [f32]) -> Result<Progress, ConstraintError> {
        match self.0 {}
    }

    fn accept(&mut self, _: u32) -> Result<Progress, ConstraintError> {
        match self.0 {}
    }
}

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

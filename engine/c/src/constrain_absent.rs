//! Answers keep to nothing: the crate that sees to it is not there.

use crate::failure::Failure;
use crate::ffi::{FIDELIS_BAD_CONSTRAINT, fidelis_form};
use fidelis_engine::constrain::{ConstraintError, Guide, Progress};
use fidelis_engine::text::Tokenizer;
use std::convert::Infallible;

/// There is none.
pub(crate) struct Constraint(Infallible);

impl Guide for Constraint {
    fn forbid(&mut self, _: &mut [f32]) -> Result<Progress, ConstraintError> {
        match self.0 {}
    }

    fn accept(&mut self, _: u32) -> Result<Progress, ConstraintError> {
        match self.0 {}
    }
}

/// Nothing is searched.
#[derive(Default)]
pub(crate) struct Searched(());

impl Searched {
    /// Always `FIDELIS_BAD_CONSTRAINT`.
    pub(crate) fn constraint(
        &self,
        _: &Tokenizer,
        _: fidelis_form,
        _: &str,
    ) -> Result<Constraint, Failure> {
        Err(Failure::new(
            FIDELIS_BAD_CONSTRAINT,
            "this library was built without constraints",
        ))
    }
}

//! Answers keep to nothing: the crate that sees to it is not there.

use crate::failure::Failure;
use crate::ffi::{FIDELIS_BAD_CONSTRAINT, fidelis_form};
use fidelis_engine::constrain::Constraint;
use fidelis_engine::text::Tokenizer;

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

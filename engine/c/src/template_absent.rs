//! Conversations are not written out: the crate that does is not there.

use crate::failure::Failure;
use crate::ffi::FIDELIS_TEMPLATE;
use crate::model::Parts;
use fidelis_engine::text::Message;
use std::convert::Infallible;

/// There is none.
pub(crate) struct Template(Infallible);

impl Template {
    /// Always `FIDELIS_TEMPLATE`.
    pub(crate) fn of(_: &Parts<'_>, _: Option<&str>) -> Result<Self, Failure> {
        Err(Failure::new(
            FIDELIS_TEMPLATE,
            "this library was built without chat templates",
        ))
    }

    pub(crate) fn render(&self, _: &[Message]) -> Result<String, Failure> {
        match self.0 {}
    }
}

//! There is no clock, and chat templates are not told of one.

use minijinja::Environment;

/// Adds nothing: templates that ask whether `strftime_now` is defined have a date of their own.
pub(super) fn add(_: &mut Environment<'static>) {}

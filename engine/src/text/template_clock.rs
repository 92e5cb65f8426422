//! The date, for chat templates.

use minijinja::{Environment, Error, ErrorKind};

/// Adds `strftime_now`.
pub(super) fn add(environment: &mut Environment<'static>) {
    environment.add_function("strftime_now", |format: String| {
        let now = jiff::Zoned::now();
        jiff::fmt::strtime::format(&format, &now)
            .map_err(|error| Error::new(ErrorKind::InvalidOperation, error.to_string()))
    });
}

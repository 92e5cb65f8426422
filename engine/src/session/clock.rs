//! How long a back end takes.

use std::time::{Duration, Instant};

/// A moment.
pub(super) struct Clock(Instant);

impl Clock {
    /// This moment.
    pub(super) fn start() -> Self {
        Self(Instant::now())
    }

    /// The time since then.
    pub(super) fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }
}

//! There is no clock: how long a back end takes is not known.

use super::ahead::PAUSE;
use std::time::Duration;

/// A moment that is not known.
pub(super) struct Clock;

impl Clock {
    /// This moment.
    pub(super) fn start() -> Self {
        Self
    }

    /// A pause, for which as many tokens are asked for as before.
    pub(super) fn elapsed(&self) -> Duration {
        PAUSE
    }
}

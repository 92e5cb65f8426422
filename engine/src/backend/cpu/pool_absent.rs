//! There are no worker threads: the caller works alone.

use super::super::BackendError;

/// Worker threads; there never are any.
pub(super) enum Pool {}

impl Pool {
    /// Always [`BackendError::NoThreads`].
    pub(super) fn new(threads: usize) -> Result<Self, BackendError> {
        Err(BackendError::NoThreads { threads })
    }

    /// Cannot be called.
    pub(super) fn broadcast(&self, _: impl Fn(usize) + Sync) {
        match *self {}
    }
}

/// Threads that can run at the same time.
pub(in crate::backend) fn cores() -> usize {
    1
}

//! Worker threads, which rayon keeps.

use super::super::BackendError;
use rayon::{ThreadPool, ThreadPoolBuilder};

/// Some worker threads.
pub(super) struct Pool(ThreadPool);

impl Pool {
    /// Starts `threads` of them.
    pub(super) fn new(threads: usize) -> Result<Self, BackendError> {
        ThreadPoolBuilder::new()
            .num_threads(threads)
            .thread_name(|i| format!("fidelis-{i}"))
            .build()
            .map(Self)
            .map_err(|source| BackendError::Threads {
                threads,
                source: source.into(),
            })
    }

    /// Runs `work` on each of them, with its index, and waits.
    pub(super) fn broadcast(&self, work: impl Fn(usize) + Sync) {
        self.0.broadcast(|context| work(context.index()));
    }
}

/// Threads that can run at the same time.
pub(in crate::backend) fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

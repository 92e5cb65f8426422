//! How fast the last answer was.

use fidelis_engine::backend::Backend;
use std::io::IsTerminal;

/// What the last answer took.
#[derive(Default)]
pub(super) struct Speed {
    /// Tokens read.
    pub(super) read: usize,
    /// Seconds.
    pub(super) reading: f64,
    /// Tokens written.
    pub(super) written: usize,
    /// Seconds.
    pub(super) writing: f64,
}

impl Speed {
    /// After an answer: at length if that is asked for, else in a line on a terminal.
    pub(super) fn show(&self, at_length: bool) {
        let Self {
            read,
            reading,
            written,
            writing,
        } = *self;
        if at_length {
            crate::run::timings([0.0, reading, writing], read, written);
        } else if std::io::stderr().is_terminal() {
            eprintln!(
                "[ Prompt: {:.1} t/s | Generation: {:.1} t/s ]\n",
                read as f64 / reading,
                written as f64 / writing
            );
        }
    }

    /// The same in words, and what the back end takes.
    pub(super) fn stats(&self, backend: &dyn Backend) {
        let Self {
            read,
            reading,
            written,
            writing,
        } = *self;
        eprintln!(
            "last answer: read {read} tokens in {reading:.2} s, wrote {written} in {writing:.2} s"
        );
        eprintln!(
            "context: {} of {} positions in use",
            backend.position(),
            backend.context()
        );
        eprintln!(
            "memory: {:.1} MiB for keys, values and intermediates",
            backend.memory_bytes() as f64 / (1 << 20) as f64
        );
        eprintln!("{}", backend.machine());
    }
}

//! Signals: the first ends the answer, the second the program. Where no answer is being made, the first ends the program.

#[cfg_attr(unix, path = "interrupt/signals.rs")]
#[cfg_attr(not(unix), path = "interrupt/console.rs")]
mod system;

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock};

/// The number of Ctrl-C's signal, everywhere.
const INTERRUPT: usize = 2;

/// What the handlers write.
#[derive(Default)]
struct Signals {
    /// The number of the last one; 0: none came.
    last: Arc<AtomicUsize>,
    /// Whether the next one ends the program.
    leave: Arc<AtomicBool>,
}

static SIGNALS: LazyLock<Signals> = LazyLock::new(Signals::default);

/// Watches signals from here on.
pub(crate) fn watch() {
    SIGNALS.leave.store(true, Ordering::SeqCst);
    // If there can be no handler, signals end the program as they always do.
    let _ = system::register(&SIGNALS);
}

/// From here on a signal ends the answer alone.
pub(crate) fn begin() {
    SIGNALS.last.store(0, Ordering::SeqCst);
    SIGNALS.leave.store(false, Ordering::SeqCst);
}

/// The answer is at its end; Ctrl-C during it is forgotten.
pub(crate) fn end() {
    let last = &SIGNALS.last;
    let _ = last.compare_exchange(INTERRUPT, 0, Ordering::SeqCst, Ordering::SeqCst);
    SIGNALS.leave.store(true, Ordering::SeqCst);
}

/// Whether a signal came.
pub(crate) fn came() -> bool {
    SIGNALS.last.load(Ordering::SeqCst) != 0
}

/// Whether to go on: not after a signal.
pub(crate) fn flow() -> ControlFlow<()> {
    if came() {
        ControlFlow::Break(())
    } else {
        ControlFlow::Continue(())
    }
}

/// What the program ends with after a signal: 128 and its number, as shells say it.
pub(crate) fn exit_code() -> Option<u8> {
    let last = SIGNALS.last.load(Ordering::SeqCst);
    u8::try_from(128 + last).ok().filter(|_| last != 0)
}

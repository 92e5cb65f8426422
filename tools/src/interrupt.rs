//! Ctrl-C: the first stops the answer, the second leaves.

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicUsize, Ordering};

static COUNT: AtomicUsize = AtomicUsize::new(0);

/// Counts interrupts from here on; the second ends the program.
pub(crate) fn watch() {
    // If there can be no handler, Ctrl-C ends the program as it always does.
    let _ = ctrlc::set_handler(|| {
        if COUNT.fetch_add(1, Ordering::SeqCst) > 0 {
            std::process::exit(130);
        }
    });
}

/// Interrupts since the last reset.
pub(crate) fn count() -> usize {
    COUNT.load(Ordering::SeqCst)
}

/// Whether to go on: not after an interrupt.
pub(crate) fn flow() -> ControlFlow<()> {
    if count() > 0 {
        ControlFlow::Break(())
    } else {
        ControlFlow::Continue(())
    }
}

/// Forgets interrupts.
pub(crate) fn reset() {
    COUNT.store(0, Ordering::SeqCst);
}

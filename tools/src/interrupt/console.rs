//! Where there are no signals: Ctrl-C of the console.

use super::{INTERRUPT, Signals};
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// Registers what Ctrl-C does.
pub(super) fn register(signals: &Signals) -> Result<(), ctrlc::Error> {
    let (last, leave) = (Arc::clone(&signals.last), Arc::clone(&signals.leave));
    ctrlc::set_handler(move || {
        if leave.swap(true, Ordering::SeqCst) {
            std::process::exit(128 + INTERRUPT as i32);
        }
        last.store(INTERRUPT, Ordering::SeqCst);
    })
}

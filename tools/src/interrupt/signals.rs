//! Unix: an interrupt, a request to end, a terminal that went away.

use super::Signals;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::flag;
use std::io;
use std::sync::Arc;

/// Registers what signals do.
pub(super) fn register(signals: &Signals) -> io::Result<()> {
    for signal in [SIGINT, SIGTERM, SIGHUP] {
        // In this order: the second ends the program, for the first said so.
        flag::register_conditional_shutdown(signal, 128 + signal, Arc::clone(&signals.leave))?;
        flag::register(signal, Arc::clone(&signals.leave))?;
        flag::register_usize(signal, Arc::clone(&signals.last), signal as usize)?;
    }
    Ok(())
}

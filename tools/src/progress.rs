//! Progress bars, on a terminal alone.

use indicatif::{ProgressBar, ProgressStyle};
use std::io::IsTerminal;

/// A bar on stderr; hidden if that is no terminal.
pub(crate) fn bar(what: &'static str, length: u64, bytes: bool) -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let template = if bytes {
        "{msg} {bar:30} {bytes}/{total_bytes} {eta}"
    } else {
        "{msg} {bar:30} {pos}/{len} {eta}"
    };
    let style =
        ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(length)
        .with_style(style)
        .with_message(what)
}

//! The system loads no libraries.

use fidelis_abi::Entry;
use std::error::Error;
use std::path::Path;

/// Loads no library.
pub(super) fn entry(_: &Path) -> Result<Option<Entry>, Box<dyn Error + Send + Sync>> {
    Err("this system loads no libraries".into())
}

//! Files that are there whole or not at all.

use super::ReceiptError;
use fidelis_engine::atomic;
use std::path::Path;

/// Writes text, or any bytes, to `path`, which never holds half of it.
///
/// # Errors
///
/// [`ReceiptError::File`] if it cannot be written; nothing is left behind then.
pub fn write_atomically(path: &Path, text: impl AsRef<[u8]>) -> Result<(), ReceiptError> {
    atomic::write_file(path, |to| to.write_all(text.as_ref())).map_err(|source| {
        ReceiptError::File {
            action: "write",
            path: path.to_owned(),
            source,
        }
    })
}

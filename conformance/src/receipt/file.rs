//! Files that are there whole or not at all.

use super::ReceiptError;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

/// Writes `text`, or any bytes, to a file beside `path` and renames that, so that `path` never holds half of it.
///
/// # Errors
///
/// [`ReceiptError::File`] if the folder cannot be written to; nothing is left behind then.
pub fn write_atomically(path: &Path, text: impl AsRef<[u8]>) -> Result<(), ReceiptError> {
    let failed = |source| ReceiptError::File {
        action: "write",
        path: path.to_owned(),
        source,
    };
    let name = path
        .file_name()
        .ok_or_else(|| failed(io::ErrorKind::InvalidFilename.into()))?;
    let mut beside = std::ffi::OsString::from(".");
    beside.push(name);
    beside.push(format!(".{}.part", std::process::id()));
    let beside = path.with_file_name(beside);
    let write = || -> io::Result<()> {
        let mut file = File::create_new(&beside)?;
        file.write_all(text.as_ref())?;
        // The content must be on the disk before the name is.
        file.sync_all()?;
        fs::rename(&beside, path)
    };
    write().map_err(|error| {
        if error.kind() != io::ErrorKind::AlreadyExists {
            // What was begun is of no use; that it may not be there either is no second error.
            let _ = fs::remove_file(&beside);
        }
        failed(error)
    })
}

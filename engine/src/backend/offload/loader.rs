//! Loading a library, where the system can.

use fidelis_abi::{ENTRY, Entry};
use libloading::Library;
use std::error::Error;
use std::path::Path;

/// Loads a library and finds its entry; `Ok(None)`: it has none. It is never unloaded.
pub(super) fn entry(path: &Path) -> Result<Option<Entry>, Box<dyn Error + Send + Sync>> {
    // SAFETY: what a library does when it is loaded is the user's trust, as `Plugin::open` says.
    let library = unsafe { Library::new(path) }?;
    // SAFETY: by the contract, the symbol of this name has this type.
    let entry = unsafe { library.get::<Entry>(ENTRY.to_bytes_with_nul()) }.map(|symbol| *symbol);
    if entry.is_ok() {
        // Drivers keep threads and thread-locals, and the table must live as long as the process.
        std::mem::forget(library);
    }
    Ok(entry.ok())
}

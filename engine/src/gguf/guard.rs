//! What happens if a mapped file is cut short while it is in use.
//!
//! To read a page of a map that the file no longer reaches ends the program by a signal. A program that wants an error instead [installs](install) a guard: the missing
//! pages then read as zeros, and every step of a back end, and [`check`], fails with the name of the file. The library does not do that by itself, for signals are the program's.

#[cfg(all(unix, feature = "mmap"))]
mod signal;
#[cfg(not(all(unix, feature = "mmap")))]
mod unguarded;

#[cfg(all(unix, feature = "mmap"))]
use signal as system;
#[cfg(not(all(unix, feature = "mmap")))]
use unguarded as system;

use super::GgufError;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// Files that are watched, by the place in the table, and the first that was lost.
static FILES: Mutex<Files> = Mutex::new(Files {
    watched: Vec::new(),
    lost: None,
});

struct Files {
    watched: Vec<(usize, PathBuf)>,
    /// Kept when the file is closed.
    lost: Option<PathBuf>,
}

/// Lets files that are mapped from here on fail with an error where the system would end the program: on Unix through `SIGBUS`, whose handler of before gets what does not
/// concern such a file. Elsewhere nothing happens; Windows does not let a mapped file be cut short.
///
/// # Errors
///
/// If the system refuses.
pub fn install() -> std::io::Result<()> {
    system::install()
}

/// The first watched file that was cut short, be it closed or not.
pub fn lost() -> Option<GgufError> {
    if !system::any_lost() {
        return None;
    }
    let files = FILES.lock().unwrap_or_else(PoisonError::into_inner);
    let open = || {
        let mut watched = files.watched.iter();
        watched.find_map(|(place, path)| system::is_lost(*place).then(|| path.clone()))
    };
    let path = files.lost.clone().or_else(open)?;
    Some(GgufError::CutShort { path })
}

/// Whether all these bytes are still their file's.
///
/// # Errors
///
/// [`GgufError::CutShort`] if some lie in a watched file that was cut short.
pub fn check<'a>(mut bytes: impl Iterator<Item = &'a [u8]>) -> Result<(), GgufError> {
    if !system::any_lost() {
        return Ok(());
    }
    let files = FILES.lock().unwrap_or_else(PoisonError::into_inner);
    let lost = |bytes: &[u8]| {
        let mut watched = files.watched.iter();
        watched.find(|(place, _)| {
            system::is_lost(*place) && system::range(*place).contains(&bytes.as_ptr().addr())
        })
    };
    match bytes.find_map(lost) {
        Some((_, path)) => Err(GgufError::CutShort { path: path.clone() }),
        None => Ok(()),
    }
}

/// A mapped file that is watched; until it is dropped, which must be before the map is.
#[derive(Debug)]
pub(super) struct Watch(usize);

impl Watch {
    /// Watches the map of a file; `None` if no guard is installed or too many files are watched.
    pub(super) fn new(path: &Path, map: &[u8]) -> Option<Self> {
        let mut files = FILES.lock().unwrap_or_else(PoisonError::into_inner);
        let place = system::watch(map, |place| {
            files.watched.iter().all(|&(taken, _)| taken != place)
        })?;
        files.watched.push((place, path.to_owned()));
        Some(Self(place))
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let mut files = FILES.lock().unwrap_or_else(PoisonError::into_inner);
        let Files { watched, lost } = &mut *files;
        watched.retain(|(place, path)| {
            if *place == self.0 && system::is_lost(self.0) {
                lost.get_or_insert_with(|| path.clone());
            }
            *place != self.0
        });
        system::forget(self.0);
    }
}

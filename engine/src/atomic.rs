//! Files that are there whole or not at all.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

/// Numbers the files that this process has begun.
static BEGUN: AtomicUsize = AtomicUsize::new(0);

/// Gives `path` the bytes that `fill` writes, all of them or none.
///
/// They go to a new file in the same folder, which takes `path`'s name once it is on the disk: until then `path` is what it was,
/// and after an error nothing is left behind. A link stays, and what it names is replaced; the permissions of an old file
/// are kept. What is no file but can be written to, such as a pipe or `/dev/stdout`, is written to as it is.
///
/// # Errors
///
/// Those of `fill` and of the system, among them that the folder or an old file is not to be written to.
pub fn write_file<T>(
    path: &Path,
    fill: impl FnOnce(&mut dyn Write) -> io::Result<T>,
) -> io::Result<T> {
    let old = match fs::metadata(path) {
        Ok(old) => Some(old),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(error),
    };
    match old {
        Some(old) if old.is_dir() => Err(io::ErrorKind::IsADirectory.into()),
        Some(old) if !old.is_file() => filled(OpenOptions::new().write(true).open(path)?, fill),
        // A new file could take its name all the same, but its owner did not want that.
        Some(old) if old.permissions().readonly() => Err(io::ErrorKind::PermissionDenied.into()),
        Some(old) => replace(&path.canonicalize()?, Some(old.permissions()), fill),
        None => replace(path, None, fill),
    }
}

/// Fills a file in the folder of `path` and moves it there.
fn replace<T>(
    path: &Path,
    permissions: Option<fs::Permissions>,
    fill: impl FnOnce(&mut dyn Write) -> io::Result<T>,
) -> io::Result<T> {
    if path.file_name().is_none() {
        return Err(io::ErrorKind::InvalidFilename.into());
    }
    let (beside, file) = begin(path)?;
    let write = || {
        if let Some(permissions) = permissions {
            file.set_permissions(permissions)?;
        }
        // The content must be on the disk before the name is.
        let done = filled(&file, fill)?;
        file.sync_all()?;
        fs::rename(&beside, path)?;
        Ok(done)
    };
    write().inspect_err(|_| {
        // What was begun is of no use; that it cannot be removed is no second error.
        let _ = fs::remove_file(&beside);
    })
}

/// A new file beside `path`, whose own name may be as long as the system allows.
fn begin(path: &Path) -> io::Result<(PathBuf, File)> {
    loop {
        let number = BEGUN.fetch_add(1, Ordering::Relaxed);
        let beside = path.with_file_name(format!(".fidelis-{}-{number}.part", std::process::id()));
        match File::create_new(&beside) {
            Ok(file) => return Ok((beside, file)),
            // Left by a process of this number that was killed.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
}

fn filled<T>(
    file: impl Write,
    fill: impl FnOnce(&mut dyn Write) -> io::Result<T>,
) -> io::Result<T> {
    let mut buffered = BufWriter::with_capacity(1 << 20, file);
    let done = fill(&mut buffered)?;
    buffered.flush()?;
    Ok(done)
}

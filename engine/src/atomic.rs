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
/// are kept. A process that is killed leaves what it has begun, under a name that begins with a dot and ends with `.part`. What is no file but can be written to, such as a pipe or `/dev/stdout`, is written to as it is.
///
/// # Errors
///
/// Those of `fill` and of the system, among them that the folder or an old file is not to be written to.
pub fn write_file<T, E: From<io::Error>>(
    path: &Path,
    fill: impl FnOnce(&mut dyn Write) -> Result<T, E>,
) -> Result<T, E> {
    let old = match fs::metadata(path) {
        Ok(old) => Some(old),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(error.into()),
    };
    match old {
        Some(old) if old.is_dir() => Err(io::Error::from(io::ErrorKind::IsADirectory).into()),
        Some(old) if !old.is_file() => filled(OpenOptions::new().write(true).open(path)?, fill),
        // A new file could take its name all the same, but its owner did not want that.
        Some(old) if old.permissions().readonly() => {
            Err(io::Error::from(io::ErrorKind::PermissionDenied).into())
        }
        Some(old) => replace(&path.canonicalize()?, Some(old.permissions()), fill),
        None => replace(path, None, fill),
    }
}

/// Fills a file in the folder of `path` and moves it there.
fn replace<T, E: From<io::Error>>(
    path: &Path,
    permissions: Option<fs::Permissions>,
    fill: impl FnOnce(&mut dyn Write) -> Result<T, E>,
) -> Result<T, E> {
    if path.file_name().is_none() {
        return Err(io::Error::from(io::ErrorKind::InvalidFilename).into());
    }
    let (beside, file) = begin(path)?;
    let write = || -> Result<T, E> {
        if let Some(permissions) = permissions {
            file.set_permissions(permissions)?;
        }
        // The content must be on the disk before the name is.
        let done = filled(&file, fill)?;
        file.sync_all()?;
        fs::rename(&beside, path)?;
        Ok(done)
    };
    let done = write().inspect_err(|_| {
        // What was begun is of no use; that it cannot be removed is no second error.
        let _ = fs::remove_file(&beside);
    })?;
    // The new name too must be on the disk; systems that do not open folders keep it without being asked.
    let folder = path.parent().filter(|folder| *folder != Path::new(""));
    if let Ok(folder) = File::open(folder.unwrap_or(Path::new("."))) {
        match folder.sync_all() {
            // Some file systems cannot do that for folders.
            Err(error) if error.kind() == io::ErrorKind::InvalidInput => {}
            synced => synced?,
        }
    }
    Ok(done)
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

fn filled<T, E: From<io::Error>>(
    file: impl Write,
    fill: impl FnOnce(&mut dyn Write) -> Result<T, E>,
) -> Result<T, E> {
    let mut buffered = BufWriter::with_capacity(1 << 20, file);
    let done = fill(&mut buffered)?;
    buffered.flush()?;
    Ok(done)
}

//! Files that are there whole or not at all.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

/// Lets `write` write a file beside `path` and renames it, so that whatever happens `path` is the old file or the whole new one.
///
/// What was begun is removed after an error; a process that is killed leaves it behind, under a name that begins with a dot and ends with `.part`.
///
/// # Errors
///
/// Those of `write` and of the folder; `path` must be a file or nothing.
pub(super) fn write<E: From<io::Error>>(
    path: &Path,
    write: impl FnOnce(&mut dyn Write) -> Result<(), E>,
) -> Result<(), E> {
    let name = path
        .file_name()
        .ok_or_else(|| io::Error::from(io::ErrorKind::InvalidFilename))?;
    // A device or a folder is not to be replaced by a file.
    if fs::metadata(path).is_ok_and(|there| !there.is_file()) {
        return Err(io::Error::from(io::ErrorKind::InvalidFilename).into());
    }
    // Through a link, the file that it names.
    let target = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let time = SystemTime::now().duration_since(UNIX_EPOCH);
    let time = time.map_or(0, |time| time.as_nanos());
    let mut beside = OsString::from(".");
    beside.push(name);
    beside.push(format!(".{}.{time}.part", std::process::id()));
    let beside = target.with_file_name(beside);
    let file = File::create_new(&beside)?;
    let written = fill(file, write).and_then(|()| Ok(fs::rename(&beside, &target)?));
    if written.is_err() {
        // What was begun is of no use; that it may not be there either is no second error.
        let _ = fs::remove_file(&beside);
    }
    written?;
    // Systems that do not open folders keep the new name without being asked.
    let folder = target.parent().filter(|folder| *folder != Path::new(""));
    if let Ok(folder) = File::open(folder.unwrap_or(Path::new("."))) {
        folder.sync_all()?;
    }
    Ok(())
}

fn fill<E: From<io::Error>>(
    file: File,
    write: impl FnOnce(&mut dyn Write) -> Result<(), E>,
) -> Result<(), E> {
    let mut file = BufWriter::with_capacity(1 << 18, file);
    write(&mut file)?;
    let file = file.into_inner().map_err(io::IntoInnerError::into_error)?;
    // The content must be on the disk before the name is.
    file.sync_all()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::write;
    use std::fs;
    use std::io;

    #[test]
    fn an_error_leaves_the_old_file_and_nothing_beside_it() {
        let folder = std::env::temp_dir().join(format!("fidelis-whole-{}", std::process::id()));
        fs::create_dir_all(&folder).expect("a folder");
        let path = folder.join("file");
        write::<io::Error>(&path, |out| out.write_all(b"old")).expect("written");
        let failed = write::<io::Error>(&path, |out| {
            out.write_all(&[0; 1 << 20])?;
            Err(io::ErrorKind::StorageFull.into())
        });
        assert_eq!(
            failed.expect_err("a full disk").kind(),
            io::ErrorKind::StorageFull
        );
        assert_eq!(fs::read(&path).expect("there"), b"old");
        write::<io::Error>(&path, |out| out.write_all(b"new")).expect("written");
        assert_eq!(fs::read(&path).expect("there"), b"new");
        assert_eq!(fs::read_dir(&folder).expect("a folder").count(), 1);
        assert!(write::<io::Error>(&folder, |_| Ok(())).is_err());
        fs::remove_dir_all(&folder).expect("ours");
    }
}

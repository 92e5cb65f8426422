//! Files that are written whole or not at all.

use fidelis_engine::atomic::write_file;
use std::fs;
use std::io;
use std::path::PathBuf;

/// A folder of the test's own, gone when the test ends.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let folder =
            std::env::temp_dir().join(format!("fidelis-atomic-{name}-{}", std::process::id()));
        fs::create_dir_all(&folder).expect("a folder");
        Self(folder)
    }

    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(&self.0).expect("a folder");
        let mut names: Vec<String> = entries
            .map(|entry| {
                entry
                    .expect("an entry")
                    .file_name()
                    .to_string_lossy()
                    .into()
            })
            .collect();
        names.sort();
        names
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[test]
fn a_file_is_replaced_by_what_is_written_and_nothing_else_is_left() {
    let folder = Folder::new("replaced");
    let path = folder.0.join("file");
    for text in ["one", "another"] {
        let written = write_file(&path, |to| to.write_all(text.as_bytes()).map(|()| 7));
        assert_eq!(written.expect("writable"), 7);
        assert_eq!(fs::read_to_string(&path).expect("there"), text);
        assert_eq!(folder.names(), ["file"]);
    }
}

#[test]
fn a_file_stays_while_another_is_begun_and_after_that_failed() {
    let folder = Folder::new("failed");
    let path = folder.0.join("file");
    fs::write(&path, "old").expect("writable");
    let failed: io::Result<()> = write_file(&path, |to| {
        // More than is kept in memory.
        to.write_all(&[1; 3 << 20])?;
        assert_eq!(fs::read_to_string(&path)?, "old");
        Err(io::Error::other("no more"))
    });
    assert_eq!(failed.expect_err("it failed").to_string(), "no more");
    assert_eq!(fs::read_to_string(&path).expect("there"), "old");
    assert_eq!(folder.names(), ["file"]);
}

#[test]
fn two_threads_that_write_one_file_leave_one_of_both() {
    let folder = Folder::new("threads");
    let path = folder.0.join("file");
    std::thread::scope(|scope| {
        for text in [[b'a'; 1 << 16], [b'b'; 1 << 16]] {
            let path = &path;
            scope.spawn(move || {
                for _ in 0..20 {
                    write_file(path, |to| to.write_all(&text)).expect("writable");
                }
            });
        }
    });
    let left = fs::read(&path).expect("there");
    assert!(left == [b'a'; 1 << 16] || left == [b'b'; 1 << 16]);
    assert_eq!(folder.names(), ["file"]);
}

#[test]
fn what_is_no_file_is_refused_and_a_name_may_be_long() {
    let folder = Folder::new("names");
    let error = write_file::<_, io::Error>(&folder.0, |_| Ok(())).expect_err("a folder");
    assert_eq!(error.kind(), io::ErrorKind::IsADirectory);
    let nowhere = folder.0.join("no").join("file");
    let error = write_file::<_, io::Error>(&nowhere, |_| Ok(())).expect_err("no folder");
    assert_eq!(error.kind(), io::ErrorKind::NotFound);
    // As long as file systems allow: the file beside it has a shorter one.
    let long = folder.0.join("n".repeat(255));
    write_file(&long, |to| to.write_all(b"x")).expect("writable");
    assert_eq!(fs::read(&long).expect("there"), b"x");
}

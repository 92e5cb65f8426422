//! What cannot be written: a full disk, a folder or a file that is not to be written to. The old file stays, and nothing lies beside it.
#![cfg(unix)]

use fidelis_conformance::tiny::{Kind, Tiny};
use std::fs::{self, Permissions};
use std::io::Write;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// A folder of the test's own, gone when the test ends.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("fidelis-{name}-{}", std::process::id()));
        fs::create_dir_all(&folder).expect("a folder");
        Self(folder)
    }

    fn path(&self, name: &str) -> String {
        self.0.join(name).to_str().expect("UTF-8").to_owned()
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

/// A command that writes a file.
struct Writes {
    /// Its arguments; `OUT` stands for the file, `IN` for a model in F32.
    arguments: &'static [&'static str],
    /// What it reads.
    stdin: &'static str,
    /// What it ends with if the file cannot be written: a chat goes on.
    code: i32,
}

const COMMANDS: [Writes; 6] = [
    Writes {
        arguments: &["run", "-p", "Once", "-n", "2", "--receipt", "OUT"],
        stdin: "",
        code: 1,
    },
    Writes {
        arguments: &["trace", "-p", "Once", "-o", "OUT"],
        stdin: "",
        code: 1,
    },
    Writes {
        arguments: &["conformance", "IN", "--tokens", "1,5", "--html", "OUT"],
        stdin: "",
        code: 1,
    },
    Writes {
        arguments: &["quantize", "IN", "OUT", "Q8_0"],
        stdin: "",
        code: 1,
    },
    Writes {
        arguments: &["synth", "smollm2-135m", "Q4_0", "OUT"],
        stdin: "",
        code: 1,
    },
    Writes {
        arguments: &["chat", "--temp", "0"],
        stdin: "What color is the sky?\n/save OUT\n",
        code: 0,
    },
];

impl Writes {
    /// Runs the command, through a shell that first does `prepare`.
    fn run(&self, prepare: &str, input: &str, out: &str) -> Output {
        let placed = |text: &str| text.replace("OUT", out).replace("IN", input);
        let mut child = Command::new("sh")
            .args(["-c", &format!("{prepare} exec \"$0\" \"$@\"")])
            .arg(env!("CARGO_BIN_EXE_fidelis"))
            .args(self.arguments.iter().map(|argument| placed(argument)))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("a shell");
        let mut stdin = child.stdin.take().expect("piped");
        // A program that reads nothing closes it.
        let _ = stdin.write_all(placed(self.stdin).as_bytes());
        drop(stdin);
        child.wait_with_output().expect("the program ends")
    }

    #[track_caller]
    fn refused(&self, output: &Output, out: &str, why: &str) {
        let said = String::from_utf8_lossy(&output.stderr);
        let command = self.arguments[0];
        assert_eq!(output.status.code(), Some(self.code), "{command}: {said}");
        assert!(
            said.contains(&format!("cannot write {out}")),
            "{command}: {said}"
        );
        assert!(
            said.contains(why),
            "{command}: {said:?} does not say {why:?}"
        );
        assert!(!said.contains("panicked"), "{command}: {said}");
    }
}

/// A model in F32.
fn model(folder: &Folder) -> String {
    let path = folder.path("in.gguf");
    let file = Tiny::small(Kind::Llama).bytes().expect("whole blocks");
    fs::write(&path, file).expect("writable");
    path
}

/// No file may hold a byte; a write fails and kills nobody.
const FULL: &str = "trap '' XFSZ; ulimit -f 0;";

#[test]
fn a_disk_that_is_full_loses_no_old_file() {
    let inputs = Folder::new("inputs-full");
    let input = model(&inputs);
    for command in COMMANDS {
        for old in [Some("old"), None] {
            let folder = Folder::new("full");
            let out = folder.path("out");
            if let Some(old) = old {
                fs::write(&out, old).expect("writable");
            }
            command.refused(&command.run(FULL, &input, &out), &out, "too large");
            assert_eq!(fs::read_to_string(&out).ok().as_deref(), old);
            let left = if old.is_some() { vec!["out"] } else { vec![] };
            assert_eq!(folder.names(), left, "{}", command.arguments[0]);
        }
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_device_is_named_and_stays_a_device() {
    let inputs = Folder::new("inputs-device");
    let input = model(&inputs);
    for command in COMMANDS {
        let output = command.run("", &input, "/dev/full");
        command.refused(&output, "/dev/full", "No space left on device");
        let kind = fs::metadata("/dev/full").expect("a device").file_type();
        assert!(kind.is_char_device());
    }
}

// The kernel's own folder takes no files, not even from the superuser.
#[cfg(target_os = "linux")]
#[test]
fn a_folder_that_takes_no_files_is_named() {
    let inputs = Folder::new("inputs-folder");
    let input = model(&inputs);
    for command in COMMANDS {
        let out = "/sys/kernel/fidelis.out";
        command.refused(&command.run("", &input, out), out, "ermission denied");
    }
}

#[test]
fn a_file_that_is_read_only_stays_what_it_is() {
    let inputs = Folder::new("inputs-read-only");
    let input = model(&inputs);
    for command in COMMANDS {
        let folder = Folder::new("read-only");
        let out = folder.path("out");
        fs::write(&out, "old").expect("writable");
        fs::set_permissions(&out, Permissions::from_mode(0o444)).expect("our own file");
        command.refused(&command.run("", &input, &out), &out, "permission denied");
        assert_eq!(fs::read_to_string(&out).expect("there"), "old");
        assert_eq!(folder.names(), ["out"]);
    }
}

// A link to a file, and permissions that its owner gave it, are the user's.
#[test]
fn what_is_written_through_a_link_keeps_the_link_and_the_permissions() {
    let inputs = Folder::new("inputs-link");
    let input = model(&inputs);
    for command in COMMANDS
        .iter()
        .filter(|command| command.arguments[0] != "synth")
    {
        let folder = Folder::new("link");
        let (link, file) = (folder.path("link"), folder.path("file"));
        fs::write(&file, "old").expect("writable");
        fs::set_permissions(&file, Permissions::from_mode(0o640)).expect("our own file");
        std::os::unix::fs::symlink(&file, &link).expect("a link");
        let output = command.run("", &input, &link);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(!said.contains("error"), "{}: {said}", command.arguments[0]);
        assert_eq!(folder.names(), ["file", "link"]);
        assert!(fs::symlink_metadata(&link).expect("there").is_symlink());
        assert_ne!(fs::read(&file).expect("there"), b"old");
        let mode = fs::metadata(Path::new(&file))
            .expect("there")
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o640, "{}", command.arguments[0]);
    }
}

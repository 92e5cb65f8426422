//! How a run ends that did not come to its end: signals, and streams that are closed or full.
#![cfg(unix)]

use std::fs;
use std::io::Read;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};

/// The program through a shell that first does `prepare`; `more` follows its arguments.
fn shell(prepare: &str, arguments: &[&str], more: &str) -> Output {
    Command::new("sh")
        .args(["-c", &format!("{prepare} exec \"$0\" \"$@\" {more}")])
        .arg(env!("CARGO_BIN_EXE_fidelis"))
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .expect("a shell")
}

/// A file of the test's own, gone when the test ends.
struct File(PathBuf);

impl File {
    fn new(name: &str) -> Self {
        Self(std::env::temp_dir().join(format!("fidelis-{name}-{}", std::process::id())))
    }

    fn path(&self) -> &str {
        self.0.to_str().expect("UTF-8")
    }
}

impl Drop for File {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

/// Starts an answer that takes long: as exact as it can be, on one thread, and no token ends it.
fn begin(arguments: &[&str], stdin: Stdio) -> Child {
    Command::new(env!("CARGO_BIN_EXE_fidelis"))
        .args(arguments)
        .args(["--numerics", "audit", "-t", "1", "--ignore-eos"])
        .stdin(stdin)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program was built")
}

fn signal(child: &Child, name: &str) {
    let sent = Command::new("sh")
        .args(["-c", &format!("kill -s {name} {}", child.id())])
        .status();
    assert!(sent.expect("a shell").success());
}

/// Waits for the first text.
fn heard(child: &mut Child) -> Vec<u8> {
    let mut first = [0; 1];
    let stdout = child.stdout.as_mut().expect("piped");
    stdout.read_exact(&mut first).expect("an answer");
    first.to_vec()
}

#[test]
fn a_signal_ends_an_answer_with_the_text_so_far_and_its_receipt() {
    for (name, code) in [("INT", 130), ("TERM", 143), ("HUP", 129)] {
        let receipt = File::new(&format!("signal-{name}.json"));
        let prompt = ["run", "-p", "Once upon a time", "-s", "1"];
        let receipts = ["--receipt", receipt.path()];
        let mut child = begin(&[&prompt[..], &receipts].concat(), Stdio::null());
        let mut text = heard(&mut child);
        signal(&child, name);
        let output = child.wait_with_output().expect("it ends");
        text.extend(output.stdout);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{name}: {said}");
        assert_eq!(said, "", "{name}");
        assert!(text.ends_with(b"\n"), "{name}: whole lines");
        let written: serde_json::Value =
            serde_json::from_slice(&fs::read(&receipt.0).expect("a receipt")).expect("JSON");
        assert_eq!(written["stop"], "interrupted", "{name}");
        let verified = shell("", &["verify", receipt.path(), "-t", "1"], "");
        assert!(verified.status.success(), "{name}: {verified:?}");
    }
}

#[test]
fn a_request_to_end_ends_a_chat_in_an_answer_and_between_answers() {
    // In an answer.
    let mut child = begin(&["chat", "-p", "Tell me a story."], Stdio::piped());
    heard(&mut child);
    signal(&child, "TERM");
    let output = child.wait_with_output().expect("it ends");
    assert_eq!(output.status.code(), Some(143), "{output:?}");
    // Waiting for a question, which never comes: its stdin stays open.
    let mut child = begin(&["chat", "-p", "Hi", "-n", "1"], Stdio::piped());
    let _stdin = child.stdin.take();
    while heard(&mut child) != b"\n" {}
    signal(&child, "TERM");
    let output = child.wait_with_output().expect("it ends");
    assert_eq!(output.status.code(), Some(143), "{output:?}");
}

#[test]
fn a_closed_stdin_is_an_empty_one() {
    let chat = shell("", &["chat"], "<&-");
    assert_eq!(chat.status.code(), Some(0), "{chat:?}");
    let run = shell("", &["run"], "<&-");
    assert_eq!(run.status.code(), Some(1));
    let said = String::from_utf8_lossy(&run.stderr);
    assert!(said.contains("the prompt is empty"), "{said}");
}

#[test]
fn a_closed_stdout_leaves_the_receipt_whole() {
    let receipt = File::new("closed.json");
    let run = ["run", "-p", "Once", "-n", "2", "--receipt", receipt.path()];
    let output = shell("", &run, ">&-");
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let verified = shell("", &["verify", receipt.path()], "");
    assert!(verified.status.success(), "{verified:?}");
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_stdout_is_an_error_that_names_it() {
    for run in [&["run", "-p", "Once", "-n", "2"][..], &["run", "--help"]] {
        let output = shell("", run, ">/dev/full");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(!said.contains("panicked"), "{said}");
        if run.contains(&"-p") {
            assert_eq!(output.status.code(), Some(1), "{said}");
            assert!(
                said.contains("cannot write to stdout: No space left"),
                "{said}"
            );
        }
    }
}

//! The program as a user meets it: what goes to stdout, what is refused and how.

use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

/// Runs the program with arguments and stdin.
fn run(arguments: &[&str], stdin: &[u8]) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_fidelis"))
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program was built");
    // A program that refuses its flags does not read its input.
    let _ = child.stdin.take().expect("piped").write_all(stdin);
    child.wait_with_output().expect("the program ends")
}

fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// A folder of the test's own.
fn folder(name: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("fidelis-{name}-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    folder
}

#[track_caller]
fn refused(arguments: &[&str], stdin: &[u8], wanted: &str) {
    let output = run(arguments, stdin);
    let said = stderr(&output);
    assert_eq!(output.status.code(), Some(1), "{arguments:?}: {said}");
    assert!(
        said.contains(wanted),
        "{arguments:?}: {said:?} does not say {wanted:?}"
    );
    assert!(!said.contains("panicked"), "{said}");
}

#[test]
fn a_conversation_from_a_pipe_prints_answers_alone() {
    let output = run(&["chat", "--temp", "0"], b"What color is the sky?\n");
    assert!(output.status.success(), "{}", stderr(&output));
    assert!(stdout(&output).contains("blue"), "{}", stdout(&output));
    assert_eq!(stderr(&output), "");
}

#[test]
fn a_prompt_is_gone_on_from() {
    let output = run(
        &[
            "run",
            "-p",
            "The color of the sky is",
            "-n",
            "8",
            "--temp",
            "0",
        ],
        b"",
    );
    assert!(output.status.success(), "{}", stderr(&output));
    assert!(stdout(&output).contains("blue"), "{}", stdout(&output));
    let from_stdin = run(
        &["run", "-n", "8", "--temp", "0"],
        b"The color of the sky is",
    );
    assert_eq!(stdout(&output), stdout(&from_stdin));
}

#[test]
fn a_seed_means_the_same_text_for_any_threads_and_batch() {
    let text = |threads: &str, batch: &str| {
        let story = [
            "run",
            "--chat",
            "-p",
            "Tell me a story about a cat.",
            "-s",
            "42",
            "-t",
            threads,
            "-b",
            batch,
        ];
        stdout(&run(&story, b""))
    };
    let expected = text("1", "512");
    assert!(expected.len() > 20, "{expected:?}");
    assert_eq!(text("2", "512"), expected);
    assert_eq!(text("2", "3"), expected);
}

#[test]
fn json_holds_text_and_ids() {
    let output = run(
        &[
            "run",
            "-p",
            "The color of the sky is",
            "-n",
            "1",
            "--temp",
            "0",
            "--json",
        ],
        b"",
    );
    let value: serde_json::Value = serde_json::from_str(&stdout(&output)).expect("JSON");
    assert_eq!(value["stop"], "length");
    assert_eq!(value["ids"].as_array().map(Vec::len), Some(1));
}

#[test]
fn bad_prompts_are_refused() {
    refused(&["run", "-p", ""], b"", "the prompt is empty");
    refused(&["run"], b"", "the prompt is empty");
    refused(&["run"], b"ab\xff", "stdin is not UTF-8: byte 2");
    refused(&["chat"], b"\xc3\x28\n", "not UTF-8");
    let long = "blue ".repeat(200);
    refused(
        &["run", "-p", &long, "-c", "64"],
        b"",
        "but the context holds 64",
    );
}

#[test]
fn bad_flags_are_refused_with_a_hint() {
    refused(&["run", "--tmp", "1"], b"", "--temp");
    refused(&["rum"], b"", "run");
    refused(&["run", "-p", "x", "--top-p", "nan"], b"", "top-p is NaN");
    refused(
        &["run", "-p", "x", "--samplers", "top_q"],
        b"",
        "\"top_q\" is not a sampler",
    );
    refused(
        &["run", "-p", "x", "--numerics", "f8"],
        b"",
        "only fast, f32 and audit",
    );
    refused(
        &["run", "-p", "x", "-ctk", "q3_0"],
        b"",
        "only f16, f32 and q8_0",
    );
    refused(
        &["run", "-p", "x", "-ngl", "some"],
        b"",
        "a number, all or auto",
    );
    refused(
        &["run", "-p", "x", "--device", "tpu"],
        b"",
        "only cpu, gpu, gpu:N and auto",
    );
    refused(
        &["run", "-p", "x", "--device", "gpu", "-ngl", "0"],
        b"",
        "no layer on it",
    );
    refused(
        &["run", "-p", "x", "--chat-template", "{% if %}", "--chat"],
        b"",
        "chat template cannot be read (line 1)",
    );
    refused(
        &[
            "run",
            "-p",
            "x",
            "--chat-template",
            "{{ raise_exception('no') }}",
            "--chat",
        ],
        b"",
        "no",
    );
    assert_eq!(run(&["--help"], b"").status.code(), Some(0));
}

#[test]
fn bad_files_are_refused_by_name() {
    let folder = folder("files");
    let path = |name: &str| folder.join(name).to_str().expect("UTF-8").to_owned();
    refused(
        &["run", "-p", "x", "-m", &path("absent.gguf")],
        b"",
        "absent.gguf",
    );
    refused(
        &["run", "-p", "x", "-m", folder.to_str().expect("UTF-8")],
        b"",
        "is a directory",
    );
    std::fs::write(path("page.gguf"), "<!doctype html><title>404").expect("writable");
    refused(
        &["run", "-p", "x", "-m", &path("page.gguf")],
        b"",
        "web page",
    );
    std::fs::write(path("empty.gguf"), "").expect("writable");
    refused(&["chat", "-m", &path("empty.gguf")], b"", "an empty file");
    refused(
        &["synth", "tinyllama-1.1b", "Q9_Z", &path("x.gguf")],
        b"",
        "Q9_Z",
    );
    refused(
        &["synth", "tinyllama-9b", "Q4_0", &path("x.gguf")],
        b"",
        "known are tinyllama-1.1b",
    );
    refused(
        &["synth", "smollm2-135m", "Q4_0", &path("no/such/x.gguf")],
        b"",
        "x.gguf",
    );
    std::fs::remove_dir_all(&folder).expect("our own folder");
}

#[test]
fn a_synthetic_model_is_inspected_measured_and_run() {
    let folder = folder("synth");
    let path = folder.join("m.gguf").to_str().expect("UTF-8").to_owned();
    assert!(
        run(&["synth", "smollm2-135m", "Q4_K_M", &path], b"")
            .status
            .success()
    );
    let shown = stdout(&run(&["inspect", &path, "--no-tensors"], b""));
    assert!(
        shown.contains("llama.block_count = 30") && shown.contains("134.52 M parameters"),
        "{shown}"
    );
    let ids = stdout(&run(&["tokenize", "-m", &path, "-p", "ab", "--ids"], b""));
    assert!(ids.starts_with('[') && ids.ends_with("]\n"), "{ids}");
    let written = run(
        &[
            "run", "-m", &path, "-p", "ab", "-n", "3", "-c", "32", "--temp", "0",
        ],
        b"",
    );
    assert!(written.status.success(), "{}", stderr(&written));
    let again = folder
        .join("again.gguf")
        .to_str()
        .expect("UTF-8")
        .to_owned();
    refused(
        &["quantize", &path, &again, "Q4_0"],
        b"",
        "--allow-requantize",
    );
    refused(
        &["quantize", &path, &path, "Q4_0", "--allow-requantize"],
        b"",
        "over itself",
    );
    std::fs::remove_dir_all(&folder).expect("our own folder");
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_fidelis"))
        .args(["run", "-p", "Once upon a time", "-n", "200", "--ignore-eos"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program was built");
    drop(child.stdout.take());
    let output = child.wait_with_output().expect("the program ends");
    assert!(output.status.success(), "{}", stderr(&output));
    assert_eq!(stderr(&output), "");
}

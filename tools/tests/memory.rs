//! Memory and files as a user meets them: a limit, a model that is read, one that is cut short.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

const DEMO: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/demo-model/demo-llama-q4_k_m.gguf"
);

fn program(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_fidelis"));
    command
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

fn run(arguments: &[&str]) -> Output {
    program(arguments).output().expect("the program was built")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[track_caller]
fn refused(arguments: &[&str], wanted: &[&str]) {
    let output = run(arguments);
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{arguments:?}: {said}");
    for wanted in wanted {
        assert!(
            said.contains(wanted),
            "{arguments:?}: {said:?} does not say {wanted:?}"
        );
    }
}

/// A copy of the demo model of the test's own.
fn copy(name: &str) -> PathBuf {
    let path = std::env::temp_dir().join(format!("fidelis-{name}-{}.gguf", std::process::id()));
    std::fs::copy(DEMO, &path).expect("the demo model");
    path
}

/// Arguments of an answer that takes long: every number a double, on plain loops.
fn long_answer(path: &Path) -> Vec<&str> {
    let path = path.to_str().expect("a name");
    vec![
        "run",
        "-m",
        path,
        "-p",
        "Once upon a time",
        "-n",
        "300",
        "--ignore-eos",
        "--temp",
        "0",
        "-t",
        "2",
        "--numerics",
        "audit",
        "--level",
        "scalar",
    ]
}

/// Starts an answer, waits for its first bytes, and cuts the file short.
fn cut_while_answering(path: &Path, more: &[&str]) -> Output {
    let mut child: Child = program(&[&long_answer(path), more].concat())
        .spawn()
        .expect("the program was built");
    let mut first = [0; 1];
    let answer = child.stdout.as_mut().expect("piped");
    answer.read_exact(&mut first).expect("an answer");
    std::fs::OpenOptions::new()
        .write(true)
        .open(path)
        .and_then(|file| file.set_len(5000))
        .expect("it is ours");
    let mut output = child.wait_with_output().expect("it ends");
    output.stdout.insert(0, first[0]);
    output
}

#[cfg(unix)]
#[test]
fn a_model_that_is_cut_short_ends_an_answer_with_an_error() {
    for more in [&[][..], &["--drop-pages"]] {
        let path = copy("cut");
        let output = cut_while_answering(&path, more);
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{:?}: {said}", output.status);
        assert!(said.contains(path.to_str().expect("a name")), "{said}");
        assert!(said.contains("was cut short while it was in use"), "{said}");
        std::fs::remove_file(&path).expect("it is ours");
    }
}

#[cfg(unix)]
#[test]
fn a_model_that_was_read_may_be_cut_short() {
    let path = copy("read");
    let whole = run(&long_answer(&path));
    assert!(whole.status.success(), "{}", text(&whole.stderr));
    let output = cut_while_answering(&path, &["--no-mmap"]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert_eq!(text(&output.stdout), text(&whole.stdout));
    assert_eq!(text(&output.stderr), "");
    std::fs::remove_file(&path).expect("it is ours");
}

#[test]
fn dropped_pages_change_no_word() {
    let ask = [
        "run",
        "-m",
        DEMO,
        "-p",
        "Once upon a time",
        "-n",
        "30",
        "--temp",
        "0",
    ];
    let kept = run(&ask);
    let dropped = run(&[&ask[..], &["--drop-pages"]].concat());
    assert!(dropped.status.success(), "{}", text(&dropped.stderr));
    assert_eq!(text(&dropped.stdout), text(&kept.stdout));
}

#[test]
fn nonsense_is_no_amount_of_memory() {
    for (size, wanted) in [
        ("much", "a number and K, M or G, like 512M"),
        ("12Q", "a number and K, M or G, like 512M"),
        ("0", "no such amount of memory can be had"),
        (
            "1K",
            "the program, the tokenizer and the sampler alone take",
        ),
    ] {
        refused(&["run", "-p", "x", "--memory", size], &[wanted]);
    }
    refused(
        &["run", "-p", "x", "--memory", "1G", "--device", "gpu"],
        &["--memory is kept on the CPU alone"],
    );
}

#[test]
fn what_was_named_is_kept_or_refused_with_the_arithmetic() {
    refused(
        &[
            "run",
            "-p",
            "x",
            "--memory",
            "64M",
            "-c",
            "2000000",
            "--cache-type-k",
            "f16",
        ],
        &["context 2000000 with f16", " MiB, but only ", " with q8_0"],
    );
    let output = run(&[
        "run",
        "-p",
        "x",
        "-n",
        "1",
        "--memory",
        "64M",
        "-c",
        "512",
        "--cache-type-k",
        "f32",
        "-b",
        "8",
    ]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert_eq!(text(&output.stderr), "", "nothing was chosen");
}

/// Runs under a limit while its memory is looked at; what it said, and the most that was seen.
#[cfg(target_os = "linux")]
fn watched(arguments: &[&str]) -> (Output, usize) {
    let mut child = program(arguments).spawn().expect("the program was built");
    let status = format!("/proc/{}/status", child.id());
    let mut most = 0;
    while child.try_wait().expect("a child").is_none() {
        let seen = std::fs::read_to_string(&status).unwrap_or_default();
        let line = seen.lines().find_map(|line| line.strip_prefix("RssAnon:"));
        let kib = line.and_then(|line| line.trim().strip_suffix("kB")?.trim().parse().ok());
        most = most.max(kib.unwrap_or(0_usize) << 10);
        std::thread::yield_now();
    }
    (child.wait_with_output().expect("it ended"), most)
}

#[cfg(target_os = "linux")]
#[test]
fn what_is_chosen_is_said_and_kept() {
    let words = "the sky is blue and the grass is green. ".repeat(40);
    let ask = [
        "run", "-m", DEMO, "-p", &words, "-n", "20", "--temp", "0", "-t", "2",
    ];
    let (free, without) = watched(&ask);
    assert!(free.status.success(), "{}", text(&free.stderr));
    let mut chosen = 0;
    for limit in [32, 16, 12, 10, 8, 7, 6, 5, 4] {
        let size = format!("{limit}M");
        let (output, most) = watched(&[&ask[..], &["--memory", &size]].concat());
        let said = text(&output.stderr);
        println!("{size}: at most {most} bytes were seen, {without} without a limit; {said}");
        if output.status.success() {
            assert!(most > 1 << 19, "it was not looked at: {most} bytes");
            assert!(most <= limit << 20, "{size}: {most} bytes");
            chosen += usize::from(said.starts_with("to fit "));
        } else {
            let is_arithmetic = said.contains("--memory") || said.contains("are left");
            assert!(
                is_arithmetic || said.contains("tokens, but the context"),
                "{said}"
            );
        }
    }
    assert!(
        chosen > 0,
        "no limit was one that settings had to be chosen for"
    );
}

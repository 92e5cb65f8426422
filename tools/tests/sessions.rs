//! Conversations and prompts in files, and tokens guessed ahead, through the program.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

const OTHER: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/demo-model/demo-gemma3-q4_k_m.gguf"
);
const SAME: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/demo-model/demo-llama-q4_k_m.gguf"
);
const STORY: &str = "Tell me a story about a cat.";

fn run_program(program: &mut Command, stdin: &[u8]) -> Output {
    let mut child = program
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program was built");
    // A program that refuses its flags does not read its input.
    let _ = child.stdin.take().expect("piped").write_all(stdin);
    child.wait_with_output().expect("the program ends")
}

fn run(arguments: &[&str], stdin: &str) -> Output {
    let mut program = Command::new(env!("CARGO_BIN_EXE_fidelis"));
    run_program(program.args(arguments), stdin.as_bytes())
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Stdout of a run that succeeds.
#[track_caller]
fn said(arguments: &[&str], stdin: &str) -> String {
    let output = run(arguments, stdin);
    let complaint = text(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {complaint}");
    text(&output.stdout)
}

#[track_caller]
fn refused(arguments: &[&str], stdin: &str, wanted: &str) {
    let output = run(arguments, stdin);
    let complaint = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{arguments:?}: {complaint}");
    assert!(
        complaint.contains(wanted),
        "{arguments:?}: {complaint:?} does not say {wanted:?}"
    );
    assert!(!complaint.contains("panicked"), "{complaint}");
}

/// A folder of the test's own, which goes with it.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("fidelis-{name}-{}", std::process::id()));
        fs::create_dir_all(&folder).expect("a folder");
        Self(folder)
    }

    fn file(&self, name: &str) -> String {
        let path = self.0.join(name);
        path.to_str().expect("UTF-8").to_owned()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A run's text, its prompt's tokens and those that were read.
fn told(prompt: &str, more: &[&str]) -> (String, usize, usize) {
    let flags = [
        "run", "-p", prompt, "-n", "12", "--temp", "0.7", "-s", "3", "--json",
    ];
    let report = said(&[&flags[..], more].concat(), "");
    let report: serde_json::Value = serde_json::from_str(&report).expect("JSON");
    let prompt = report["prompt_ids"].as_array().expect("ids").len();
    let read = report["prompt_read"].as_u64().expect("a number");
    let text = report["text"].as_str().expect("a text").to_owned();
    (text, prompt, usize::try_from(read).expect("small"))
}

#[test]
fn a_prompt_in_the_cache_is_not_read_again_and_the_text_is_the_same() {
    let folder = Folder::new("prompt-cache");
    let file = folder.file("cache");
    let cache = ["--prompt-cache", &file];
    let start = "The color of the sky is";
    let longer = "The color of the sky is blue. The color of grass is";
    let (text, all, read) = told(start, &[]);
    assert_eq!(read, all);
    assert_eq!(told(start, &cache), (text.clone(), all, all));
    let kept = fs::read(&file).expect("written");
    // The last token's logits are needed.
    assert_eq!(told(start, &cache), (text.clone(), all, 1));
    assert_eq!(fs::read(&file).expect("there"), kept, "nothing is new");
    let other_way = [
        &cache[..],
        &["-t", "1", "-b", "3", "-c", "600", "--level", "scalar"],
    ]
    .concat();
    assert_eq!(told(start, &other_way), (text, all, 1));

    // A longer prompt is read from where they part, and kept in its turn unless that is not wanted.
    let (text, more, _) = told(longer, &[]);
    let new = (text.clone(), more, more - all);
    assert_eq!(
        told(longer, &[&cache[..], &["--prompt-cache-ro"]].concat()),
        new
    );
    assert_eq!(fs::read(&file).expect("there"), kept);
    assert_eq!(told(longer, &cache), new);
    assert_eq!(told(longer, &cache), (text, more, 1));
}

#[test]
fn an_answer_in_the_cache_is_not_read_again() {
    let folder = Folder::new("prompt-cache-all");
    let file = folder.file("cache");
    let start = "The color of the sky is";
    let (text, all, _) = told(start, &["--prompt-cache", &file, "--prompt-cache-all"]);
    let (_, more, read) = told(&format!("{start}{text}"), &["--prompt-cache", &file]);
    assert!(
        more > all && read < more - all,
        "{read} of {more}, of which {all}"
    );
}

#[test]
fn a_cache_that_does_not_fit_is_refused_and_left_alone() {
    let folder = Folder::new("prompt-cache-refused");
    let file = folder.file("cache");
    let flags = ["run", "-p", STORY, "-n", "4", "--prompt-cache", &file];
    said(&flags, "");
    let kept = fs::read(&file).expect("written");
    for (more, wanted) in [
        (["-m", OTHER], "it was saved with another model"),
        (
            ["--numerics", "f32"],
            "saved with the tier fast, but here it is f32",
        ),
        (
            ["-ctk", "q8_0"],
            "saved with the cache format f16, but here it is q8_0",
        ),
    ] {
        refused(&[&flags[..], &more].concat(), "", wanted);
    }
    assert_eq!(fs::read(&file).expect("there"), kept);
    fs::write(&file, &kept[..kept.len() - 1]).expect("ours");
    refused(&flags, "", "damaged");
    fs::write(&file, b"{}").expect("ours");
    refused(&flags, "", "not a saved session");
    refused(
        &["run", "-p", STORY, "--prompt-cache-ro"],
        "",
        "--prompt-cache <FILE>",
    );
}

/// What a chat says to some lines, and how many tokens of prompts it read.
fn chat(more: &[&str], lines: &[&str]) -> (String, Vec<usize>) {
    let flags = [&["chat", "--show-timings", "-n", "40"], more].concat();
    let output = run(&flags, &lines.join("\n"));
    let times = text(&output.stderr);
    assert!(output.status.success(), "{flags:?}: {times}");
    let read = times
        .lines()
        .filter(|line| line.contains("prompt eval"))
        .map(|line| {
            let count = line
                .split('/')
                .nth(1)
                .and_then(|rest| rest.split_whitespace().next());
            count
                .and_then(|count| count.parse().ok())
                .expect("a number")
        });
    (text(&output.stdout), read.collect())
}

#[test]
fn a_session_in_a_file_goes_on_as_if_the_program_had_not_ended() {
    let folder = Folder::new("session");
    let file = folder.file("session");
    let sampler = ["-s", "5", "--temp", "0.9"];
    let lines = ["What color is the sky?", STORY, "what is 7 + 5"];
    let (expected, counts) = chat(&sampler, &lines);
    let session = [&sampler[..], &["--session", &file]].concat();
    let (mut found, mut read) = chat(&session, &lines[..1]);
    // The flags of the first time need not be said again.
    for more in [&session[..], &["--session", &file, "-t", "1"]] {
        let line = lines[read.len()];
        let (answer, more) = chat(more, &[line]);
        found += &answer;
        read.extend(more);
    }
    assert_eq!(found, expected);
    assert_eq!(read, counts, "tokens read");
}

#[test]
fn a_session_is_saved_and_loaded_and_messages_stay_json() {
    let folder = Folder::new("save-load");
    let (whole, json) = (folder.file("talk"), folder.file("talk.json"));
    let flags = ["--temp", "0"];
    let ask = "What color is the sky?";
    let (expected, counts) = chat(&flags, &[ask, STORY]);
    let save = [format!("/save {whole}"), format!("/save {json}")];
    let (first, _) = chat(&flags, &[ask, &save[0], &save[1]]);
    let messages = fs::read_to_string(&json).expect("written");
    let messages: Vec<serde_json::Value> = serde_json::from_str(&messages).expect("JSON");
    assert_eq!(messages.len(), 2);
    assert_eq!(messages[0]["content"], ask);
    for (file, read) in [(&whole, counts[1]), (&json, counts[0] + counts[1])] {
        let (second, found) = chat(&flags, &[&format!("/load {file}"), STORY]);
        assert_eq!(format!("{first}{second}"), expected, "{file}");
        // Messages alone are read again, with the answer.
        let is_read = if file == &whole {
            found == [read]
        } else {
            found[0] > read
        };
        assert!(is_read, "{file}: {found:?} of {counts:?}");
    }
}

#[test]
fn another_models_session_is_refused_and_left_alone() {
    let folder = Folder::new("session-refused");
    let file = folder.file("session");
    chat(&["--session", &file], &["What color is the sky?"]);
    let kept = fs::read(&file).expect("written");
    let flags = ["chat", "--session", &file];
    refused(
        &[&flags[..], &["-m", OTHER]].concat(),
        STORY,
        "another model",
    );
    refused(
        &[&flags[..], &["--system-prompt", "Be brief."]].concat(),
        STORY,
        "another system message",
    );
    assert_eq!(fs::read(&file).expect("there"), kept);
}

/// A limit on the size of files stands for a disk that is full.
#[cfg(unix)]
#[test]
fn a_file_that_cannot_be_written_whole_leaves_the_old_one() {
    let folder = Folder::new("full");
    let file = folder.file("cache");
    said(
        &["run", "-p", "The", "-n", "1", "--prompt-cache", &file],
        "",
    );
    let kept = fs::read(&file).expect("written");
    let program = env!("CARGO_BIN_EXE_fidelis");
    let limited = "trap '' XFSZ; ulimit -f 8; exec \"$@\"";
    let flags = ["-c", limited, "sh", program, "run", "-p", STORY, "-n", "1"];
    let mut shell = Command::new("sh");
    let output = run_program(shell.args(flags).args(["--prompt-cache", &file]), b"");
    let complaint = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{complaint}");
    assert!(complaint.contains("cannot write"), "{complaint}");
    assert_eq!(fs::read(&file).expect("there"), kept);
    let files = fs::read_dir(Path::new(&file).parent().expect("a folder"));
    assert_eq!(
        files.expect("a folder").count(),
        1,
        "nothing is left beside it"
    );
}

#[test]
fn guesses_change_nothing_but_the_number_of_steps() {
    let repeated = "The sky is blue. The sky is blue. The sky is blue. The sky is";
    for sampler in [["--temp", "0", "-s", "1"], ["--temp", "0.8", "-s", "2"]] {
        let flags = [
            "run",
            "-p",
            repeated,
            "-n",
            "40",
            "--ignore-eos",
            "--show-timings",
        ];
        let flags = [&flags[..], &sampler].concat();
        let expected = said(&flags, "");
        for draft in [
            &["--lookup"][..],
            &["--lookup", "--draft-max", "3"],
            &["-md", SAME],
            &["--model-draft", SAME, "--draft", "5"],
        ] {
            let output = run(&[&flags[..], draft].concat(), "");
            assert_eq!(text(&output.stdout), expected, "{draft:?}");
            let told = text(&output.stderr);
            let told = told.lines().find(|line| line.contains("accepted"));
            let numbers: Vec<usize> = told
                .expect("what came of guessing")
                .split_whitespace()
                .filter_map(|word| word.parse().ok())
                .collect();
            let [accepted, guessed, tokens, steps] = numbers[..] else {
                panic!("{told:?}");
            };
            assert!(accepted <= guessed && tokens == 39, "{told:?}");
            if sampler[1] == "0" {
                assert!(accepted > 0 && steps < tokens, "{draft:?}: {told:?}");
            }
        }
    }
}

#[test]
fn a_draft_model_with_another_vocabulary_is_refused() {
    refused(
        &["run", "-p", STORY, "-md", OTHER],
        "",
        "the draft model is of no use here",
    );
    refused(
        &["run", "-p", STORY, "-md", OTHER, "--lookup"],
        "",
        "cannot be used with",
    );
}

#[cfg(any(unix, windows))]
#[test]
fn what_a_device_has_read_is_not_saved() {
    let folder = Folder::new("device");
    let file = folder.file("session");
    let plugin = fidelis_offload_reference::path().expect("a path");
    let plugin = plugin.to_str().expect("UTF-8");
    let device = ["--plugin", plugin, "--device", "gpu"];
    let wanted = "cannot be saved or restored; only the CPU's can";
    let cached = ["run", "-p", STORY, "--prompt-cache", &file];
    refused(&[&cached[..], &device].concat(), "", wanted);
    refused(
        &[&["chat", "--session", &file], &device[..]].concat(),
        STORY,
        wanted,
    );
    assert!(!Path::new(&file).exists());
}

/// The plug-in of plain loops gives a batch the bits of one by one, so its text is the same too.
#[cfg(any(unix, windows))]
#[test]
fn guesses_are_read_on_a_device_too() {
    let plugin = fidelis_offload_reference::path().expect("a path");
    let plugin = plugin.to_str().expect("UTF-8");
    let flags = [
        "run",
        "-p",
        "1 2 3 4 5 6 1 2 3 4 5 6 1 2",
        "-n",
        "20",
        "--temp",
        "0",
        "--ignore-eos",
        "--show-timings",
    ];
    let device = [&flags[..], &["--plugin", plugin, "--device", "gpu"]].concat();
    let expected = said(&device, "");
    let output = run(&[&device[..], &["--lookup"]].concat(), "");
    let told = text(&output.stderr);
    assert_eq!(text(&output.stdout), expected, "{told}");
    assert!(told.contains("19 tokens read in"), "{told}");
}

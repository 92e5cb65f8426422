//! What verifies.

use crate::helpers::{Folder, LLAMA, SHORT, STORY, ends, receipt, value};
use std::process::{Command, Stdio};

#[test]
fn a_receipt_verifies_on_another_level_thread_count_and_batch() {
    let folder = Folder::new("levels");
    let path = receipt(&folder, &[&SHORT[..], &["-t", "2"]].concat());
    let content = value(&path);
    assert_eq!(content["stop"], "end");
    assert_eq!(content["sampler"]["seed"], 7);
    for flags in [
        &["--level", "scalar", "--threads", "1"][..],
        &["--level", "portable", "--threads", "3", "--batch-size", "1"],
        &["--batch-size", "7"],
        &["-m", LLAMA],
    ] {
        ends(&[&["verify", &path], flags].concat(), 0, "every bit agrees");
    }
}

#[test]
fn every_sampler_profile_and_ending_replays() {
    let folder = Folder::new("settings");
    let story = ["--chat", "-p", "Tell me a story about a dog."];
    for (flags, stop) in [
        (&["--temp", "0"][..], "length"),
        (&[], "length"),
        (&["--numerics", "f32", "-ctk", "q8_0"], "length"),
        (&["--numerics", "audit"], "length"),
        (&["-ctk", "f32", "--temp", "2.5", "--min-p", "0"], "length"),
        (&["--mirostat", "1", "--mirostat-ent", "2.3"], "length"),
        (&["--mirostat", "2", "--mirostat-lr", "0.3"], "length"),
        (
            &[
                "--repeat-penalty",
                "1.3",
                "--presence-penalty",
                "0.7",
                "--frequency-penalty",
                "-0.2",
                "--repeat-last-n",
                "5",
            ],
            "length",
        ),
        (
            &["--dry-multiplier", "0.8", "--dry-sequence-breaker", "é\"\n"],
            "length",
        ),
        (
            &[
                "--xtc-probability",
                "0.5",
                "--xtc-threshold",
                "0.05",
                "--samplers",
                "xtc;top_k",
            ],
            "length",
        ),
        (
            &[
                "--dynatemp-range",
                "0.5",
                "--typical",
                "0.7",
                "--top-nsigma",
                "1.5",
                "--min-p",
                "0",
                "--top-p",
                "1",
            ],
            "length",
        ),
        (
            &["--ignore-eos", "-l", "264-inf", "-l", "300+1e-7"],
            "length",
        ),
        (&["-c", "24", "-n", "-1", "--ignore-eos"], "context_full"),
        (&["-r", "a"], "stop_string"),
    ] {
        let length: &[&str] = if stop == "length" && !flags.contains(&"-n") {
            &["-n", "12"]
        } else {
            &[]
        };
        let path = receipt(&folder, &[&story[..], flags, length].concat());
        assert_eq!(value(&path)["stop"], stop, "{flags:?}");
        ends(&["verify", &path], 0, "every bit agrees");
    }
}

#[test]
fn a_reader_that_goes_away_interrupts_the_answer_and_leaves_a_receipt() {
    let folder = Folder::new("pipe");
    for (flags, stop) in [(&[][..], "interrupted"), (&["--json"], "length")] {
        let path = folder.path("receipt.json");
        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        let output = Command::new(env!("CARGO_BIN_EXE_fidelis"))
            .args(["run", "--receipt", &path])
            .args(STORY)
            .args(flags)
            .stdin(Stdio::null())
            .stdout(writer)
            .output()
            .expect("the program was built");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(0), "{said}");
        assert_eq!(value(&path)["stop"], stop);
        ends(&["verify", &path], 0, "every bit agrees");
    }
}

//! Other models and other templates are refused.

use crate::helpers::{Folder, GEMMA, LLAMA, SHORT, STORY, edited, ends, receipt, value};
use fidelis_conformance::receipt::Digest;
use fidelis_engine::gguf::Gguf;
use serde_json::{Value, json};
use std::fs::OpenOptions;
use std::io::{Read, Seek, SeekFrom, Write};
use std::process::{Command, Stdio};

#[test]
fn another_model_is_named_by_the_first_tensor_that_differs() {
    let folder = Folder::new("models");
    let path = receipt(&folder, &STORY);
    ends(
        &["verify", &path, "-m", GEMMA],
        3,
        "first tensor that differs",
    );
    let original = std::fs::read(LLAMA).expect("the demo model");
    let gguf = Gguf::read(&original).expect("a model");
    // One bit of the last byte of a tensor in the middle.
    let tensor = gguf.tensor("blk.2.ffn_up.weight").expect("a tensor");
    let at = tensor.bytes.as_ptr() as usize - original.as_ptr() as usize + tensor.bytes.len() - 1;
    let mut bytes = original.clone();
    bytes[at] ^= 0x10;
    let flipped = folder.write("flipped.gguf", &bytes);
    ends(
        &["verify", &path, "-m", &flipped],
        3,
        "tensor blk.2.ffn_up.weight has other bytes",
    );
    for (text, says) in [
        (
            "Fidelis demo",
            "same tensors, other metadata (keys of the model)",
        ),
        ("{% for", "same tensors, other metadata (the chat template)"),
        ("<unk>", "same tensors, other metadata (the tokenizer)"),
    ] {
        let mut bytes = original.clone();
        let at = bytes
            .windows(text.len())
            .position(|window| window == text.as_bytes())
            .unwrap_or_else(|| panic!("{text} is not in the file"));
        bytes[at + 1] ^= 1;
        let changed = folder.write("changed.gguf", &bytes);
        ends(&["verify", &path, "-m", &changed], 3, says);
    }
    // A byte after the last tensor.
    let longer = folder.write("longer.gguf", [&original[..], &[0]].concat());
    ends(
        &["verify", &path, "-m", &longer],
        3,
        "the layout of the file",
    );
}

#[test]
fn another_template_is_refused_by_name() {
    let folder = Folder::new("templates");
    let path = receipt(&folder, &SHORT);
    let original = value(&path);
    assert_eq!(original["template"], original["model"]["chat_template"]);
    let chatml = ["--chat-template", "chatml"];
    ends(
        &[&["verify", &path], &chatml[..]].concat(),
        3,
        "the chat template \"chatml\" is not the receipt's",
    );
    let other = folder.write(
        "other.json",
        edited(&original, "/template", json!("0".repeat(64))),
    );
    ends(
        &["verify", &other],
        3,
        "the model's chat template is not the receipt's",
    );
    let none = folder.write("none.json", edited(&original, "/template", Value::Null));
    ends(&["verify", &none], 0, "every bit agrees");
    ends(
        &[&["verify", &none], &chatml[..]].concat(),
        3,
        "its prompt was rendered by no template",
    );
}

#[test]
fn a_template_of_the_flags_is_digested_by_its_text_and_asked_for_again() {
    let folder = Folder::new("named");
    let chatml = ["--chat-template", "chatml"];
    let path = receipt(&folder, &[&STORY[..], &chatml].concat());
    let text = "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}\
        {% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}";
    let digest = Digest::of(text.as_bytes()).to_string();
    assert_eq!(value(&path)["template"], json!(digest));
    ends(
        &["verify", &path],
        3,
        "the model's chat template is not the receipt's",
    );
    let file = folder.write("chatml.jinja", text);
    for flags in [
        chatml,
        ["--chat-template", text],
        ["--chat-template-file", &file],
    ] {
        ends(
            &[&["verify", &path], &flags[..]].concat(),
            0,
            "every bit agrees",
        );
    }
}

// If the run ends before the file is written over, the test says less, but does not fail.
#[test]
fn a_model_that_is_written_over_during_the_run_is_not_attested() {
    let folder = Folder::new("meanwhile");
    let original = std::fs::read(LLAMA).expect("the demo model");
    let model = folder.write("model.gguf", &original);
    let path = folder.path("receipt.json");
    let mut run = Command::new(env!("CARGO_BIN_EXE_fidelis"))
        .args(["run", "--receipt", &path, "-m", &model, "-p", "Once"])
        .args(["-n", "100", "--ignore-eos"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the program was built");
    let mut stdout = run.stdout.take().expect("a pipe");
    stdout.read_exact(&mut [0]).expect("an answer");
    // A name that the run needs no more.
    let name = b"Fidelis demo";
    let at = original
        .windows(name.len())
        .position(|window| window == name)
        .expect("the name is in the file");
    let mut file = OpenOptions::new().write(true).open(&model).expect("a file");
    file.seek(SeekFrom::Start(at as u64)).expect("seekable");
    file.write_all(b"Another").expect("writable");
    drop(file);
    stdout.read_to_end(&mut Vec::new()).expect("an answer");
    assert!(run.wait().expect("an end").success());
    ends(&["verify", &path, "-m", &model], 3, "keys of the model");
    ends(&["verify", &path, "-m", LLAMA], 0, "every bit agrees");
}

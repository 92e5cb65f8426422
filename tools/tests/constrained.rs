//! Constraints and tools as a user meets them.

use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

/// Runs the program with arguments and stdin.
fn run(arguments: &[&str], stdin: &str) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_fidelis"))
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program was built");
    // A program that refuses its flags does not read its input.
    let _ = child
        .stdin
        .take()
        .expect("piped")
        .write_all(stdin.as_bytes());
    child.wait_with_output().expect("the program ends")
}

#[track_caller]
fn said(arguments: &[&str], stdin: &str) -> String {
    let output = run(arguments, stdin);
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{arguments:?}: {stderr}");
    String::from_utf8(output.stdout).expect("text")
}

#[track_caller]
fn refused(arguments: &[&str], wanted: &[&str]) {
    let output = run(arguments, "");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{arguments:?}: {stderr}");
    for wanted in wanted {
        assert!(
            stderr.contains(wanted),
            "{stderr:?} does not say {wanted:?}"
        );
    }
}

/// A file of the test's own.
fn file(name: &str, text: &str) -> String {
    let folder: PathBuf =
        std::env::temp_dir().join(format!("fidelis-constrained-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    let path = folder.join(name);
    std::fs::write(&path, text).expect("written");
    path.to_str().expect("UTF-8").to_owned()
}

/// A hot sampler: what follows the constraint does so by the constraint alone.
const RUN: [&str; 7] = ["run", "-p", "Hello", "--temp", "9", "-s", "7"];

#[test]
fn every_flag_constrains_the_answer() {
    let schema = r#"{"type": "integer", "minimum": 3, "maximum": 5}"#;
    let grammar = "root ::= [3-5] # a digit";
    for flags in [
        ["--regex", "[3-5]"],
        ["-j", schema],
        ["--json-schema", schema],
        ["-jf", &file("schema.json", schema)],
        ["--grammar", grammar],
        ["--grammar-file", &file("grammar.gbnf", grammar)],
    ] {
        let text = said(&[&RUN[..], &flags].concat(), "");
        assert!(
            ["3\n", "4\n", "5\n"].contains(&text.as_str()),
            "{flags:?}: {text:?}"
        );
    }
    assert_eq!(
        said(&[&RUN[..], &["--regex", "-{2}x"]].concat(), ""),
        "--x\n"
    );
}

#[test]
fn each_answer_of_a_chat_keeps_to_the_constraint() {
    let chat = ["chat", "--temp", "9", "-s", "7", "--regex", "yes|no"];
    let text = said(&chat, "What color is the sky?\nAnd grass?\n/regen\n");
    let answers: Vec<&str> = text.lines().collect();
    assert_eq!(answers.len(), 3, "{text:?}");
    assert!(
        answers.iter().all(|answer| ["yes", "no"].contains(answer)),
        "{text:?}"
    );
}

#[test]
fn what_is_wrong_with_a_constraint_is_said_with_its_place() {
    let with = |flags: &[&'static str]| [&RUN[..], flags].concat();
    refused(
        &with(&["--grammar", "root ::= \"a\"\n  | b"]),
        &["line 2, column 5: rule `b` is not defined"],
    );
    refused(
        &with(&["--json-schema", "{\"type\": \"string\","]),
        &["line 1 column 18"],
    );
    refused(&with(&["--regex", "a(b"]), &["unclosed group"]);
    refused(
        &with(&["--regex", "a", "--grammar", "root ::= \"a\""]),
        &["cannot be used with"],
    );
    refused(
        &with(&["--regex", "a", "--receipt", "r.json"]),
        &["a receipt does not hold the constraint"],
    );
    refused(
        &with(&["--grammar-file", "no-such-file.gbnf"]),
        &["cannot read no-such-file.gbnf"],
    );
    let bad = file("bad.gbnf", "root ::= [z-a]");
    refused(
        &[&RUN[..], &["--grammar-file", &bad]].concat(),
        &["bad.gbnf", "line 1, column 11"],
    );
}

/// Tells of tools, and wants calls in tags.
const TEMPLATE: &str = "{% if tools %}{{ tools | tojson }} <tool_call>{% endif %}{% for m in messages %}{{ m.role }}: {{ m.content }}{% for c in m.tool_calls or [] %}<tool_call>{{ c.function | tojson }}</tool_call>{% endfor %}\n{% endfor %}assistant:";

const TOOLS: &str = r#"[{"type": "function", "function": {"name": "now", "parameters": {"type": "object", "properties": {}}}}]"#;

#[test]
fn calls_of_tools_are_lines_of_json_behind_the_text() {
    let (template, tools) = (file("template.jinja", TEMPLATE), file("tools.json", TOOLS));
    let given = [
        "--chat",
        "--tools",
        &tools,
        "--chat-template-file",
        &template,
    ];
    let call = r#"I look\. <tool_call>\{"name": "now", "arguments": \{"at": [12]\}\}</tool_call>"#;
    let constrained = [&RUN[..], &given, &["--regex", call]].concat();
    let text = said(&constrained, "");
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[0], "I look.", "{text:?}");
    let calls = [1, 2].map(|at| format!(r#"{{"name":"now","arguments":{{"at":{at}}}}}"#));
    assert!(calls.iter().any(|call| lines[1..] == [call]), "{text:?}");

    let json = said(&[&constrained[..], &["--json"]].concat(), "");
    let json: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!(json["text"], "I look.");
    assert_eq!(json["tool_calls"][0]["name"], "now");

    let no_call = [&RUN[..], &given, &["--regex", "<tool_call>\\{"]].concat();
    assert_eq!(said(&no_call, ""), "<tool_call>{\n");
}

#[test]
fn a_chat_remembers_calls_and_takes_their_results() {
    let (template, tools) = (file("chat.jinja", TEMPLATE), file("chat.json", TOOLS));
    let saved = file("saved.json", "");
    let call = r#"<tool_call>\{"name": "now", "arguments": \{\}\}</tool_call>"#;
    let chat = [
        "chat",
        "--tools",
        &tools,
        "--chat-template-file",
        &template,
        "--regex",
        call,
    ];
    let text = said(
        &chat,
        &format!("What time is it?\n/tool noon\n/save {saved}\n"),
    );
    assert_eq!(text.matches("\"now\"").count(), 2, "{text:?}");
    let messages = std::fs::read_to_string(&saved).expect("saved");
    let messages: serde_json::Value = serde_json::from_str(&messages).expect("JSON");
    let roles: Vec<_> = messages
        .as_array()
        .expect("a list")
        .iter()
        .map(|m| m["role"].clone())
        .collect();
    assert_eq!(roles, ["user", "assistant", "tool", "assistant"]);
    assert_eq!(messages[2]["content"], "noon");
    assert_eq!(messages[1]["tool_calls"][0]["function"]["name"], "now");
}

#[test]
fn tools_that_cannot_be_told_of_are_refused() {
    let (template, tools) = (file("ok.jinja", TEMPLATE), file("ok.json", TOOLS));
    let with = |flags: &[&str]| {
        [&RUN[..], flags]
            .concat()
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
    };
    for (flags, wanted) in [
        (with(&["--tools", &tools]), "knows no tools"),
        (with(&["--chat", "--tools", &tools]), "knows no tools"),
        (
            with(&["--tools", &tools, "--chat-template-file", &template]),
            "--tools needs --conversation",
        ),
        (
            with(&["--chat", "--tools", "no-such-file.json"]),
            "cannot read no-such-file.json",
        ),
        (
            with(&[
                "--chat",
                "--chat-template-file",
                &template,
                "--tools",
                &file("object.json", "{}"),
            ]),
            "is not a JSON list of functions",
        ),
    ] {
        let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
        refused(&flags, &[wanted]);
    }
}

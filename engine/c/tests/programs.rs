//! Programs in C and C++, compiled here against the header and both libraries.

#![cfg(unix)]

use fidelis_engine::backend::{CpuBackend, CpuSettings};
use fidelis_engine::gguf::File;
use fidelis_engine::model::Model;
use fidelis_engine::sample::Sampler;
use fidelis_engine::session::{Limits, Session};
use fidelis_engine::text::{Bos, ChatTemplate, Message, Specials, Tokenizer};
use std::io::Write;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};

/// What rustc says a program needs that is linked with the static library (`--print native-static-libs`).
#[cfg(target_os = "linux")]
const NEEDED: &[&str] = &["-lpthread", "-ldl", "-lm", "-lgcc_s", "-lc"];
#[cfg(target_os = "macos")]
const NEEDED: &[&str] = &["-liconv", "-lSystem", "-lc", "-lm"];
#[cfg(not(any(target_os = "linux", target_os = "macos")))]
const NEEDED: &[&str] = &["-lpthread", "-lm"];

const C: (&str, &str, &str) = ("CC", "cc", "-std=c99");
const CPP: (&str, &str, &str) = ("CXX", "c++", "-std=c++17");

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn demo(name: &str) -> PathBuf {
    root().join(format!("../../tools/demo-model/demo-{name}-q4_k_m.gguf"))
}

/// Where the build puts the libraries: beside the tests.
fn libraries() -> PathBuf {
    let program = std::env::current_exe().expect("the program's path");
    program.parent().expect("a folder").to_owned()
}

/// Counts the programs.
static COMPILED: AtomicUsize = AtomicUsize::new(0);

/// Compiles a program; `None`, which is said, if there is no compiler and none is required.
fn compiled(
    source: &str,
    (variable, default, standard): (&str, &str, &str),
    is_static: bool,
) -> Option<PathBuf> {
    let stem = source.replace(['/', '.'], "_");
    // Tests run side by side, and each removes its programs.
    let number = COMPILED.fetch_add(1, Ordering::Relaxed);
    let name = format!("{stem}_{is_static}_{}_{number}", std::process::id());
    let program = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let mut command = Command::new(std::env::var_os(variable).unwrap_or_else(|| default.into()));
    command
        .args([standard, "-Wall", "-Wextra", "-Werror", "-pedantic", "-I"])
        .arg(root().join("include"))
        .arg(root().join(source))
        .arg("-o")
        .arg(&program);
    let beside = libraries();
    if is_static {
        command.arg(beside.join("libfidelis.a")).args(NEEDED);
    } else {
        command.arg("-L").arg(&beside).arg("-lfidelis").arg("-lm");
        command.arg(format!("-Wl,-rpath,{}", beside.display()));
    }
    match command.output() {
        Err(error) if std::env::var_os("FIDELIS_REQUIRE_CC").is_none() => {
            println!("NOT TESTED: no {default} ({error})");
            None
        }
        Err(error) => panic!("no {default}: {error}"),
        Ok(output) => {
            let said = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "{source}: {said}");
            Some(program)
        }
    }
}

/// Runs a program once and removes it.
fn run(program: &Path, arguments: &[&Path], stdin: &str) -> Output {
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it was compiled");
    let mut input = child.stdin.take().expect("a pipe");
    // One that ends early does not read it.
    let _ = input.write_all(stdin.as_bytes());
    drop(input);
    let output = child.wait_with_output().expect("it ends");
    std::fs::remove_file(program).expect("it was there");
    output
}

/// What `fidelis chat --temp 0` answers, by the engine itself.
fn answers(path: &Path, questions: &[&str]) -> Vec<String> {
    let file = File::open(path).expect("the demo model");
    let gguf = file.gguf().expect("a file");
    let model = Model::read(&gguf).expect("a model");
    let tokenizer = Tokenizer::read(&gguf).expect("a tokenizer");
    let text = |id: Option<u32>| id.and_then(|id| tokenizer.token_text(id)).unwrap_or("");
    let template = ChatTemplate::read(&gguf, text(tokenizer.bos()), text(tokenizer.eos()));
    let template = template.expect("Jinja").expect("a template");
    let settings = CpuSettings::new(model.config.context.min(4096)).expect("a level");
    let backend = CpuBackend::new(&model.graph, &settings).expect("a back end");
    let mut session = Session::new(backend, &tokenizer, Sampler::greedy());
    let (mut turns, mut answers) = (Vec::new(), Vec::new());
    for question in questions {
        turns.push(Message::new("user", question));
        let prompt = template.render(&turns, true).expect("a prompt");
        let ids = tokenizer.encode(&prompt, Specials::Parse, Bos::Auto);
        let ids = ids.expect("ids");
        let go_on = |_, _| ControlFlow::Continue(());
        let mut reply = session.reply(&ids, Limits::default(), go_on).expect("read");
        let mut answer = String::new();
        for piece in &mut reply {
            answer.push_str(&piece.expect("a piece").text);
        }
        answer.push_str(&reply.finish());
        turns.push(Message::new("assistant", &answer));
        answers.push(answer);
    }
    answers
}

#[test]
fn the_examples_answer_what_the_engine_does() {
    let questions = [
        "What color is the sky?",
        "what is 7 + 5",
        "Tell me a story about a dog.",
    ];
    let model = demo("llama");
    let wanted = answers(&model, &questions).join("\n") + "\n";
    assert!(wanted.contains("blue"), "{wanted}");
    for (source, language) in [("examples/chat.c", C), ("examples/chat.cpp", CPP)] {
        for is_static in [false, true] {
            let Some(program) = compiled(source, language, is_static) else {
                continue;
            };
            let output = run(&program, &[&model], &(questions.join("\n") + "\n"));
            assert!(output.status.success(), "{source}: {output:?}");
            let said = String::from_utf8_lossy(&output.stdout);
            assert_eq!(said, wanted, "{source}, static: {is_static}");
        }
    }
}

#[test]
fn the_examples_say_what_is_wrong() {
    for (source, language) in [("examples/chat.c", C), ("examples/chat.cpp", CPP)] {
        let Some(program) = compiled(source, language, false) else {
            continue;
        };
        let output = run(&program, &[Path::new("nowhere.gguf")], "");
        assert_eq!(output.status.code(), Some(1), "{source}: {output:?}");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(said.contains("nowhere.gguf"), "{source}: {said}");
    }
}

#[test]
fn misuse_gives_errors() {
    let Some(program) = compiled("tests/programs/misuse.c", C, false) else {
        return;
    };
    let saved = program.with_extension("saved");
    let output = run(&program, &[&demo("llama"), &demo("gemma3"), &saved], "");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}{output:?}");
    assert!(said.ends_with(" checks, 0 failures\n"), "{said}");
}

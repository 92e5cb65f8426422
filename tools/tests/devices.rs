//! Models on a device, through the program, with the reference plug-in: one device that works and several that fail.

#![cfg(any(unix, windows))]

use fidelis_offload_reference::Fault;
use std::env::consts::{DLL_PREFIX, DLL_SUFFIX};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

const STORY: [&str; 8] = [
    "run",
    "--chat",
    "-p",
    "Tell me a story about a cat.",
    "-n",
    "24",
    "--temp",
    "0",
];

fn reference() -> String {
    let path = fidelis_offload_reference::path().expect("a path");
    path.to_str().expect("UTF-8").to_owned()
}

fn started(program: &Path, arguments: &[&str], stdin: &[u8]) -> Child {
    let mut child = Command::new(program)
        .args(arguments)
        .env_remove("LLAMA_ARG_N_GPU_LAYERS")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program was built");
    // A program that refuses its flags does not read its input.
    let _ = child.stdin.take().expect("piped").write_all(stdin);
    child
}

fn ended(child: Child) -> Output {
    child.wait_with_output().expect("the program ends")
}

fn run(arguments: &[&str], stdin: &[u8]) -> Output {
    ended(started(
        Path::new(env!("CARGO_BIN_EXE_fidelis")),
        arguments,
        stdin,
    ))
}

fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// The story, as the CPU tells it in 32-bit floats, which is what the reference plug-in computes in.
fn story() -> String {
    let output = run(&[&STORY[..], &["--numerics", "f32"]].concat(), b"");
    assert!(output.status.success(), "{}", stderr(&output));
    assert!(stdout(&output).len() > 40, "{}", stdout(&output));
    stdout(&output)
}

/// A device of the reference plug-in, as flags.
fn flags(fault: Fault) -> [String; 4] {
    [
        "--plugin".to_owned(),
        reference(),
        "--device".to_owned(),
        format!("gpu:{}", fault.index()),
    ]
}

fn on(fault: Fault, arguments: &[&str], stdin: &[u8]) -> Output {
    let flags = flags(fault);
    let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
    run(&[arguments, &flags].concat(), stdin)
}

/// A copy of the program in a folder of its own, where nothing lies beside it.
fn alone(name: &str) -> (PathBuf, PathBuf) {
    let folder = std::env::temp_dir().join(format!("fidelis-{name}-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    let program = Path::new(env!("CARGO_BIN_EXE_fidelis"));
    let copy = folder.join(program.file_name().expect("a name"));
    std::fs::copy(program, &copy).expect("a copy");
    (folder, copy)
}

#[test]
fn the_answer_does_not_depend_on_where_the_layers_run() {
    let expected = story();
    for layers in ["all", "1", "auto", "999"] {
        let output = on(Fault::None, &[&STORY[..], &["-ngl", layers]].concat(), b"");
        assert!(output.status.success(), "{layers}: {}", stderr(&output));
        assert_eq!(stdout(&output), expected, "{layers}");
        assert_eq!(stderr(&output), "", "{layers}");
    }
}

#[test]
fn without_a_plug_in_a_gpu_named_fails_and_one_wished_for_is_the_cpu() {
    let (folder, program) = alone("without");
    // What lies in the working directory does not count.
    let name = format!("{DLL_PREFIX}fidelis_offload_gpu{DLL_SUFFIX}");
    let here = folder.join("here");
    std::fs::create_dir_all(&here).expect("a folder");
    std::fs::copy(reference(), here.join(&name)).expect("a copy");
    let ask = |flags: &[&str]| {
        let mut command = Command::new(&program);
        command.args(STORY).args(["--numerics", "f32"]).args(flags);
        let output = command
            .current_dir(&here)
            .stdin(Stdio::null())
            .output()
            .expect("it runs");
        (output.status.code(), stdout(&output), stderr(&output))
    };
    for flags in [&["-ngl", "99"][..], &["--device", "auto"]] {
        let (code, said, noted) = ask(flags);
        assert_eq!((code, said), (Some(0), story()), "{flags:?}");
        assert!(
            noted.starts_with("on the CPU, for there is no plug-in at "),
            "{noted}"
        );
        assert_eq!(noted.lines().count(), 1, "{noted}");
    }
    for flags in [&["--device", "gpu"][..], &["--plugin", "nowhere.so"]] {
        let (code, said, noted) = ask(flags);
        assert_eq!((code, said.as_str()), (Some(1), ""), "{flags:?}");
        assert!(noted.contains("there is no plug-in at "), "{noted}");
    }
    let (code, said, noted) = ask(&["--device", "cpu", "-ngl", "99"]);
    assert_eq!((code, said, noted.as_str()), (Some(0), story(), ""));
    std::fs::remove_dir_all(&folder).expect("our own folder");
}

#[test]
fn a_plug_in_beside_the_program_is_found() {
    let (folder, program) = alone("beside");
    let name = format!("{DLL_PREFIX}fidelis_offload_gpu{DLL_SUFFIX}");
    std::fs::copy(reference(), folder.join(name)).expect("a copy");
    let output = ended(started(
        &program,
        &[&STORY[..], &["--device", "gpu"]].concat(),
        b"",
    ));
    assert!(output.status.success(), "{}", stderr(&output));
    assert_eq!(stdout(&output), story());
    std::fs::remove_dir_all(&folder).expect("our own folder");
}

#[test]
fn a_device_lost_in_an_answer_ends_the_answer_alone() {
    let messages = b"What color is the sky?\nWhat color is the sky?\n";
    let chat = ["chat", "--temp", "0", "--cpu-fallback"];
    let output = on(Fault::Vanishes, &chat, messages);
    assert!(output.status.success(), "{}", stderr(&output));
    let noted = stderr(&output);
    assert!(
        noted.contains("the device is lost: it fell off the bus"),
        "{noted}"
    );
    assert!(noted.contains("going on on the CPU: "), "{noted}");
    let said = stdout(&output);
    assert_eq!(said.lines().count(), 2, "{said}");
    assert!(
        said.lines()
            .nth(1)
            .is_some_and(|line| line.contains("blue")),
        "{said}"
    );
    let asked = b"What color is the sky?\n/cpu\nWhat color is the sky?\n";
    let output = on(Fault::None, &chat[..3], asked);
    assert!(output.status.success(), "{}", stderr(&output));
    assert!(
        stderr(&output).contains("going on on the CPU"),
        "{}",
        stderr(&output)
    );
    assert_eq!(stdout(&output).matches("blue").count(), 2);
    // Unasked, a pipe ends with the error.
    let output = on(Fault::Vanishes, &chat[..3], messages);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        stderr(&output).contains("the device is lost"),
        "{}",
        stderr(&output)
    );
}

#[test]
fn what_fails_on_a_device_is_an_error_and_no_answer() {
    for (fault, wanted) in [
        (Fault::Panics, "the plug-in panicked in run"),
        (Fault::Mumbles, "unknown status 4711"),
        (Fault::Overflows, "logits has inf"),
        (Fault::Forgets, "logits has NaN"),
        (Fault::Closed, "cannot be opened: the driver refuses"),
        (Fault::FloatsOnly, "the device does not support"),
        (Fault::Misleads, "it chose a token that is none"),
    ] {
        let output = on(fault, &STORY, b"");
        let noted = stderr(&output);
        assert_eq!(output.status.code(), Some(1), "{fault:?}: {noted}");
        assert!(noted.contains(wanted), "{fault:?}: {noted}");
    }
    let output = on(
        Fault::None,
        &[&STORY[..], &["--numerics", "audit"]].concat(),
        b"",
    );
    assert_eq!(output.status.code(), Some(1));
    assert!(
        stderr(&output).contains("audit runs on the CPU alone"),
        "{}",
        stderr(&output)
    );
}

#[test]
fn too_little_memory_says_what_would_fit_and_auto_takes_that() {
    let ask = |layers: &str| {
        let flags = ["-b", "1", "-c", "96", "-ngl", layers];
        on(Fault::Small, &[&STORY[..], &flags].concat(), b"")
    };
    let output = ask("all");
    let noted = stderr(&output);
    assert_eq!(output.status.code(), Some(1), "{noted}");
    assert!(noted.contains("MiB needed, 2.0 MiB to be had; "), "{noted}");
    let fits = noted.split("would fit: -ngl ").nth(1).map(str::trim);
    let fits = fits.unwrap_or_else(|| panic!("it does not say how many: {noted}"));
    for layers in [fits, "auto"] {
        let output = ask(layers);
        assert!(output.status.success(), "{layers}: {}", stderr(&output));
    }
    let more = fits.parse::<usize>().expect("a number") + 1;
    assert_eq!(ask(&more.to_string()).status.code(), Some(1));
}

#[test]
fn two_programs_may_use_a_device_at_once() {
    let flags = flags(Fault::None);
    let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
    let arguments = [&STORY[..], &flags].concat();
    let program = Path::new(env!("CARGO_BIN_EXE_fidelis"));
    let both = [(); 2].map(|()| started(program, &arguments, b""));
    for output in both.map(ended) {
        assert!(output.status.success(), "{}", stderr(&output));
        assert_eq!(stdout(&output), story());
    }
}

#[test]
fn a_receipt_is_of_the_cpu_alone() {
    let output = on(
        Fault::None,
        &[&STORY[..], &["--receipt", "r.json"]].concat(),
        b"",
    );
    assert_eq!(output.status.code(), Some(1));
    assert!(
        stderr(&output).contains("a receipt holds the CPU's bits"),
        "{}",
        stderr(&output)
    );
    assert!(!Path::new("r.json").exists());
}

#[test]
fn devices_are_listed_with_what_they_can_run() {
    let model = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/demo-model/demo-llama-q4_k_m.gguf"
    );
    let path = reference();
    let output = run(&["devices", "--plugin", &path, "-m", model], b"");
    assert!(output.status.success(), "{}", stderr(&output));
    let listed = stdout(&output);
    assert!(listed.starts_with("cpu "), "{listed}");
    let of = |fault: Fault| {
        let all: Vec<&str> = listed.lines().collect();
        let head = format!("gpu:{}  ", fault.index());
        let at = all.iter().position(|line| line.starts_with(&head));
        let at = at.unwrap_or_else(|| panic!("{fault:?} is not listed: {listed}"));
        let rest = all[at + 1..].iter();
        let own: Vec<&str> = rest
            .take_while(|line| line.starts_with(' '))
            .copied()
            .collect();
        own.join("\n")
    };
    assert!(
        of(Fault::None).contains("can run Fidelis demo (llama): 6 of 6 layers"),
        "{listed}"
    );
    assert!(
        of(Fault::None).contains("memory 1.0 GiB, available 1.0 GiB"),
        "{listed}"
    );
    assert!(of(Fault::None).contains("driver plain loops"), "{listed}");
    assert!(
        of(Fault::Small)
            .contains("cannot run Fidelis demo (llama): the device has too little memory"),
        "{listed}"
    );
    assert!(
        of(Fault::FloatsOnly).contains("the device does not support embedding in"),
        "{listed}"
    );
    assert!(
        of(Fault::Closed).contains("cannot run: device 12 cannot be opened"),
        "{listed}"
    );
    let output = run(&["devices", "--plugin", "nowhere.so"], b"");
    assert_eq!(output.status.code(), Some(1));
}

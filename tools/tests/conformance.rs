//! `fidelis conformance`, `trace` and `doctor` through the program: what they print, and how they end.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn oracle(name: &str) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("the workspace");
    root.join("conformance").join(name)
}

fn fidelis(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_fidelis"))
        .args(arguments)
        .output()
        .expect("the program runs")
}

/// Runs the program and checks how it ends; all that it said.
fn ends(code: i32, arguments: &[&str]) -> String {
    let output = fidelis(arguments);
    let said = format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {said}");
    said
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a path of ours")
}

/// A folder for this test alone.
fn folder(name: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("fidelis-{name}-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    folder
}

#[test]
fn every_tier_and_level_agrees_with_audit() {
    let model = oracle("oracle/gemma3-q4_k_m.gguf");
    let ids = "1,17,42,99,300,5,261,8,77,130,12,3";
    for candidate in ["fast", "f32", "audit", "level:scalar"] {
        let said = ends(
            0,
            &[
                "conformance",
                text(&model),
                "--candidate",
                candidate,
                "--tokens",
                ids,
            ],
        );
        assert!(said.contains("agree: every operation"), "{said}");
    }
    let said = ends(0, &["conformance", text(&model), "--tokens", ids, "--json"]);
    let json: serde_json::Value = serde_json::from_str(&said).expect("JSON");
    assert_eq!(json["verdict"], "agree");
    let operations = json["prompts"][0]["operations"]
        .as_array()
        .expect("operations");
    assert!(operations.len() > 7 * 20, "{}", operations.len());
    assert!(
        json["prompts"][0]["logits"]["mean_kl"]
            .as_f64()
            .expect("a number")
            < 0.1
    );
}

#[test]
fn another_engines_fault_is_named_and_ends_with_2() {
    let model = oracle("oracle/llama-f32.gguf");
    let recording = oracle("tests/data/faulty/llama.gate-and-up.safetensors");
    let folder = folder("report");
    let page = folder.join("report.html");
    let said = ends(
        2,
        &[
            "conformance",
            text(&model),
            "--recording",
            text(&recording),
            "--html",
            text(&page),
        ],
    );
    assert!(
        said.contains("blk.0.ffn_act: up goes through the activation, not gate"),
        "{said}"
    );
    assert!(said.contains("fix (glu-gate-up-swapped)"), "{said}");
    let html = std::fs::read_to_string(&page).expect("a page");
    assert!(html.starts_with("<!DOCTYPE html>") && html.ends_with("</html>\n"));
    for part in [
        "up goes through the activation",
        "<svg",
        "First bad element",
        "Likeliest ids",
        "numpy",
    ] {
        assert!(html.contains(part), "{part}");
    }
    assert!(!html.contains("http"), "it needs nothing else");
    std::fs::remove_dir_all(folder).expect("ours");
}

/// The page in a browser: what it shows is what the file says. Without one, a line says so.
#[test]
fn the_page_opens_in_a_browser() {
    let model = oracle("oracle/gemma3-f32.gguf");
    let recording = oracle("tests/data/faulty/gemma3.window.safetensors");
    let folder = folder("browser");
    let page = folder.join("report.html");
    ends(
        2,
        &[
            "conformance",
            text(&model),
            "--recording",
            text(&recording),
            "--html",
            text(&page),
        ],
    );
    let browser = std::env::var("FIDELIS_BROWSER").unwrap_or_else(|_| "chromium".to_owned());
    let address = format!("file://{}", text(&page));
    let profile = format!("--user-data-dir={}", text(&folder.join("profile")));
    let opened = Command::new(&browser)
        .args([
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            &profile,
            "--dump-dom",
            &address,
        ])
        .output();
    match opened {
        Ok(output) if output.status.success() => {
            let dom = String::from_utf8_lossy(&output.stdout);
            let count = |what: &str| dom.matches(what).count();
            assert_eq!(count("<svg"), 2, "a heat map and the curves");
            // Two layers of 21 operations, and three outside of them.
            assert!(
                count("<rect") >= 45 && count("<polyline") == 2,
                "{} {}",
                count("<rect"),
                count("<polyline")
            );
            assert!(
                dom.contains("sliding layers see every position"),
                "the diagnosis"
            );
        }
        outcome => {
            let said = format!("no browser called {browser} could open the page ({outcome:?})");
            assert!(
                std::env::var_os("FIDELIS_REQUIRE_BROWSER").is_none(),
                "{said}"
            );
            println!("NOT TESTED: {said}");
        }
    }
    std::fs::remove_dir_all(folder).expect("ours");
}

#[test]
fn the_model_inside_the_program_agrees_in_every_tier() {
    for candidate in ["fast", "f32"] {
        let said = ends(0, &["conformance", "--candidate", candidate]);
        assert!(said.contains("agree: every operation"), "{said}");
    }
}

#[test]
fn a_trace_is_a_recording_that_agrees_and_can_be_selected() {
    let model = oracle("oracle/qwen3-f32.gguf");
    let folder = folder("trace");
    let file = folder.join("trace.safetensors");
    let ids = ["--tokens", "1,17,42,99,300,5"];
    ends(
        0,
        &[
            "trace",
            text(&model),
            ids[0],
            ids[1],
            "-o",
            text(&file),
            "--decode",
            "2",
            "--numerics",
            "f32",
        ],
    );
    let said = ends(
        0,
        &["conformance", text(&model), "--recording", text(&file)],
    );
    assert!(said.contains("tier f32"), "{said}");
    // Another model's recording, other ids.
    let other = oracle("oracle/llama-f32.gguf");
    let said = ends(
        3,
        &["conformance", text(&other), "--recording", text(&file)],
    );
    assert!(said.contains("made from another model"), "{said}");
    let said = ends(
        3,
        &[
            "conformance",
            text(&model),
            "--recording",
            text(&file),
            "--tokens",
            "1,2",
        ],
    );
    assert!(
        said.contains("its ids differ from the first at index 1"),
        "{said}"
    );
    let said = ends(
        0,
        &[
            "trace",
            text(&model),
            ids[0],
            ids[1],
            "-o",
            text(&file),
            "--name",
            "*attn_q*",
            "--layers",
            "1",
            "--positions",
            "2-3",
        ],
    );
    assert!(said.contains("3 checkpoints"), "{said}");
    let said = ends(
        1,
        &[
            "trace",
            text(&model),
            ids[0],
            ids[1],
            "-o",
            text(&file),
            "--name",
            "nothing",
        ],
    );
    assert!(said.contains("nothing was selected"), "{said}");
    std::fs::remove_dir_all(folder).expect("ours");
}

#[test]
fn what_cannot_be_run_ends_with_3_and_wrong_usage_with_1() {
    let model = oracle("oracle/llama-f32.gguf");
    let said = ends(
        3,
        &[
            "conformance",
            text(&model),
            "--candidate",
            "plugin:nowhere.so",
            "--tokens",
            "1,2",
        ],
    );
    assert!(said.contains("plug-in"), "{said}");
    ends(3, &["conformance", "no-such-file.gguf"]);
    ends(
        3,
        &["conformance", text(&model), "--recording", text(&model)],
    );
    ends(1, &["conformance", text(&model), "--candidate", "best"]);
    ends(
        1,
        &["conformance", text(&model), "--candidate", "level:best"],
    );
    ends(1, &["conformance", "--no-such-flag"]);
}

#[test]
fn the_doctor_says_what_is_wrong() {
    let model = oracle("oracle/llama-f32.gguf");
    let said = ends(0, &["doctor", text(&model), "--tokens", "1,17,42,99"]);
    assert!(said.contains("the same bits: token by token"), "{said}");
    let ids = ends(
        0,
        &["tokenize", "-m", text(&model), "-p", "the rain", "--ids"],
    );
    let right = ids
        .trim()
        .trim_start_matches('[')
        .trim_end_matches(']')
        .replace(", ", ",");
    ends(
        0,
        &[
            "doctor",
            text(&model),
            "--fast",
            "--text",
            "the rain",
            "--tokens",
            &right,
        ],
    );
    let (bos, rest) = right.split_once(',').expect("several");
    assert_eq!(bos, "1");
    for (wrong, name) in [
        (format!("1,{right}"), "double-bos"),
        (rest.to_owned(), "bos-missing"),
        (format!("{right},2"), "eos-appended"),
        (format!("{right},400"), "wrong-vocabulary"),
    ] {
        let said = ends(
            2,
            &[
                "doctor",
                text(&model),
                "--fast",
                "--text",
                "the rain",
                "--tokens",
                &wrong,
            ],
        );
        assert!(said.contains(name), "{name}: {said}");
    }
    let recording = oracle("tests/data/faulty/llama.tiled-heads.safetensors");
    let said = ends(
        2,
        &["doctor", text(&model), "--recording", text(&recording)],
    );
    assert!(said.contains("gqa-tile"), "{said}");
    // Its operations are right; its ids are not those of the text.
    let recording = oracle("tests/data/faulty/llama.double-bos.safetensors");
    let doctor = ["doctor", text(&model), "--recording", text(&recording)];
    let said = ends(2, &[&doctor[..], &["--text", "the rain"]].concat());
    assert!(
        said.contains("double-bos") && said.contains("agree: every operation"),
        "{said}"
    );
    ends(0, &doctor);
    let log = oracle("tests/data/eval-callback.theta.log");
    let said = ends(2, &["doctor", text(&model), "--recording", text(&log)]);
    assert!(said.contains("rope-theta-wrong"), "{said}");
    ends(3, &["doctor", "no-such-file.gguf"]);
}

/// The plug-in of plain loops keeps the contract, a device of it that mixes up its lanes does not, and what is none is refused.
#[test]
#[cfg(any(unix, windows))]
fn a_plug_in_is_judged_by_the_program() {
    let path = fidelis_offload_reference::path().expect("a path");
    let plugin = ["conformance", "--plugin", text(&path)];
    let said = ends(0, &plugin);
    assert!(said.contains("agree: "), "{said}");
    for group in ["contract", "product", "attention", "behaviour"] {
        assert!(said.contains(group), "{group}: {said}");
    }
    let halves = fidelis_offload_reference::Fault::Halves.index().to_string();
    let said = ends(2, &[&plugin[..], &["--device", &halves]].concat());
    assert!(said.contains("DIVERGE"), "{said}");
    assert!(
        said.contains("WRONG        product: F32 64 × 100: logits"),
        "{said}"
    );
    let said = ends(3, &["conformance", "--plugin", text(&oracle("Cargo.toml"))]);
    assert!(said.contains("cannot be loaded as a library"), "{said}");
    let said = ends(3, &[&plugin[..], &["--device", "99"]].concat());
    assert!(said.contains("there is none with the number 99"), "{said}");
    let model = oracle("oracle/gemma3-f32.gguf");
    let candidate = format!("plugin:{}", text(&path));
    for arguments in [
        &["conformance", text(&model), "--candidate", &candidate][..],
        &["conformance", text(&model), "--plugin", text(&path)],
    ] {
        let said = ends(0, arguments);
        assert!(said.contains("reference plug-in"), "{said}");
    }
    let halved = [
        "conformance",
        text(&model),
        "--plugin",
        text(&path),
        "--device",
        &halves,
    ];
    let said = ends(2, &halved);
    assert!(said.contains("blk.0.attn_q"), "{said}");
    let nowhere = "plugin:nowhere.so";
    let said = ends(3, &["conformance", text(&model), "--candidate", nowhere]);
    assert!(said.contains("no plug-in at"), "{said}");
    ends(1, &["conformance", "--candidate", "gpu:x"]);
}

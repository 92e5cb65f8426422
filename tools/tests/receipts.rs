//! Receipts through the program: what verifies, and how everything else is refused.
//!
//! The keys of the first test of signatures are those of RFC 8410, section 10.

use ed25519_dalek::SigningKey;
use ed25519_dalek::pkcs8::EncodePrivateKey;
use ed25519_dalek::pkcs8::spki::EncodePublicKey;
use ed25519_dalek::pkcs8::spki::der::pem::LineEnding;
use fidelis_conformance::receipt::{Digest, canonical};
use fidelis_engine::gguf::Gguf;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

const LLAMA: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/demo-model/demo-llama-q4_k_m.gguf"
);
const GEMMA: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/demo-model/demo-gemma3-q4_k_m.gguf"
);

/// A folder of the test's own, gone when the test ends.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let folder =
            std::env::temp_dir().join(format!("fidelis-receipts-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a folder");
        Self(folder)
    }

    fn path(&self, name: &str) -> String {
        self.0.join(name).to_str().expect("UTF-8").to_owned()
    }

    fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> String {
        std::fs::write(self.path(name), bytes).expect("writable");
        self.path(name)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn fidelis(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_fidelis"))
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .expect("the program was built")
}

/// Runs the program and expects an exit code and words on stdout or stderr.
#[track_caller]
fn ends(arguments: &[&str], code: i32, words: &str) {
    let output = fidelis(arguments);
    let said = format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {said}");
    assert!(
        said.contains(words),
        "{arguments:?}: {said:?} does not say {words:?}"
    );
    assert!(!said.contains("panicked"), "{said}");
}

/// Runs with the flags and gives the receipt's path.
#[track_caller]
fn receipt(folder: &Folder, flags: &[&str]) -> String {
    let path = folder.path("receipt.json");
    let flags = [&["run", "--receipt", &path], flags].concat();
    let output = fidelis(&flags);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(0), "{flags:?}: {said}");
    path
}

fn value(path: &str) -> Value {
    serde_json::from_slice(&std::fs::read(path).expect("a receipt")).expect("JSON")
}

/// Gives an edited receipt the checksum of its content.
fn reseal(receipt: &mut Value) {
    let fields = receipt.as_object_mut().expect("an object");
    let signature = fields.remove("signature");
    fields.remove("checksum");
    let checksum = Digest::of(canonical(receipt).as_bytes()).to_string();
    receipt["checksum"] = checksum.into();
    if let Some(signature) = signature {
        receipt["signature"] = signature;
    }
}

/// The flags of a run that ends by itself and draws from several candidates.
const SHORT: [&str; 5] = ["--chat", "-p", "What color is the sky?", "-s", "7"];
const STORY: [&str; 7] = [
    "--chat",
    "-p",
    "Tell me a story about a cat.",
    "-s",
    "42",
    "-n",
    "6",
];

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
        (&["-n", "0"], "length"),
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
fn an_edit_is_damage_and_a_false_claim_is_a_replay_that_differs() {
    let folder = Folder::new("edits");
    // Hot enough that another seed or setting chooses another token within a few steps.
    let hot = [
        "--chat",
        "-p",
        "Tell me a story about a cat.",
        "-s",
        "42",
        "--temp",
        "1.5",
        "--min-p",
        "0",
        "--top-p",
        "1",
        "-n",
        "12",
    ];
    let path = receipt(&folder, &hot);
    let original = value(&path);
    let steps = original["steps"].as_array().expect("steps").len();
    assert_eq!(steps, 12);
    let token = original["steps"][3]["token"].as_u64().expect("a token");
    let other = if token == 300 { 301 } else { 300 };
    let digest = original["steps"][0]["logits"].clone();
    let edits: [(&str, Value, &str); 10] = [
        (
            "/steps/3/token",
            json!(other),
            "step 4 of 12: the logits agree, but token ",
        ),
        (
            "/steps/2/logits",
            digest,
            "step 3 of 12: the logits have digest ",
        ),
        ("/sampler/seed", json!(43), "the logits agree, but token "),
        (
            "/sampler/temperature",
            json!(9.0),
            "the logits agree, but token ",
        ),
        ("/sampler/top_k", json!(1), "the logits agree, but token "),
        (
            "/prompt/2",
            json!(301),
            "step 1 of 12: the logits have digest ",
        ),
        (
            "/stop",
            json!("end"),
            "after step 12 of 12: the replay ends (length), and in the receipt it ends (end)",
        ),
        (
            "/limits/tokens",
            json!(4),
            "after step 4 of 12: the replay ends (length), and in the receipt it goes on",
        ),
        (
            "/limits/tokens",
            json!(19),
            "after step 12 of 12: the replay goes on, and in the receipt it ends (length)",
        ),
        (
            "/numerics/tier",
            json!("f32"),
            "step 1 of 12: the logits have digest ",
        ),
    ];
    for (field, new, says) in edits {
        let mut edited = original.clone();
        let place = edited.pointer_mut(field).expect("a field");
        // A changed digest must be another one.
        assert_ne!(*place, new, "{field}");
        *place = new;
        let damaged = folder.write("damaged.json", edited.to_string());
        ends(&["verify", &damaged], 4, "was changed after it was written");
        reseal(&mut edited);
        let claimed = folder.write(&field.replace('/', "."), edited.to_string());
        ends(&["verify", &claimed], 2, says);
    }
    // White space and the order of fields say nothing.
    let plain = folder.write("plain.json", original.to_string());
    ends(&["verify", &plain], 0, "every bit agrees");
}

#[test]
fn a_receipt_that_is_cut_off_is_damaged() {
    let folder = Folder::new("cut");
    let path = receipt(&folder, &STORY);
    let whole = std::fs::read(&path).expect("a receipt");
    let places = (0..20).chain((1..40).map(|part| whole.len() * part / 40));
    for len in places.chain(whole.len() - 20..whole.len() - 1) {
        let cut = folder.write("cut.json", &whole[..len]);
        ends(
            &["verify", &cut],
            4,
            "the receipt is damaged: it is cut off",
        );
    }
    for (text, says) in [
        (&b"\x00\xff\xfe"[..], "not a JSON object"),
        (b"[1, 2]", "not a JSON object"),
        (b"{} {}", "not a JSON object"),
        (b"{}", "its format is not"),
    ] {
        let path = folder.write("other.json", text);
        ends(&["verify", &path], 4, says);
    }
}

#[test]
fn a_field_that_is_missing_or_of_the_wrong_kind_is_named() {
    let folder = Folder::new("fields");
    let path = receipt(&folder, &STORY);
    let original = value(&path);
    for field in original.as_object().expect("an object").keys() {
        // Null is what an absent template reads as; the checksum tells them apart.
        let says = match field.as_str() {
            "format" => "its format is not".to_owned(),
            "template" => "was changed after it was written".to_owned(),
            field => format!("missing field `{field}`"),
        };
        let mut without = original.clone();
        without.as_object_mut().expect("an object").remove(field);
        let path = folder.write("without.json", without.to_string());
        ends(&["verify", &path], 4, &says);
    }
    for (field, new) in [
        ("/steps/1/logits", json!("12ab")),
        ("/steps/1/token", json!(-1)),
        ("/checksum", json!(17)),
        ("/sampler/top_p", json!("much")),
        ("/sampler/filters", json!("top_q")),
        ("/sampler/repeat_penalty", json!(0.0)),
        ("/stop", json!("bored")),
        ("/context", json!(-1)),
    ] {
        let mut edited = original.clone();
        *edited.pointer_mut(field).expect("a field") = new;
        if field != "/checksum" {
            reseal(&mut edited);
        }
        let path = folder.write("edited.json", edited.to_string());
        ends(&["verify", &path], 4, "the receipt is damaged: ");
    }
}

#[test]
fn claims_that_cannot_be_run_are_errors() {
    let folder = Folder::new("claims");
    let path = receipt(&folder, &STORY);
    let original = value(&path);
    for (field, new) in [
        ("/context", json!(u64::MAX)),
        ("/context", json!(1_u64 << 60)),
        ("/context", json!(0)),
        ("/context", json!(4)),
        ("/prompt", json!([])),
        ("/prompt/2", json!(u32::MAX)),
    ] {
        let mut edited = original.clone();
        *edited.pointer_mut(field).expect("a field") = new;
        reseal(&mut edited);
        let path = folder.write("edited.json", edited.to_string());
        ends(&["verify", &path], 1, "error: ");
    }
}

#[test]
fn other_versions_and_unknown_profiles_are_refused() {
    let folder = Folder::new("versions");
    let path = receipt(&folder, &STORY);
    let original = value(&path);
    for (field, new, says) in [
        (
            "/version",
            json!(2),
            "the receipt has version 2; this build reads version 1",
        ),
        ("/version", json!("1"), "the receipt has version \"1\""),
        (
            "/numerics/tier",
            json!("f8"),
            "tier is \"f8\"; this build knows fast, f32 and audit",
        ),
        ("/numerics/cache", json!("q3_0"), "cache format is \"q3_0\""),
        (
            "/numerics/logits",
            json!("f64"),
            "type of logits is \"f64\"; this build knows f32",
        ),
        (
            "/numerics/arithmetic",
            json!("fidelis-arithmetic-0"),
            "this build knows fidelis-arithmetic-1",
        ),
        (
            "/numerics/sampling",
            json!("dice"),
            "this build knows fidelis-sampling-1",
        ),
        ("/sampler/mirostat", json!(3), "mirostat is \"3\""),
    ] {
        let mut edited = original.clone();
        *edited.pointer_mut(field).expect("a field") = new;
        reseal(&mut edited);
        let path = folder.write("edited.json", edited.to_string());
        ends(&["verify", &path], 5, says);
    }
}

const RFC_8410_PRIVATE: &str = "-----BEGIN PRIVATE KEY-----\n\
    MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n\
    -----END PRIVATE KEY-----\n";
const RFC_8410_PUBLIC: &str = "-----BEGIN PUBLIC KEY-----\n\
    MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n\
    -----END PUBLIC KEY-----\n";
/// A public key on the curve P-256, of `openssl genpkey -algorithm EC`.
const P256_PUBLIC: &str = "-----BEGIN PUBLIC KEY-----\n\
    MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEq/C/02im1oHeQDbERgd4qhIk3B+X\n\
    hMEvDxDJ6csV+0MmWJffT4ctbFL2PMfavVfqYws/a5B0LwafiKiJuANlOg==\n\
    -----END PUBLIC KEY-----\n";

#[test]
fn a_signature_is_checked_with_the_signers_key() {
    let folder = Folder::new("signed");
    let private = folder.write("key.pem", RFC_8410_PRIVATE);
    let public = folder.write("public.pem", RFC_8410_PUBLIC);
    let path = receipt(&folder, &[&STORY[..], &["--sign", &private]].concat());
    ends(
        &["verify", &path, "--public", &public],
        0,
        "every bit agrees",
    );
    ends(&["verify", &path], 0, "the signature was not checked");
    let other = SigningKey::from_bytes(&[7; 32]);
    let pem = other
        .verifying_key()
        .to_public_key_pem(LineEnding::LF)
        .expect("a key has a PEM form");
    let other_public = folder.write("other.pem", pem);
    ends(
        &["verify", &path, "--public", &other_public],
        6,
        "was not signed with this key",
    );
    let mut edited = value(&path);
    let original = edited.clone();
    edited["engine"] = json!("9.9.9");
    reseal(&mut edited);
    let forged = folder.write("forged.json", edited.to_string());
    ends(
        &["verify", &forged, "--public", &public],
        6,
        "the signature is wrong",
    );
    let mut unsigned = original.clone();
    unsigned
        .as_object_mut()
        .expect("an object")
        .remove("signature");
    let unsigned = folder.write("unsigned.json", unsigned.to_string());
    ends(&["verify", &unsigned], 0, "every bit agrees");
    ends(
        &["verify", &unsigned, "--public", &public],
        6,
        "the receipt is not signed",
    );
    for (value, says) in [
        ("00".repeat(64), "the signature is wrong"),
        ("0".repeat(127), "not one of Ed25519"),
        ("é".repeat(64), "not one of Ed25519"),
        (String::new(), "not one of Ed25519"),
    ] {
        let mut edited = original.clone();
        edited["signature"]["value"] = json!(value);
        let path = folder.write("edited.json", edited.to_string());
        ends(&["verify", &path, "--public", &public], 6, says);
    }
}

#[test]
fn keys_of_the_wrong_kind_are_refused_before_anything_runs() {
    let folder = Folder::new("keys");
    let private = folder.write("key.pem", RFC_8410_PRIVATE);
    let public = folder.write("public.pem", RFC_8410_PUBLIC);
    let ec = folder.write("ec.pem", P256_PUBLIC);
    let noise = folder.write("noise.pem", b"\xff\x00 no key");
    let path = folder.path("receipt.json");
    for key in [&public, &ec, &noise] {
        ends(
            &[
                "run",
                "-p",
                "x",
                "-n",
                "1",
                "--receipt",
                &path,
                "--sign",
                key,
            ],
            6,
            "is not an Ed25519 private key in PKCS#8 PEM",
        );
        assert!(!Path::new(&path).exists());
    }
    for key in [&private, &ec, &noise] {
        ends(
            &["verify", &path, "--public", key],
            6,
            "is not an Ed25519 public key in SPKI PEM",
        );
    }
    // A key that this program's library wrote works like one that OpenSSL did.
    let pem = SigningKey::from_bytes(&[7; 32])
        .to_pkcs8_pem(LineEnding::LF)
        .expect("a key has a PEM form");
    let own = folder.write("own.pem", pem.as_bytes());
    receipt(&folder, &["-p", "x", "-n", "1", "--sign", &own]);
}

#[test]
fn files_that_cannot_be_read_or_written_are_named() {
    let folder = Folder::new("files");
    let absent = folder.path("absent.json");
    ends(&["verify", &absent], 1, "absent.json");
    ends(&["verify"], 1, "Usage");
    let nowhere = folder.path("no/such/folder/r.json");
    ends(&["run", "-p", "x", "--receipt", &nowhere], 1, "r.json");
    ends(
        &["run", "-p", "x", "--receipt", &folder.path("")],
        1,
        "cannot write a receipt",
    );
    ends(&["run", "-p", "x", "--sign", "key.pem"], 1, "--receipt");
    let path = receipt(&folder, &["-p", "x", "-n", "1"]);
    ends(&["verify", &path, "-m", &absent], 1, "absent.json");
    ends(&["verify", &path, "--level", "mmx"], 1, "\"mmx\"");
    ends(&["verify", &path, "--public", &absent], 1, "absent.json");
    let left: Vec<_> = std::fs::read_dir(&folder.0)
        .expect("a folder")
        .map(|entry| entry.expect("an entry").file_name())
        .collect();
    assert_eq!(left, ["receipt.json"]);
}

#[test]
fn the_help_lists_the_exit_codes() {
    for line in [
        "0  every bit agrees",
        "2  the replay differs",
        "3  another model",
        "4  the receipt is damaged",
        "5  the receipt is of another version",
        "6  the signature is missing or wrong",
    ] {
        ends(&["verify", "--help"], 0, line);
    }
}

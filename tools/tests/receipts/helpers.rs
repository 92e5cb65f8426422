//! Running the program, and editing what it wrote.

use fidelis_conformance::receipt::{Digest, canonical};
use serde_json::Value;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

pub(crate) const LLAMA: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/demo-model/demo-llama-q4_k_m.gguf"
);
pub(crate) const GEMMA: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/demo-model/demo-gemma3-q4_k_m.gguf"
);

/// A folder of the test's own, gone when the test ends.
pub(crate) struct Folder(pub(crate) PathBuf);

impl Folder {
    pub(crate) fn new(name: &str) -> Self {
        let folder =
            std::env::temp_dir().join(format!("fidelis-receipts-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a folder");
        Self(folder)
    }

    pub(crate) fn path(&self, name: &str) -> String {
        self.0.join(name).to_str().expect("UTF-8").to_owned()
    }

    pub(crate) fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> String {
        std::fs::write(self.path(name), bytes).expect("writable");
        self.path(name)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

pub(crate) fn fidelis(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_fidelis"))
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .expect("the program was built")
}

/// Runs the program and expects an exit code and words on stdout or stderr.
#[track_caller]
pub(crate) fn ends(arguments: &[&str], code: i32, words: &str) {
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
pub(crate) fn receipt(folder: &Folder, flags: &[&str]) -> String {
    let path = folder.path("receipt.json");
    let flags = [&["run", "--receipt", &path], flags].concat();
    let output = fidelis(&flags);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(0), "{flags:?}: {said}");
    path
}

pub(crate) fn value(path: &str) -> Value {
    serde_json::from_slice(&std::fs::read(path).expect("a receipt")).expect("JSON")
}

/// Gives an edited receipt the checksum of its content.
pub(crate) fn reseal(receipt: &mut Value) {
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
pub(crate) const SHORT: [&str; 5] = ["--chat", "-p", "What color is the sky?", "-s", "7"];
pub(crate) const STORY: [&str; 7] = [
    "--chat",
    "-p",
    "Tell me a story about a cat.",
    "-s",
    "42",
    "-n",
    "6",
];

/// A copy of the receipt with one field replaced, and with the checksum of what it now says.
pub(crate) fn edited(original: &Value, field: &str, new: Value) -> String {
    let mut edited = original.clone();
    *edited.pointer_mut(field).expect("a field") = new;
    reseal(&mut edited);
    edited.to_string()
}

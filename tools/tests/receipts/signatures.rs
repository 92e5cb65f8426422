//! Signatures and keys; those of the first test are of RFC 8410, section 10.

use crate::helpers::{Folder, STORY, ends, receipt, reseal, value};
use ed25519_dalek::SigningKey;
use ed25519_dalek::pkcs8::EncodePrivateKey;
use ed25519_dalek::pkcs8::spki::EncodePublicKey;
use ed25519_dalek::pkcs8::spki::der::pem::LineEnding;
use serde_json::json;
use std::path::Path;

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
            8,
            "is not an Ed25519 private key in PKCS#8 PEM",
        );
        assert!(!Path::new(&path).exists());
    }
    for key in [&private, &ec, &noise] {
        ends(
            &["verify", &path, "--public", key],
            8,
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

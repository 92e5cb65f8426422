//! Ed25519 signatures of receipts.

use super::ReceiptError;
use super::digest::Digest;
use ed25519_dalek::pkcs8::{DecodePrivateKey, DecodePublicKey};
use ed25519_dalek::{Signer, SigningKey, VerifyingKey};
use serde::{Deserialize, Serialize};
use std::path::Path;

/// A signature as a receipt holds it.
///
/// What is signed is the ASCII text `fidelis-receipt 1 ` followed by the checksum's 64 digits, so that any tool can check it:
///
/// ```text
/// openssl genpkey -algorithm ed25519 -out key.pem
/// openssl pkey -in key.pem -pubout -out public.pem
/// printf 'fidelis-receipt 1 %s' CHECKSUM > said
/// openssl pkeyutl -verify -pubin -inkey public.pem -rawin -in said -sigfile SIGNATURE-AS-BYTES
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Signature {
    /// `ed25519`.
    pub algorithm: String,
    /// The 64 bytes in hexadecimal.
    pub value: String,
}

const ALGORITHM: &str = "ed25519";

fn signed_text(checksum: &Digest) -> String {
    format!("{} {} {checksum}", super::FORMAT, super::VERSION)
}

impl Signature {
    /// Signs a checksum.
    pub fn new(key: &SigningKey, checksum: &Digest) -> Self {
        let bytes = key.sign(signed_text(checksum).as_bytes()).to_bytes();
        Self {
            algorithm: ALGORITHM.to_owned(),
            value: bytes.iter().map(|byte| format!("{byte:02x}")).collect(),
        }
    }

    /// Checks that the owner of `key` signed this checksum.
    ///
    /// # Errors
    ///
    /// [`ReceiptError::SignatureForm`] or [`ReceiptError::Signature`].
    pub fn check(&self, key: &VerifyingKey, checksum: &Digest) -> Result<(), ReceiptError> {
        let bytes = (self.algorithm == ALGORITHM)
            .then(|| bytes(&self.value))
            .flatten()
            .ok_or(ReceiptError::SignatureForm)?;
        let signature = ed25519_dalek::Signature::from_bytes(&bytes);
        key.verify_strict(signed_text(checksum).as_bytes(), &signature)
            .map_err(|_| ReceiptError::Signature)
    }
}

/// 64 bytes from their digits.
fn bytes(digits: &str) -> Option<[u8; 64]> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let pair = |pair: &[u8; 2]| Some((digit(pair[0])? * 16 + digit(pair[1])?) as u8);
    let (pairs, rest) = digits.as_bytes().as_chunks::<2>();
    let bytes: Vec<u8> = pairs.iter().map(pair).collect::<Option<_>>()?;
    bytes.try_into().ok().filter(|_| rest.is_empty())
}

fn read(path: &Path) -> Result<String, ReceiptError> {
    let bytes = std::fs::read(path).map_err(|source| ReceiptError::File {
        action: "read",
        path: path.to_owned(),
        source,
    })?;
    // Bytes that are no text are no PEM either; the decoder says so.
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// A key to sign with, from a PKCS#8 PEM file.
///
/// # Errors
///
/// [`ReceiptError::File`] if it cannot be read, [`ReceiptError::PrivateKey`] if it is something else.
pub fn private_key(path: &Path) -> Result<SigningKey, ReceiptError> {
    SigningKey::from_pkcs8_pem(&read(path)?).map_err(|source| ReceiptError::PrivateKey {
        path: path.to_owned(),
        source,
    })
}

/// A key to check with, from an SPKI PEM file.
///
/// # Errors
///
/// [`ReceiptError::File`] if it cannot be read, [`ReceiptError::PublicKey`] if it is something else.
pub fn public_key(path: &Path) -> Result<VerifyingKey, ReceiptError> {
    VerifyingKey::from_public_key_pem(&read(path)?).map_err(|source| ReceiptError::PublicKey {
        path: path.to_owned(),
        source,
    })
}

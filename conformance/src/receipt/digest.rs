//! Digests, and the running one of the logits.

use serde::{Deserialize, Serialize};
use std::fmt;

/// A BLAKE3 digest; 64 hexadecimal digits in text.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Digest(pub [u8; 32]);

/// Text that is no digest.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not a digest of 64 hexadecimal digits")]
pub struct NotADigest {
    text: String,
}

impl Digest {
    /// The digest of `bytes`.
    pub fn of(bytes: &[u8]) -> Self {
        Self(*blake3::hash(bytes).as_bytes())
    }

    /// The same, by all threads of the pool.
    pub fn of_large(bytes: &[u8]) -> Self {
        let mut hasher = blake3::Hasher::new();
        hasher.update_rayon(bytes);
        Self(*hasher.finalize().as_bytes())
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&blake3::Hash::from_bytes(self.0).to_hex())
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl From<Digest> for String {
    fn from(digest: Digest) -> Self {
        digest.to_string()
    }
}

impl TryFrom<String> for Digest {
    type Error = NotADigest;

    fn try_from(text: String) -> Result<Self, NotADigest> {
        match blake3::Hash::from_hex(&text) {
            Ok(hash) => Ok(Self(*hash.as_bytes())),
            Err(_) => Err(NotADigest { text }),
        }
    }
}

/// Logits in the type that their tier computes them in.
#[derive(Clone, Copy, Debug)]
pub enum Values<'v> {
    /// Of `fast` and `f32`.
    F32(&'v [f32]),
    /// Of `audit`.
    F64(&'v [f64]),
}

impl Values<'_> {
    fn add_to(self, hasher: &mut blake3::Hasher) {
        match self {
            Self::F32(values) => add(hasher, values, |value| value.to_le_bytes()),
            Self::F64(values) => add(hasher, values, |value| value.to_le_bytes()),
        }
    }
}

fn add<T: Copy, const N: usize>(
    hasher: &mut blake3::Hasher,
    values: &[T],
    bytes: impl Fn(T) -> [u8; N],
) {
    // Long enough pieces that the hasher's vectors are full.
    for piece in values.chunks(1 << 14) {
        let little: Vec<u8> = piece.iter().flat_map(|&value| bytes(value)).collect();
        hasher.update(&little);
    }
}

/// `d[n] = H(d[n−1] ‖ logits)`, from 32 zero bytes.
#[derive(Clone, Debug)]
pub struct LogitChain(Digest);

impl Default for LogitChain {
    fn default() -> Self {
        Self(Digest([0; 32]))
    }
}

impl LogitChain {
    /// The digest after these logits.
    pub fn add(&mut self, logits: Values<'_>) -> Digest {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&self.0.0);
        logits.add_to(&mut hasher);
        self.0 = Digest(*hasher.finalize().as_bytes());
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::{Digest, LogitChain, Values};

    // The published digest of no bytes, from BLAKE3's test vectors.
    #[test]
    fn no_bytes_have_the_published_digest() {
        let empty = "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262";
        assert_eq!(Digest::of(&[]).to_string(), empty);
        assert_eq!(Digest::of_large(&[]).to_string(), empty);
        assert_eq!(
            Digest::try_from(empty.to_owned()).expect("hexadecimal"),
            Digest::of(&[])
        );
        assert!(Digest::try_from(empty[1..].to_owned()).is_err());
    }

    #[test]
    fn the_chain_is_the_digest_of_the_one_before_and_the_little_endian_bytes() {
        let mut chain = LogitChain::default();
        let mut bytes = vec![0; 32];
        bytes.extend([0, 0, 0x80, 0x3f, 0, 0, 0, 0x80]);
        let first = chain.add(Values::F32(&[1.0, -0.0]));
        assert_eq!(first, Digest::of(&bytes));
        let mut bytes = first.0.to_vec();
        bytes.extend([0, 0, 0, 0, 0, 0, 0, 0xc0]);
        assert_eq!(chain.add(Values::F64(&[-2.0])), Digest::of(&bytes));
    }
}

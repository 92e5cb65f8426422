//! Why a receipt is refused.

use super::digest::Digest;
use super::model::ModelDifference;
use super::replay::Difference;
use super::sense::Senseless;
use fidelis_engine::sample::SampleError;
use fidelis_engine::session::SessionError;
use std::io;
use std::path::PathBuf;

/// The kinds of refusal; a caller gives each its exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The replay does not give what the receipt says.
    Replay,
    /// The model is another one.
    Model,
    /// The receipt is damaged or tampered with.
    Damaged,
    /// The receipt is cut off.
    CutOff,
    /// The receipt is of a version, or the numbers of a profile, that this build does not know.
    Version,
    /// The signature is missing or wrong.
    Signature,
    /// The key is not of the kind that is needed.
    Key,
    /// Anything else.
    Other,
}

/// Why a receipt cannot be written, or is refused.
#[derive(Debug, thiserror::Error)]
pub enum ReceiptError {
    /// Not JSON.
    #[error("the receipt is damaged: {}", json(.0))]
    NotJson(#[source] serde_json::Error),
    /// JSON, but a list or a single value.
    #[error("the receipt is damaged: not a JSON object")]
    NotAnObject,
    /// JSON, but something else.
    #[error(
        "the receipt is damaged, or none: its format is not \"{}\"",
        super::FORMAT
    )]
    NotAReceipt,
    /// A field is not there.
    #[error("the receipt is damaged: missing field `{field}`")]
    Missing {
        /// Its name.
        field: &'static str,
    },
    /// A field is not there, there twice, or not what it should be.
    #[error("the receipt is damaged: {0}")]
    Field(#[source] serde_json::Error),
    /// A sampler that cannot be made, or that can choose nothing.
    #[error("the receipt is damaged: its sampler makes no sense")]
    Sampler(#[source] SampleError),
    /// A claim that no run can have led to.
    #[error("the receipt is damaged: {0}")]
    Senseless(#[from] Senseless),
    /// The prompt was rendered by another template, or by none.
    #[error("{name} is not the receipt's: {}", rendered(.expected.as_ref(), .found.as_ref()))]
    Template {
        /// The template at hand, in words.
        name: String,
        /// Of the template that rendered the prompt.
        expected: Option<Digest>,
        /// Of the one at hand.
        found: Option<Digest>,
    },
    /// The content is not what was written.
    #[error(
        "the receipt was changed after it was written: its checksum is {checksum}, but its content has {computed}"
    )]
    Checksum {
        /// What the receipt says.
        checksum: Digest,
        /// What its content gives.
        computed: Digest,
    },
    /// Another version of the format.
    #[error(
        "the receipt has version {found}; this build reads version {}",
        super::VERSION
    )]
    Version {
        /// As in the receipt.
        found: String,
    },
    /// Numbers computed in a way that this build does not know.
    #[error("the receipt's {what} is {found:?}; this build knows {known}")]
    Profile {
        /// Which part of the profile.
        what: &'static str,
        /// As in the receipt.
        found: String,
        /// What would do.
        known: String,
    },
    /// Another model.
    #[error("the model is not the receipt's: {0}")]
    Model(#[from] ModelDifference),
    /// A key was given, but there is no signature.
    #[error("the receipt is not signed")]
    Unsigned,
    /// The signature does not verify.
    #[error("the signature is wrong: the receipt was not signed with this key")]
    Signature,
    /// The signature is not one at all.
    #[error("the receipt's signature is not one of Ed25519 in hexadecimal")]
    SignatureForm,
    /// Not a private key that can be used.
    #[error("{} is not an Ed25519 private key in PKCS#8 PEM", path.display())]
    PrivateKey {
        /// The key's file.
        path: PathBuf,
        /// Why.
        source: ed25519_dalek::pkcs8::Error,
    },
    /// Not a public key that can be used.
    #[error("{} is not an Ed25519 public key in SPKI PEM", path.display())]
    PublicKey {
        /// The key's file.
        path: PathBuf,
        /// Why.
        source: ed25519_dalek::pkcs8::spki::Error,
    },
    /// The replay gives something else.
    #[error("the replay differs: {0}")]
    Differs(#[from] Difference),
    /// The model could not be run.
    #[error(transparent)]
    Session(#[from] SessionError),
    /// A file cannot be read or written.
    #[error("cannot {action} {}", path.display())]
    File {
        /// What was tried.
        action: &'static str,
        /// Which file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
}

impl ReceiptError {
    /// Which kind of refusal this is.
    pub fn refusal(&self) -> Refusal {
        match self {
            Self::NotJson(error) if error.is_eof() => Refusal::CutOff,
            Self::NotJson(_)
            | Self::NotAnObject
            | Self::NotAReceipt
            | Self::Missing { .. }
            | Self::Field(_)
            | Self::Sampler(_)
            | Self::Senseless(_)
            | Self::Checksum { .. } => Refusal::Damaged,
            Self::Version { .. } | Self::Profile { .. } => Refusal::Version,
            Self::Model(_) | Self::Template { .. } => Refusal::Model,
            Self::Unsigned | Self::Signature | Self::SignatureForm => Refusal::Signature,
            Self::PrivateKey { .. } | Self::PublicKey { .. } => Refusal::Key,
            Self::Differs(_) => Refusal::Replay,
            Self::Session(_) | Self::File { .. } => Refusal::Other,
        }
    }
}

/// Where JSON ends early or is broken.
fn json(error: &serde_json::Error) -> String {
    if error.is_eof() {
        format!("it is cut off in line {}", error.line())
    } else {
        format!("not a JSON object ({error})")
    }
}

/// Which template the receipt names, and which is there.
fn rendered(expected: Option<&Digest>, found: Option<&Digest>) -> String {
    let named = |digest: Option<&Digest>, none: &str| {
        digest.map_or_else(|| none.to_owned(), |digest| format!("digest {digest}"))
    };
    format!(
        "its prompt was rendered by {}, and here is {}",
        named(expected, "no template"),
        named(found, "none")
    )
}

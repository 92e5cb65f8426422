//! Receipts: what a run was given, what it produced, and digests by which anyone can check the claim.
//!
//! A receipt is one JSON object. Every field but `checksum` and `signature` is its *content*:
//!
//! ```text
//! format     "fidelis-receipt"
//! version    1
//! engine     version of the program that wrote it
//! numerics   tier, cache format, type of the logits, names of the arithmetic and of the sampling rules
//! context    positions that could be remembered
//! model      digests of each file, each tensor, the tokenizer, the chat template, other metadata
//! prompt     token ids
//! template   digest of the Jinja text of the template that rendered the prompt, or null
//! sampler    chain, settings, and the seed that was used
//! limits     tokens at most (null: none), stop strings, whether ending tokens are passed over
//! steps      per choice the token and the running digest of the logits it was chosen from
//! stop       end, stop_string, length, context_full or interrupted
//! ```
//!
//! Digests are BLAKE3, in hexadecimal. The running digest is `d[n] = H(d[n−1] ‖ logits)`: 32 zero bytes at first, then
//! the 32 bytes before and the logits of the whole vocabulary, little-endian, in the type that `numerics.logits` names.
//! The token that ended the answer has a step like every other.
//!
//! What `verify` checks: the checksum, the model, the prompt's ids, settings and limits through every step and its logits, and
//! that `template` is the digest of the model's own template or of one that it is given. What remains a claim of whoever wrote the
//! receipt: `engine`; that the ids came from that template (they are replayed, the text they came from is not in the receipt);
//! and that it was the user who ended an answer that was interrupted. A receipt without a step says nothing and is refused.
//!
//! No object may name a field twice, at any depth: readers differ in which one they keep.
//!
//! The `checksum` is the digest of the content's [canonical text](canonical()), so damage is told apart from a replay that differs. The
//! `signature` is Ed25519 over the ASCII text `fidelis-receipt 1 ` and the checksum; [`Signature`] shows how OpenSSL checks it.

mod canonical;
mod digest;
mod error;
mod file;
mod model;
mod object;
mod replay;
mod sampler;
mod sense;
mod signature;

pub use canonical::canonical;
pub use digest::{Digest, LogitChain, Values};
pub use error::{ReceiptError, Refusal};
pub use file::write_atomically;
pub use model::{FileDigest, ModelDifference, ModelDigests, TensorDigest};
pub use replay::{Difference, Recorder, Step, record, replay};
pub use sampler::{Bias, SamplerRecord};
pub use sense::Senseless;
pub use signature::{Signature, private_key, public_key};

pub use ed25519_dalek::{SigningKey, VerifyingKey};
use fidelis_engine::session::{Limits, Stop};
use object::Unique;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::error::Category;

/// What `format` says.
pub const FORMAT: &str = "fidelis-receipt";
/// The version that is written and read.
pub const VERSION: u64 = 1;
/// The rules by which this build computes logits; changed whenever a bit of any of them does.
pub const ARITHMETIC: &str = "fidelis-arithmetic-1";

/// The type of the logits that a tier computes: `f64` for `audit`, else `f32`.
pub fn logits_type(tier: &str) -> &'static str {
    if tier == "audit" { "f64" } else { "f32" }
}

/// How numbers were held and by which rules they were computed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Numerics {
    /// The tier, as `--numerics` spells it.
    pub tier: String,
    /// How keys and values were remembered, as `--cache-type-k` spells it; `audit` remembers `f64` whatever it says.
    pub cache: String,
    /// The type of the logits whose bits are digested: [`logits_type`] of the tier.
    pub logits: String,
    /// [`ARITHMETIC`].
    pub arithmetic: String,
    /// [`fidelis_engine::sample::SPECIFICATION`].
    pub sampling: String,
}

/// When the answer was to end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LimitsRecord {
    /// Tokens at most; `None`: no limit.
    pub tokens: Option<usize>,
    /// Texts that end it.
    pub stop_strings: Vec<String>,
    /// Whether end-of-generation tokens are passed over.
    pub ignore_end: bool,
}

impl From<&Limits> for LimitsRecord {
    fn from(limits: &Limits) -> Self {
        Self {
            tokens: limits.tokens,
            stop_strings: limits.stop_strings.clone(),
            ignore_end: limits.ignore_end,
        }
    }
}

impl From<&LimitsRecord> for Limits {
    fn from(record: &LimitsRecord) -> Self {
        Self {
            tokens: record.tokens,
            stop_strings: record.stop_strings.clone(),
            ignore_end: record.ignore_end,
        }
    }
}

/// Why the answer ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StopRecord {
    /// The model ended it.
    End,
    /// A stop string appeared.
    StopString,
    /// As many tokens as were asked for.
    Length,
    /// No more positions could be remembered.
    ContextFull,
    /// The user ended it.
    Interrupted,
}

impl StopRecord {
    /// The word in the receipt.
    pub fn name(self) -> &'static str {
        match self {
            Self::End => "end",
            Self::StopString => "stop_string",
            Self::Length => "length",
            Self::ContextFull => "context_full",
            Self::Interrupted => "interrupted",
        }
    }
}

impl From<Option<Stop>> for StopRecord {
    fn from(stop: Option<Stop>) -> Self {
        match stop {
            Some(Stop::End) => Self::End,
            Some(Stop::StopString) => Self::StopString,
            Some(Stop::Length) => Self::Length,
            Some(Stop::ContextFull) => Self::ContextFull,
            None => Self::Interrupted,
        }
    }
}

/// The content of a receipt; the [module](self) describes the fields.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "the module describes the fields")]
pub struct Receipt {
    pub format: String,
    pub version: u64,
    pub engine: String,
    pub numerics: Numerics,
    pub context: usize,
    pub model: ModelDigests,
    pub prompt: Vec<u32>,
    pub template: Option<Digest>,
    pub sampler: SamplerRecord,
    pub limits: LimitsRecord,
    pub steps: Vec<Step>,
    pub stop: StopRecord,
}

/// A receipt as it was read: sound, but neither its signature nor its claim is checked.
#[derive(Clone, Debug)]
pub struct Opened {
    /// The content.
    pub receipt: Receipt,
    /// The digest of the content, which was checked.
    pub checksum: Digest,
    /// The signature, if there is one.
    pub signature: Option<Signature>,
}

impl Receipt {
    /// The receipt as a file's text, signed if there is a key.
    ///
    /// # Errors
    ///
    /// [`ReceiptError::Field`] if a number of the content has no place in JSON.
    pub fn to_text(&self, key: Option<&SigningKey>) -> Result<String, ReceiptError> {
        /// The content, then what is said about it.
        #[derive(Serialize)]
        struct Whole<'r> {
            #[serde(flatten)]
            content: &'r Receipt,
            checksum: Digest,
            #[serde(skip_serializing_if = "Option::is_none")]
            signature: Option<Signature>,
        }
        // Through the text, so that the numbers are those that a reader finds.
        let written = serde_json::to_string(self).map_err(ReceiptError::Field)?;
        let value: Value = serde_json::from_str(&written).map_err(ReceiptError::Field)?;
        let checksum = Digest::of(canonical(&value).as_bytes());
        let whole = Whole {
            content: self,
            checksum,
            signature: key.map(|key| Signature::new(key, &checksum)),
        };
        let text = serde_json::to_string_pretty(&whole).map_err(ReceiptError::Field)?;
        Ok(text + "\n")
    }

    /// Reads a receipt and checks it against its own checksum.
    ///
    /// # Errors
    ///
    /// [`ReceiptError`] if this is no JSON object, no receipt, of another version, lacks a field, has one twice, or does
    /// not have the checksum that it names.
    pub fn read(text: &[u8]) -> Result<Opened, ReceiptError> {
        let content = serde_json::from_slice(text).map_err(|error| match error.classify() {
            // Sound JSON, but a field is there twice.
            Category::Data => ReceiptError::Field(error),
            _ => ReceiptError::NotJson(error),
        })?;
        let Unique(Value::Object(mut content)) = content else {
            return Err(ReceiptError::NotAnObject);
        };
        if content.get("format").and_then(Value::as_str) != Some(FORMAT) {
            return Err(ReceiptError::NotAReceipt);
        }
        let version = content
            .get("version")
            .ok_or(ReceiptError::Missing { field: "version" })?;
        if version.as_u64() != Some(VERSION) {
            return Err(ReceiptError::Version {
                found: version.to_string(),
            });
        }
        let checksum = content
            .remove("checksum")
            .ok_or(ReceiptError::Missing { field: "checksum" })?;
        let checksum: Digest = serde_json::from_value(checksum).map_err(ReceiptError::Field)?;
        let signature = content
            .remove("signature")
            .map(serde_json::from_value)
            .transpose()
            .map_err(ReceiptError::Field)?;
        let content = Value::Object(content);
        let computed = Digest::of(canonical(&content).as_bytes());
        let receipt: Self = serde_json::from_value(content).map_err(ReceiptError::Field)?;
        if computed != checksum {
            return Err(ReceiptError::Checksum { checksum, computed });
        }
        Ok(Opened {
            receipt,
            checksum,
            signature,
        })
    }

    /// Whether this build computes by the rules that the receipt names; tier and cache are the caller's to check.
    ///
    /// # Errors
    ///
    /// [`ReceiptError::Profile`] naming the rule that it does not know.
    pub fn check_rules(&self) -> Result<(), ReceiptError> {
        let Numerics {
            tier,
            logits,
            arithmetic,
            sampling,
            ..
        } = &self.numerics;
        let known = [
            ("arithmetic", arithmetic, ARITHMETIC),
            ("sampling", sampling, fidelis_engine::sample::SPECIFICATION),
            ("type of logits", logits, logits_type(tier)),
        ];
        match known.into_iter().find(|(_, found, known)| found != known) {
            None => Ok(()),
            Some((what, found, known)) => Err(ReceiptError::Profile {
                what,
                found: found.clone(),
                known: known.to_owned(),
            }),
        }
    }
}

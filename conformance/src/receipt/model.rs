//! Digests that name a model, and where two models part.

use super::digest::Digest;
use fidelis_engine::gguf::{Gguf, Value};
use fidelis_engine::tensor::Tensor;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;

/// A part of the model file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileDigest {
    /// Its length.
    pub bytes: u64,
    /// Of the whole part, header included; what `b3sum` prints.
    pub digest: Digest,
}

/// A tensor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TensorDigest {
    /// Its name.
    pub name: String,
    /// GGML's name of its format.
    pub format: String,
    /// Its dimensions, fastest first, such as `[256, 128]`.
    pub shape: String,
    /// Of its bytes as stored.
    pub digest: Digest,
}

/// Everything that makes one model differ from another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelDigests {
    /// All parts, in order.
    pub files: Vec<FileDigest>,
    /// All tensors, in the file's order.
    pub tensors: Vec<TensorDigest>,
    /// Of the metadata whose keys begin with `tokenizer.`, but for the template.
    pub tokenizer: Digest,
    /// Of the chat template's text, if there is one.
    pub chat_template: Option<Digest>,
    /// Of all other metadata.
    pub metadata: Digest,
}

/// Where a model parts from the receipt's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ModelDifference {
    /// A tensor has other bytes.
    #[error("tensor {tensor} has other bytes (first tensor that differs)")]
    Bytes {
        /// Its name.
        tensor: String,
    },
    /// A tensor is stored in another way.
    #[error(
        "tensor {tensor} is {found}, but {expected} in the receipt (first tensor that differs)"
    )]
    Stored {
        /// Its name.
        tensor: String,
        /// Format and shape in the receipt.
        expected: String,
        /// Format and shape in the file.
        found: String,
    },
    /// The file lacks a tensor.
    #[error("tensor {tensor} is missing (first tensor that differs)")]
    Missing {
        /// Its name.
        tensor: String,
    },
    /// The file has a tensor too many.
    #[error("tensor {tensor} is not in the receipt (first tensor that differs)")]
    Extra {
        /// Its name.
        tensor: String,
    },
    /// The tensors agree.
    #[error("same tensors, other metadata ({what})")]
    Metadata {
        /// What differs.
        what: &'static str,
    },
}

const TEMPLATE: &str = "tokenizer.chat_template";

impl ModelDigests {
    /// The digests of a model whose file has these parts, by all threads of the pool.
    pub fn new(parts: &[&[u8]], gguf: &Gguf<'_>) -> Self {
        let file = |part: &&[u8]| FileDigest {
            bytes: part.len() as u64,
            digest: Digest::of_large(part),
        };
        let template = gguf.get(TEMPLATE).and_then(|value| match value {
            Value::Str(text) => Some(Digest::of(text.as_bytes())),
            _ => None,
        });
        let is_tokenizer = |key: &str| key.starts_with("tokenizer.");
        Self {
            files: parts.iter().map(file).collect(),
            tensors: gguf.tensors().par_iter().map(tensor).collect(),
            tokenizer: metadata(gguf, |key| is_tokenizer(key) && key != TEMPLATE),
            chat_template: template,
            metadata: metadata(gguf, |key| !is_tokenizer(key)),
        }
    }

    /// Checks that `found` is the model of this receipt, down to the last byte of its files.
    ///
    /// # Errors
    ///
    /// [`ModelDifference`] with the first tensor, in the receipt's order, that differs; or with what else does.
    pub fn check(&self, found: &Self) -> Result<(), ModelDifference> {
        let by_name = |tensors: &[TensorDigest]| -> HashMap<String, TensorDigest> {
            let pair = |tensor: &TensorDigest| (tensor.name.clone(), tensor.clone());
            tensors.iter().map(pair).collect()
        };
        let there = by_name(&found.tensors);
        for expected in &self.tensors {
            let tensor = expected.name.clone();
            match there.get(&expected.name) {
                Some(found) if found == expected => {}
                Some(found) if found.stored() == expected.stored() => {
                    return Err(ModelDifference::Bytes { tensor });
                }
                Some(found) => {
                    return Err(ModelDifference::Stored {
                        tensor,
                        expected: expected.stored(),
                        found: found.stored(),
                    });
                }
                None => return Err(ModelDifference::Missing { tensor }),
            }
        }
        let known = by_name(&self.tensors);
        if let Some(extra) = found.tensors.iter().find(|t| !known.contains_key(&t.name)) {
            return Err(ModelDifference::Extra {
                tensor: extra.name.clone(),
            });
        }
        let what = if self.tokenizer != found.tokenizer {
            "the tokenizer"
        } else if self.chat_template != found.chat_template {
            "the chat template"
        } else if self.metadata != found.metadata {
            "keys of the model"
        } else if self != found {
            "the layout of the file"
        } else {
            return Ok(());
        };
        Err(ModelDifference::Metadata { what })
    }
}

impl TensorDigest {
    fn stored(&self) -> String {
        format!("{} {}", self.format, self.shape)
    }
}

fn tensor(tensor: &Tensor<'_>) -> TensorDigest {
    TensorDigest {
        name: tensor.name.to_owned(),
        format: tensor.format.name().to_owned(),
        shape: tensor.shape.to_string(),
        digest: Digest::of_large(tensor.bytes),
    }
}

/// The digest of the wanted metadata, in the order of the keys, as GGUF writes it: a 64-bit length and the
/// text, the type's number in 32 bits, the value; of an array the elements' type, their number in 64 bits, the elements.
fn metadata(gguf: &Gguf<'_>, wanted: impl Fn(&str) -> bool) -> Digest {
    let mut pairs: Vec<_> = gguf.metadata().filter(|(key, _)| wanted(key)).collect();
    pairs.sort_by_key(|(key, _)| *key);
    let mut bytes = Vec::new();
    for (key, value) in pairs {
        add_text(&mut bytes, key);
        bytes.extend((value.kind() as u32).to_le_bytes());
        add_value(&mut bytes, value);
    }
    Digest::of_large(&bytes)
}

fn add_text(bytes: &mut Vec<u8>, text: &str) {
    bytes.extend((text.len() as u64).to_le_bytes());
    bytes.extend(text.as_bytes());
}

fn add_value(bytes: &mut Vec<u8>, value: &Value<'_>) {
    match value {
        Value::U8(x) => bytes.extend(x.to_le_bytes()),
        Value::I8(x) => bytes.extend(x.to_le_bytes()),
        Value::U16(x) => bytes.extend(x.to_le_bytes()),
        Value::I16(x) => bytes.extend(x.to_le_bytes()),
        Value::U32(x) => bytes.extend(x.to_le_bytes()),
        Value::I32(x) => bytes.extend(x.to_le_bytes()),
        Value::F32(x) => bytes.extend(x.to_le_bytes()),
        Value::Bool(x) => bytes.push(u8::from(*x)),
        Value::Str(text) => add_text(bytes, text),
        Value::U64(x) => bytes.extend(x.to_le_bytes()),
        Value::I64(x) => bytes.extend(x.to_le_bytes()),
        Value::F64(x) => bytes.extend(x.to_le_bytes()),
        Value::Array(array) => {
            bytes.extend((array.kind() as u32).to_le_bytes());
            bytes.extend((array.len() as u64).to_le_bytes());
            array.values().for_each(|value| add_value(bytes, &value));
        }
    }
}

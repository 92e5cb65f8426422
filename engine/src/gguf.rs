//! GGUF files: names, metadata and the byte ranges of tensors.
//!
//! Everything is borrowed from the file's bytes; nothing is copied, decoded or repacked. Arrays of
//! metadata are stepped over when the file is read and decoded when they are asked for.

mod cursor;
mod error;
mod file;
mod foreign;
pub mod guard;
#[cfg_attr(not(feature = "mmap"), path = "gguf/map_absent.rs")]
mod map;
mod parse;
mod value;
mod write;

pub use error::GgufError;
pub use file::File;
pub use value::{Array, Kind, Value};
pub use write::{OwnedValue, Writer};

use crate::tensor::Tensor;
use std::collections::HashMap;

/// The parsed headers of a file, or of all parts of a split file.
#[derive(Debug)]
pub struct Gguf<'a> {
    version: u32,
    metadata: Vec<(&'a str, Value<'a>)>,
    keys: HashMap<&'a str, usize>,
    tensors: Vec<Tensor<'a>>,
    names: HashMap<&'a str, usize>,
}

impl<'a> Gguf<'a> {
    /// Reads a file that is not split.
    ///
    /// # Errors
    ///
    /// [`GgufError`] naming the byte, key or tensor at fault.
    pub fn read(bytes: &'a [u8]) -> Result<Self, GgufError> {
        Self::read_parts(&[bytes])
    }

    /// Reads the parts of a split file, in order; metadata comes from the first.
    ///
    /// # Errors
    ///
    /// As [`Self::read`].
    pub fn read_parts(parts: &[&'a [u8]]) -> Result<Self, GgufError> {
        let mut whole = Self {
            version: 0,
            metadata: Vec::new(),
            keys: HashMap::new(),
            tensors: Vec::new(),
            names: HashMap::new(),
        };
        for (index, bytes) in parts.iter().enumerate() {
            let part = parse::part(bytes)?;
            for tensor in part.tensors {
                if whole
                    .names
                    .insert(tensor.name, whole.tensors.len())
                    .is_some()
                {
                    return Err(GgufError::DuplicateTensor {
                        tensor: tensor.name.to_owned(),
                    });
                }
                whole.tensors.push(tensor);
            }
            if index == 0 {
                whole.version = part.version;
                whole.keys = part
                    .metadata
                    .iter()
                    .enumerate()
                    .map(|(at, (key, _))| (*key, at))
                    .collect();
                whole.metadata = part.metadata;
            }
        }
        Ok(whole)
    }

    /// The version of the format: 2 or 3.
    pub fn version(&self) -> u32 {
        self.version
    }

    /// The value of `key`.
    pub fn get(&self, key: &str) -> Option<&Value<'a>> {
        self.keys.get(key).map(|&index| &self.metadata[index].1)
    }

    /// Keys and values, in the file's order.
    pub fn metadata(&self) -> impl Iterator<Item = (&'a str, &Value<'a>)> {
        self.metadata.iter().map(|(key, value)| (*key, value))
    }

    /// The tensors, in the file's order.
    pub fn tensors(&self) -> &[Tensor<'a>] {
        &self.tensors
    }

    /// The tensor called `name`.
    pub fn tensor(&self, name: &str) -> Option<&Tensor<'a>> {
        self.names.get(name).map(|&index| &self.tensors[index])
    }

    /// An unsigned integer, of whatever width it was written; `None` if the key is absent.
    ///
    /// # Errors
    ///
    /// [`GgufError::WrongKind`] if the value is not an integer or does not fit.
    pub fn u32(&self, key: &str) -> Result<Option<u32>, GgufError> {
        self.typed(key, "an unsigned 32-bit integer", |value| {
            value.as_u64().and_then(|x| u32::try_from(x).ok())
        })
    }

    /// A float; `None` if the key is absent.
    ///
    /// # Errors
    ///
    /// [`GgufError::WrongKind`] if the value is not a number.
    pub fn f32(&self, key: &str) -> Result<Option<f32>, GgufError> {
        self.typed(key, "a number", |value| value.as_f64().map(|x| x as f32))
    }

    /// A truth value; `None` if the key is absent.
    ///
    /// # Errors
    ///
    /// [`GgufError::WrongKind`] if the value is something else.
    pub fn bool(&self, key: &str) -> Result<Option<bool>, GgufError> {
        self.typed(key, "a truth value", |value| {
            if let Value::Bool(x) = value {
                Some(*x)
            } else {
                None
            }
        })
    }

    /// A string; `None` if the key is absent.
    ///
    /// # Errors
    ///
    /// [`GgufError::WrongKind`] if the value is something else.
    pub fn str(&self, key: &str) -> Result<Option<&'a str>, GgufError> {
        self.typed(key, "a string", |value| {
            if let Value::Str(x) = value {
                Some(*x)
            } else {
                None
            }
        })
    }

    /// An array; `None` if the key is absent.
    ///
    /// # Errors
    ///
    /// [`GgufError::WrongKind`] if the value is something else.
    pub fn array(&self, key: &str) -> Result<Option<Array<'a>>, GgufError> {
        self.typed(key, "an array", |value| {
            if let Value::Array(x) = value {
                Some(*x)
            } else {
                None
            }
        })
    }

    fn typed<T>(
        &self,
        key: &str,
        wanted: &'static str,
        of: impl Fn(&Value<'a>) -> Option<T>,
    ) -> Result<Option<T>, GgufError> {
        let Some(value) = self.get(key) else {
            return Ok(None);
        };
        of(value).map(Some).ok_or_else(|| GgufError::WrongKind {
            key: key.to_owned(),
            wanted,
            found: value.kind(),
        })
    }
}

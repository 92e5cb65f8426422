//! The metadata under an architecture's name, with types and ranges checked.

use super::ModelError;
use crate::gguf::{Gguf, Value};

/// More layers, heads or elements than any model has; keeps products of two within bounds.
const MOST: usize = 1 << 24;

/// Metadata under an architecture's name.
#[derive(Clone, Copy)]
pub(super) struct Keys<'g, 'a> {
    pub(super) gguf: &'g Gguf<'a>,
    architecture: &'g str,
}

impl<'g, 'a> Keys<'g, 'a> {
    pub(super) fn new(gguf: &'g Gguf<'a>, architecture: &'g str) -> Self {
        Self { gguf, architecture }
    }

    pub(super) fn name(&self, key: &str) -> String {
        format!("{}.{key}", self.architecture)
    }

    /// A count of at least 1; an array of one count per layer counts if all are the same.
    pub(super) fn count(&self, key: &str) -> Result<Option<usize>, ModelError> {
        match self.count_or_zero(key)? {
            Some(0) => Err(self.impossible(key, 0, "it must be at least 1")),
            Some(count) if count > MOST => {
                Err(self.impossible(key, count, "no model is that large"))
            }
            count => Ok(count),
        }
    }

    pub(super) fn count_or_zero(&self, key: &str) -> Result<Option<usize>, ModelError> {
        let name = self.name(key);
        if let Some(Value::Array(array)) = self.gguf.get(&name) {
            let values = array.u32s().unwrap_or_default();
            return match values.first() {
                Some(first) if values.iter().all(|value| value == first) => {
                    Ok(Some(*first as usize))
                }
                _ => Err(self.impossible(
                    key,
                    "an array of different values",
                    "layers of different shape are not read",
                )),
            };
        }
        Ok(self.gguf.u32(&name)?.map(|count| count as usize))
    }

    pub(super) fn needed(&self, key: &str) -> Result<usize, ModelError> {
        self.count(key)?.ok_or_else(|| self.missing(key))
    }

    /// A finite number.
    fn number(&self, key: &str) -> Result<Option<f32>, ModelError> {
        match self.gguf.f32(&self.name(key))? {
            Some(x) if !x.is_finite() => Err(self.impossible(key, x, "it must be finite")),
            number => Ok(number),
        }
    }

    /// A finite number above 0.
    pub(super) fn positive(&self, key: &str) -> Result<Option<f32>, ModelError> {
        match self.number(key)? {
            Some(x) if x <= 0.0 => Err(self.impossible(key, x, "it must be positive")),
            number => Ok(number),
        }
    }

    /// A finite number above 0, where 0 says the same as no key.
    pub(super) fn positive_or_zero(&self, key: &str) -> Result<Option<f32>, ModelError> {
        match self.number(key)? {
            Some(x) if x < 0.0 => Err(self.impossible(key, x, "it must not be negative")),
            number => Ok(number.filter(|&x| x > 0.0)),
        }
    }

    pub(super) fn text(&self, key: &str) -> Result<Option<&'a str>, ModelError> {
        Ok(self.gguf.str(&self.name(key))?)
    }

    pub(super) fn missing(&self, key: &str) -> ModelError {
        ModelError::missing(&self.name(key))
    }

    pub(super) fn impossible(
        &self,
        key: &str,
        found: impl ToString,
        wanted: &'static str,
    ) -> ModelError {
        ModelError::impossible(&self.name(key), found, wanted)
    }
}

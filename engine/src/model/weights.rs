//! Every tensor of the file, each to be used exactly once.

use super::ModelError;
use crate::gguf::Gguf;
use crate::shape::Shape;
use crate::tensor::Tensor;
use fidelis_simd::Format;
use std::collections::HashSet;

/// The tensors of a file, and which are in use.
pub(super) struct Weights<'g, 'a> {
    gguf: &'g Gguf<'a>,
    used: HashSet<&'a str>,
}

impl<'g, 'a> Weights<'g, 'a> {
    pub(super) fn new(gguf: &'g Gguf<'a>) -> Self {
        Self {
            gguf,
            used: HashSet::new(),
        }
    }

    /// Whether the file has `name`.
    pub(super) fn has(&self, name: &str) -> bool {
        self.gguf.tensor(name).is_some()
    }

    /// Takes `name`, which must have this shape.
    pub(super) fn take(&mut self, name: &str, wanted: Shape) -> Result<Tensor<'a>, ModelError> {
        let tensor = *self
            .gguf
            .tensor(name)
            .ok_or_else(|| ModelError::MissingTensor {
                tensor: name.to_owned(),
            })?;
        if tensor.shape != wanted {
            return Err(ModelError::Shape {
                tensor: name.to_owned(),
                found: tensor.shape,
                wanted,
            });
        }
        self.used.insert(tensor.name);
        Ok(tensor)
    }

    /// Takes `name` as a vector of `len` numbers in `F32`, for use while the graph is built.
    pub(super) fn numbers(&mut self, name: &str, len: usize) -> Result<Vec<f64>, ModelError> {
        let tensor = self.take(name, Shape::vector(len))?;
        if tensor.format != Format::F32 {
            return Err(ModelError::impossible(
                name,
                tensor.format,
                "it must be F32",
            ));
        }
        let floats = tensor.bytes.as_chunks::<4>().0;
        let numbers: Vec<f64> = floats
            .iter()
            .map(|bytes| f32::from_le_bytes(*bytes).into())
            .collect();
        match numbers.iter().find(|x| !(x.is_finite() && **x > 0.0)) {
            Some(bad) => Err(ModelError::impossible(
                name,
                bad,
                "its values must be positive and finite",
            )),
            None => Ok(numbers),
        }
    }

    /// Checks that nothing is left over.
    pub(super) fn finish(self) -> Result<(), ModelError> {
        let mut left = self
            .gguf
            .tensors()
            .iter()
            .filter(|tensor| !self.used.contains(tensor.name));
        let Some(first) = left.next() else {
            return Ok(());
        };
        Err(ModelError::Unused {
            tensor: first.name.to_owned(),
            count: 1 + left.count(),
        })
    }
}

//! Recordings as safetensors files.

use super::{Provenance, Recording, RecordingError, Tensor};
use crate::receipt::{Digest, write_atomically};
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};
use std::collections::{BTreeMap, HashMap};
use std::path::Path;

impl Recording {
    /// The bytes of a safetensors file. Tensors whose values all are singles are written as f32.
    ///
    /// # Errors
    ///
    /// [`RecordingError`] if the file would be malformed.
    pub fn to_bytes(&self) -> Result<Vec<u8>, RecordingError> {
        let ids: Vec<u8> = (self.tokens.iter())
            .flat_map(|id| id.to_le_bytes())
            .collect();
        let mut stored = vec![("tokens", Dtype::I32, vec![self.tokens.len()], ids)];
        for (name, tensor) in &self.tensors {
            let single = tensor.values.iter().all(|&x| f64::from(x as f32) == x);
            let (dtype, bytes) = if single {
                let bytes = (tensor.values.iter()).flat_map(|&x| (x as f32).to_le_bytes());
                (Dtype::F32, bytes.collect())
            } else {
                let bytes = tensor.values.iter().flat_map(|x| x.to_le_bytes());
                (Dtype::F64, bytes.collect())
            };
            stored.push((name, dtype, tensor.shape.clone(), bytes));
        }
        let views = stored
            .iter()
            .map(|(name, dtype, shape, bytes)| {
                Ok((*name, TensorView::new(*dtype, shape.clone(), bytes)?))
            })
            .collect::<Result<Vec<_>, RecordingError>>()?;
        Ok(safetensors::serialize(views, Some(self.metadata()))?)
    }

    fn metadata(&self) -> HashMap<String, String> {
        let p = &self.provenance;
        let steps: Vec<String> = self.steps.iter().map(ToString::to_string).collect();
        let model = p.model.map(|digest| digest.to_string()).unwrap_or_default();
        let mut all: HashMap<String, String> = [
            ("engine", p.engine.clone()),
            ("version", p.version.clone()),
            ("tier", p.tier.clone()),
            ("cache", p.cache.clone()),
            ("level", p.level.clone()),
            ("stored", p.stored.clone()),
            ("model", model),
            ("steps", steps.join(",")),
        ]
        .into_iter()
        .map(|(key, value)| (key.to_owned(), value))
        .filter(|(_, value)| !value.is_empty())
        .collect();
        for (name, tensor) in self.tensors.iter().filter(|(_, tensor)| tensor.first > 0) {
            all.insert(format!("first.{name}"), tensor.first.to_string());
        }
        all
    }

    /// Writes a file, whole or not at all.
    ///
    /// # Errors
    ///
    /// [`RecordingError::Io`] if the system refuses.
    pub fn save(&self, path: &Path) -> Result<(), RecordingError> {
        write_atomically(path, self.to_bytes()?).map_err(Box::new)?;
        Ok(())
    }

    /// Reads a file.
    ///
    /// # Errors
    ///
    /// [`RecordingError`] with what is wrong and how to record it right.
    pub fn load(path: &Path) -> Result<Self, RecordingError> {
        Self::from_bytes(&std::fs::read(path)?)
    }

    /// Reads the bytes of a safetensors file.
    ///
    /// # Errors
    ///
    /// As [`Self::load`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, RecordingError> {
        Self::from_bytes_with(bytes, None)
    }

    /// The same of a file that may lack its ids, if they are given.
    pub(crate) fn from_bytes_with(
        bytes: &[u8],
        given: Option<&[u32]>,
    ) -> Result<Self, RecordingError> {
        let (_, header) = SafeTensors::read_metadata(bytes)?;
        let metadata = header.metadata().clone().unwrap_or_default();
        let file = SafeTensors::deserialize(bytes)?;
        let mut tensors = BTreeMap::new();
        for (name, view) in file.iter() {
            let key = format!("first.{name}");
            let first = metadata.get(&key).map(|text| number(&key, text));
            let tensor = Tensor {
                shape: view.shape().to_vec(),
                first: first.transpose()?.unwrap_or(0),
                values: numbers(name, view.dtype(), view.data())?,
            };
            tensors.insert(name.to_owned(), tensor);
        }
        let tokens = ids_of(&mut tensors, given)?;
        let mut recording = Self::checked(tokens, tensors)?;
        recording.provenance = provenance(&metadata)?;
        let tokens = &recording.tokens;
        let steps = match metadata.get("steps") {
            None => vec![tokens.len()],
            Some(text) => (text.split(','))
                .map(|part| number("steps", part))
                .collect::<Result<Vec<usize>, _>>()?,
        };
        let sum = steps.iter().fold(0_usize, |sum, &n| sum.saturating_add(n));
        if sum != tokens.len() || steps.contains(&0) {
            return Err(RecordingError::Steps {
                sum,
                tokens: tokens.len(),
            });
        }
        recording.steps = steps;
        Ok(recording)
    }

    /// A recording in one step of which every value is finite, and which has some.
    pub(crate) fn checked(
        tokens: Vec<u32>,
        tensors: BTreeMap<String, Tensor>,
    ) -> Result<Self, RecordingError> {
        if tensors.is_empty() {
            return Err(RecordingError::Empty);
        }
        for (name, tensor) in &tensors {
            if let Some(index) = tensor.values.iter().position(|x| !x.is_finite()) {
                return Err(RecordingError::NonFinite {
                    tensor: name.clone(),
                    index,
                    value: tensor.values[index],
                });
            }
        }
        Ok(Self {
            steps: vec![tokens.len()],
            tokens,
            tensors,
            provenance: Provenance::default(),
        })
    }
}

/// Takes the ids out of the tensors, or those that were given.
pub(crate) fn ids_of(
    tensors: &mut BTreeMap<String, Tensor>,
    given: Option<&[u32]>,
) -> Result<Vec<u32>, RecordingError> {
    let names = ["tokens", "inp_tokens", "input_ids"];
    let recorded = names.iter().find_map(|name| tensors.remove(*name));
    match (recorded, given) {
        (Some(tensor), _) => ids(&tensor.values),
        (None, Some(given)) => Ok(given.to_vec()),
        (None, None) => Err(RecordingError::NoTokens),
    }
}

fn number(key: &str, text: &str) -> Result<usize, RecordingError> {
    text.trim().parse().map_err(|_| RecordingError::Metadata {
        key: key.to_owned(),
        found: text.to_owned(),
        wanted: "a count",
    })
}

fn provenance(metadata: &HashMap<String, String>) -> Result<Provenance, RecordingError> {
    let text = |key: &str| metadata.get(key).cloned().unwrap_or_default();
    let model = match metadata.get("model") {
        None => None,
        Some(digits) => {
            Some(
                Digest::try_from(digits.clone()).map_err(|_| RecordingError::Metadata {
                    key: "model".to_owned(),
                    found: digits.clone(),
                    wanted: "a BLAKE3 digest of 64 hexadecimal digits",
                })?,
            )
        }
    };
    Ok(Provenance {
        engine: text("engine"),
        version: text("version"),
        model,
        tier: text("tier"),
        cache: text("cache"),
        level: text("level"),
        stored: text("stored"),
    })
}

pub(crate) fn ids(values: &[f64]) -> Result<Vec<u32>, RecordingError> {
    let id = |(index, &x): (usize, &f64)| {
        // A float that is no id is not equal to its conversion.
        let id = x as u32;
        (f64::from(id) == x)
            .then_some(id)
            .ok_or(RecordingError::NotIds { index })
    };
    if values.is_empty() {
        return Err(RecordingError::NotIds { index: 0 });
    }
    values.iter().enumerate().map(id).collect()
}

/// Numbers of any type that engines record.
pub(crate) fn numbers(name: &str, dtype: Dtype, bytes: &[u8]) -> Result<Vec<f64>, RecordingError> {
    let two = || bytes.as_chunks::<2>().0.iter();
    let four = || bytes.as_chunks::<4>().0.iter();
    let eight = || bytes.as_chunks::<8>().0.iter();
    Ok(match dtype {
        Dtype::F64 => eight().map(|b| f64::from_le_bytes(*b)).collect(),
        Dtype::F32 => four().map(|b| f32::from_le_bytes(*b).into()).collect(),
        Dtype::F16 => two()
            .map(|b| half::f16::from_le_bytes(*b).to_f64_const())
            .collect(),
        Dtype::BF16 => two()
            .map(|b| f32::from_bits(u32::from(u16::from_le_bytes(*b)) << 16).into())
            .collect(),
        Dtype::I32 => four().map(|b| i32::from_le_bytes(*b).into()).collect(),
        Dtype::U32 => four().map(|b| u32::from_le_bytes(*b).into()).collect(),
        Dtype::I64 => eight().map(|b| i64::from_le_bytes(*b) as f64).collect(),
        other => {
            return Err(RecordingError::Type {
                tensor: name.to_owned(),
                found: format!("{other:?}"),
            });
        }
    })
}

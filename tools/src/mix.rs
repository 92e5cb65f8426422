//! Which format each tensor of a file gets.

use anyhow::{Context, Result};
use fidelis_engine::shape::Shape;
use fidelis_simd::Format;
use fidelis_simd::encode::mix::{Mix, ModelFacts, TensorFacts, assign};

/// What the user asked for: one of llama.cpp's mixes, or one format for all matrices.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Choice {
    /// Better formats where errors hurt most.
    Mix(Mix),
    /// The same for every matrix whose rows fill its blocks.
    Pure(Format),
}

/// A tensor before its format is chosen.
pub(crate) struct Candidate<'a> {
    pub(crate) name: &'a str,
    pub(crate) shape: Shape,
    pub(crate) format: Format,
}

impl Choice {
    /// A mix or format by name; `pure` asks for the format alone.
    pub(crate) fn named(name: &str, pure: bool) -> Result<Self> {
        let mix = Mix::named(name);
        match (mix, pure) {
            (Some(mix), false) => Ok(Self::Mix(mix)),
            (Some(mix), true) => Ok(Self::Pure(mix.base())),
            (None, _) => {
                let known = || {
                    let mixes: Vec<&str> = Mix::ALL.iter().map(|mix| mix.name()).collect();
                    format!(
                        "no format or mix is called {name:?}; the mixes are {}",
                        mixes.join(", ")
                    )
                };
                Format::named(name).map(Self::Pure).with_context(known)
            }
        }
    }

    /// `general.file_type`, if llama.cpp has a number for it.
    pub(crate) fn file_type(self) -> Option<u32> {
        match self {
            Self::Mix(mix) => Some(mix.file_type()),
            Self::Pure(_) => None,
        }
    }

    /// The formats of the tensors, in their order.
    pub(crate) fn formats(self, model: &ModelFacts<'_>, tensors: &[Candidate<'_>]) -> Vec<Format> {
        match self {
            Self::Pure(format) => tensors.iter().map(|tensor| pure(format, tensor)).collect(),
            Self::Mix(mix) => {
                let facts: Vec<TensorFacts<'_>> = tensors
                    .iter()
                    .map(|tensor| TensorFacts {
                        name: tensor.name,
                        shape: used(&tensor.shape),
                        format: tensor.format,
                    })
                    .collect();
                assign(mix, model, &facts)
            }
        }
    }
}

/// The dimensions that a file would list.
fn used(shape: &Shape) -> &[usize] {
    &shape.0[..1 + shape.0.iter().rposition(|&n| n != 1).unwrap_or(0)]
}

fn pure(format: Format, tensor: &Candidate<'_>) -> Format {
    let is_matrix = tensor.shape.rows() > 1 && !tensor.name.contains("_norm");
    match format.bytes_of(tensor.shape.width()) {
        Some(_) if is_matrix => format,
        None if is_matrix => Format::F16,
        _ => Format::F32,
    }
}

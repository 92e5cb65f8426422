//! What must hold before a recording can be compared with a model.

use crate::receipt::Digest;
use crate::recording::{Recording, Tensor};
use crate::reference::{Node, Reference};
use fidelis_engine::graph::Op;

/// Why a recording cannot be compared with a model.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Refusal {
    /// It was made from another file.
    #[error(
        "it was made from another model: {found}, and this one is {wanted}; record again with this file"
    )]
    Model {
        /// The recording's.
        found: Digest,
        /// The model's.
        wanted: Digest,
    },
    /// It was made from other ids.
    #[error(
        "its ids differ from the first at index {index}: it has {found}, wanted is {wanted}; feed both engines the same ids, not the same text"
    )]
    Ids {
        /// Where.
        index: usize,
        /// The recording's, or that it ends.
        found: String,
        /// What it should be.
        wanted: String,
    },
    /// An id that the model has no embedding for.
    #[error("its id {id} at index {index} is not below the vocabulary's {vocabulary}")]
    Id {
        /// Where.
        index: usize,
        /// The id.
        id: u32,
        /// The model's rows.
        vocabulary: usize,
    },
    /// A tensor of another shape.
    #[error(
        "{name} has shape {found:?}, but this model's is {wanted}; record whole rows, one for each token"
    )]
    Shape {
        /// The checkpoint.
        name: String,
        /// The recording's.
        found: Vec<usize>,
        /// The model's.
        wanted: String,
    },
    /// No tensor bears a name that this model's graph has.
    #[error(
        "none of its {count} tensors is a checkpoint of this model; the first is {first:?}, and checkpoints are called {wanted:?}"
    )]
    Names {
        /// Tensors in all.
        count: usize,
        /// The first one's name.
        first: String,
        /// Some names that are known.
        wanted: Vec<String>,
    },
    /// A tensor without values.
    #[error("{name} is empty; record it after it was computed")]
    Empty {
        /// The checkpoint.
        name: String,
    },
}

/// A recording whose tensors all are checkpoints of a model, in its shapes.
#[derive(Clone, Debug)]
pub struct Accepted {
    /// The recording.
    pub recording: Recording,
    /// Tensors that are no checkpoints; they are not compared.
    pub ignored: Vec<String>,
}

/// Checks a recording against a model, and gives its tensors the shapes of the graph: `[tokens, width]`, or
/// `[heads, tokens, tokens]` for scores and probabilities.
///
/// # Errors
///
/// [`Refusal`] with what differs.
pub fn accept(
    reference: &Reference<'_, '_>,
    mut recording: Recording,
    model: Option<Digest>,
    ids: Option<&[u32]>,
) -> Result<Accepted, Refusal> {
    if let (Some(found), Some(wanted)) = (recording.provenance.model, model)
        && found != wanted
    {
        return Err(Refusal::Model { found, wanted });
    }
    same_ids(&recording.tokens, ids)?;
    if let Some(Op::Embed { table, .. }) = reference.graph.ops.first() {
        let vocabulary = reference.graph.weights[table.0 as usize].shape.rows();
        let beyond = |id: &u32| *id as usize >= vocabulary;
        if let Some(index) = recording.tokens.iter().position(beyond) {
            return Err(Refusal::Id {
                index,
                id: recording.tokens[index],
                vocabulary,
            });
        }
    }
    let mut ignored = Vec::new();
    let tokens = recording.tokens.len();
    let all = std::mem::take(&mut recording.tensors);
    for (name, tensor) in all {
        match reference.node(&name) {
            None => ignored.push(name),
            Some(node) => {
                let tensor = shaped(node, tensor, tokens)?;
                recording.tensors.insert(name, tensor);
            }
        }
    }
    if recording.tensors.is_empty() {
        return Err(Refusal::Names {
            count: ignored.len(),
            first: ignored.first().cloned().unwrap_or_default(),
            wanted: (reference.nodes.iter().take(3))
                .map(|node| node.name.clone())
                .collect(),
        });
    }
    Ok(Accepted { recording, ignored })
}

/// Refuses other ids than those wanted.
///
/// # Errors
///
/// [`Refusal::Ids`] with the first that differs.
pub fn same_ids(found: &[u32], wanted: Option<&[u32]>) -> Result<(), Refusal> {
    let Some(wanted) = wanted else {
        return Ok(());
    };
    let longest = found.len().max(wanted.len());
    let text = |ids: &[u32], index: usize| ids.get(index).map_or("none".to_owned(), u32::to_string);
    match (0..longest).find(|&at| found.get(at) != wanted.get(at)) {
        None => Ok(()),
        Some(index) => Err(Refusal::Ids {
            index,
            found: text(found, index),
            wanted: text(wanted, index),
        }),
    }
}

fn shaped(node: &Node, mut tensor: Tensor, tokens: usize) -> Result<Tensor, Refusal> {
    // A batch of one.
    let dimensions = if node.is_square() { 3 } else { 2 };
    while tensor.shape.len() > dimensions && tensor.shape[0] == 1 {
        tensor.shape.remove(0);
    }
    let wrong = |wanted: String| Refusal::Shape {
        name: node.name.clone(),
        found: tensor.shape.clone(),
        wanted,
    };
    if tensor.values.is_empty() {
        return Err(Refusal::Empty {
            name: node.name.clone(),
        });
    }
    if node.is_square() {
        let wanted = || wrong(format!("[{}, {tokens}, {tokens} or more]", node.width));
        let positions = tensor.width();
        let rows = node.width * tokens;
        let shape = match tensor.shape[..] {
            [heads, rows, _] => heads == node.width && rows == tokens,
            [rows, _] => node.width == 1 && rows == tokens,
            _ => false,
        };
        if !shape || positions < tokens || tensor.values.len() != rows * positions {
            return Err(wanted());
        }
        // Engines pad the positions.
        let values = (tensor.values.chunks(positions))
            .flat_map(|row| row[..tokens].to_vec())
            .collect();
        return Ok(Tensor {
            shape: vec![node.width, tokens, tokens],
            first: 0,
            values,
        });
    }
    let rows = tensor.values.len() / node.width;
    // Heads may be a dimension of their own, and those of 1 may be left out.
    let outer = tensor.shape.first().copied().unwrap_or(1);
    let whole = rows * node.width == tensor.values.len() && (outer == rows || rows == 1);
    if !whole || rows + tensor.first > tokens {
        return Err(wrong(format!("[{tokens}, {}]", node.width)));
    }
    // llama.cpp leaves out rows at the beginning that nothing needs.
    let first = if tensor.first == 0 {
        tokens - rows
    } else {
        tensor.first
    };
    Ok(Tensor {
        shape: vec![rows, node.width],
        first,
        values: tensor.values,
    })
}

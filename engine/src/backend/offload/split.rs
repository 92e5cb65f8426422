//! Where a graph is divided between the CPU and a device.

use super::GpuLayers;
use super::error::OffloadError;
use crate::graph::{Graph, Op, TensorId};

/// The operations of the device are those from here to the end.
pub(super) struct Split {
    /// Index of the first operation on the device.
    pub(super) first: usize,
    /// What is handed over; `None`: token ids, for there is nothing before.
    pub(super) input: Option<TensorId>,
    layers: usize,
}

/// The place of each attention, which is what a layer is counted by.
fn attends(graph: &Graph<'_>) -> Vec<usize> {
    let is_attend = |(_, op): &(usize, &Op)| matches!(op, Op::Attend(_));
    let ops = graph.ops.iter().enumerate().filter(is_attend);
    ops.map(|(index, _)| index).collect()
}

/// Layers of a graph.
pub(super) fn layers(graph: &Graph<'_>) -> usize {
    attends(graph).len()
}

impl Split {
    /// # Errors
    ///
    /// [`OffloadError::NoLayers`] and [`OffloadError::Indivisible`].
    pub(super) fn new(graph: &Graph<'_>, layers: GpuLayers) -> Result<Self, OffloadError> {
        let attends = attends(graph);
        let front = match layers {
            GpuLayers::Last(0) => return Err(OffloadError::NoLayers),
            GpuLayers::Last(layers) => attends.len().saturating_sub(layers),
            GpuLayers::All => 0,
        };
        if front == 0 {
            return Ok(Self {
                first: 0,
                input: None,
                layers: attends.len(),
            });
        }
        // The last place between two attentions that a single activation crosses is where one layer ends and the next begins.
        let places = attends[front - 1] + 1..=attends[front];
        let cut = places.rev().find_map(|first| {
            crossing(graph, first).map(|input| Self {
                first,
                input: Some(input),
                layers: attends.len() - front,
            })
        });
        cut.ok_or(OffloadError::Indivisible { layer: front })
    }

    /// Layers on the device.
    pub(super) fn layers(&self) -> usize {
        self.layers
    }

    /// The operations before, as a graph of their own; `None` if there are none.
    pub(super) fn front<'a>(&self, graph: &Graph<'a>) -> Option<Graph<'a>> {
        let input = self.input?;
        let mut front = Graph {
            ops: graph.ops[..self.first].to_vec(),
            logits: input,
            caches: vec![],
            ..graph.clone()
        };
        for op in &mut front.ops {
            if let Op::Attend(attend) = op {
                front.caches.push(graph.caches[attend.cache].clone());
                attend.cache = front.caches.len() - 1;
            }
        }
        Some(front)
    }
}

/// The one activation that operations before `first` write and later ones read.
fn crossing(graph: &Graph<'_>, first: usize) -> Option<TensorId> {
    let (before, after) = graph.ops.split_at(first);
    let mut written = vec![false; graph.activations.len()];
    for op in before {
        written[op.out().0 as usize] = true;
    }
    let read = after.iter().flat_map(Op::reads);
    let mut crossing: Vec<TensorId> = read.filter(|id| written[id.0 as usize]).collect();
    crossing.sort_unstable_by_key(|id| id.0);
    crossing.dedup();
    match crossing[..] {
        [one] => Some(one),
        _ => None,
    }
}

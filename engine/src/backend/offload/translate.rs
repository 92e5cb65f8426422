//! The graph as the contract's records.

use super::error::{OffloadError, Place};
use super::split::Split;
use super::{Shown, Sizes};
use crate::graph::{Activate, Cache, Graph, Op, Pairing, TensorId, WeightId};
use crate::tensor::Tensor;
use fidelis_abi as abi;
use std::marker::PhantomData;

/// Some of a list, numbered anew in the order of their first use.
struct Used {
    /// The new number of each, or [`abi::NONE`].
    numbers: Vec<u32>,
    /// The old number of each in use.
    order: Vec<usize>,
}

impl Used {
    fn of(count: usize) -> Self {
        Self {
            numbers: vec![abi::NONE; count],
            order: vec![],
        }
    }

    fn number(&mut self, old: usize) -> u32 {
        if self.numbers[old] == abi::NONE {
            self.numbers[old] = self.order.len() as u32;
            self.order.push(old);
        }
        self.numbers[old]
    }
}

/// The device's part of a graph.
pub(super) struct Part<'g, 'a> {
    ops: Vec<abi::Op>,
    activations: Vec<abi::Activation>,
    names: Vec<&'g str>,
    /// The weights in use.
    pub(super) tensors: Vec<Tensor<'a>>,
    ropes: Vec<abi::Rope>,
    caches: Vec<abi::Cache>,
    input: u32,
    output: u32,
    context: u32,
    batch: u32,
    output_rows: u32,
    tier: abi::Tier,
    /// What messages call the operations.
    pub(super) places: Vec<Place>,
    /// The rotary tables' frequencies are the graph's.
    graph: PhantomData<&'g Graph<'a>>,
}

/// A number as the contract has it.
fn small(what: &'static str, value: usize) -> Result<u32, OffloadError> {
    u32::try_from(value)
        .ok()
        .filter(|&value| value != abi::NONE)
        .ok_or(OffloadError::TooLarge { what, value })
}

/// Numbers things while operations are translated.
struct Translation {
    activations: Used,
    weights: Used,
    ropes: Used,
    caches: Used,
}

impl<'g, 'a> Part<'g, 'a> {
    /// Translates the operations from the split on.
    ///
    /// # Errors
    ///
    /// [`OffloadError::TooLarge`].
    pub(super) fn new(
        graph: &'g Graph<'a>,
        split: &Split,
        sizes: &Sizes,
    ) -> Result<Self, OffloadError> {
        let mut t = Translation {
            activations: Used::of(graph.activations.len()),
            weights: Used::of(graph.weights.len()),
            ropes: Used::of(graph.ropes.len()),
            caches: Used::of(graph.caches.len()),
        };
        let input = split.input.map(|id| t.activation(id));
        let ops = &graph.ops[split.first..];
        let translated: Vec<abi::Op> = ops.iter().map(|op| t.op(op)).collect::<Result<_, _>>()?;
        let output = t.activation(graph.logits);
        let flags = if sizes.observe {
            abi::Activation::OBSERVED
        } else {
            0
        };
        let activations = t.activations.order.iter();
        let used = activations.map(|&id| &graph.activations[id]);
        Ok(Self {
            ops: translated,
            activations: used
                .clone()
                .map(|activation| {
                    let width = small("an activation's width", activation.width)?;
                    Ok(abi::Activation { width, flags })
                })
                .collect::<Result<_, _>>()?,
            names: used.map(|activation| activation.name.as_str()).collect(),
            tensors: t
                .weights
                .order
                .iter()
                .map(|&id| graph.weights[id])
                .collect(),
            ropes: t
                .ropes
                .order
                .iter()
                .map(|&id| rope(&graph.ropes[id]))
                .collect::<Result<_, _>>()?,
            caches: t
                .caches
                .order
                .iter()
                .map(|&id| cache(&graph.caches[id], sizes))
                .collect::<Result<_, _>>()?,
            input: input.unwrap_or(abi::NONE),
            output,
            context: small("the context", sizes.context)?,
            batch: small("the batch", sizes.batch)?,
            output_rows: small("the batch", sizes.output_rows)?,
            tier: sizes.tier,
            places: ops.iter().map(|op| Place::new(graph, op)).collect(),
            graph: PhantomData,
        })
    }

    /// The description, with the ids that uploading gave; it borrows all it points to from `self` and `weights`.
    pub(super) fn description(&self, weights: &[abi::Weight]) -> abi::Description {
        abi::Description {
            ops: self.ops.as_ptr(),
            activations: self.activations.as_ptr(),
            weights: weights.as_ptr(),
            ropes: self.ropes.as_ptr(),
            caches: self.caches.as_ptr(),
            op_count: self.ops.len() as u32,
            activation_count: self.activations.len() as u32,
            weight_count: weights.len() as u32,
            rope_count: self.ropes.len() as u32,
            cache_count: self.caches.len() as u32,
            context: self.context,
            batch: self.batch,
            output_rows: self.output_rows,
            input: self.input,
            output: self.output,
            tier: self.tier,
            reserved: 0,
        }
    }

    /// The weights, with these ids or none.
    pub(super) fn weights(&self, ids: &[u64]) -> Vec<abi::Weight> {
        let ids = ids.iter().copied().chain(std::iter::repeat(0));
        let weights = self.tensors.iter().zip(ids);
        weights.map(|(tensor, id)| weight(tensor, id)).collect()
    }

    /// The intermediates that can be shown, in the order of their computation; the output is not among them.
    pub(super) fn shown(&self) -> Vec<Shown> {
        let is_attend = |op: &abi::Op| op.kind == abi::OpKind::ATTEND;
        let last = self.ops.iter().rposition(is_attend);
        let observed = |op: &&(usize, u32)| {
            self.activations[op.1 as usize].flags & abi::Activation::OBSERVED != 0
                && op.1 != self.output
        };
        let outs: Vec<(usize, u32)> = self.ops.iter().map(|op| op.out).enumerate().collect();
        let shown = outs.iter().filter(observed).map(|&(op, id)| Shown {
            name: self.names[id as usize].to_owned(),
            activation: id,
            width: self.activations[id as usize].width as usize,
            is_tail: last.is_some_and(|last| op > last),
        });
        shown.collect()
    }

    /// The output's name.
    pub(super) fn output_name(&self) -> &'g str {
        self.names[self.output as usize]
    }

    /// Elements of a row of the output.
    pub(super) fn output_width(&self) -> usize {
        self.activations[self.output as usize].width as usize
    }

    /// The smallest window of the part's layers.
    pub(super) fn smallest_window(&self) -> Option<usize> {
        let windows = self.caches.iter().map(|cache| cache.window as usize);
        windows.filter(|&window| window > 0).min()
    }

    /// Bytes of the weights.
    pub(super) fn bytes(&self) -> u64 {
        let bytes = self.tensors.iter().map(|tensor| tensor.bytes.len() as u64);
        bytes.sum()
    }
}

/// A tensor as the contract has it.
pub(super) fn weight(tensor: &Tensor<'_>, id: u64) -> abi::Weight {
    abi::Weight {
        id,
        rows: tensor.shape.rows() as u64,
        width: tensor.shape.width() as u64,
        format: tensor.format.id(),
        reserved: 0,
    }
}

fn rope(rope: &crate::graph::Rope) -> Result<abi::Rope, OffloadError> {
    Ok(abi::Rope {
        frequencies: rope.frequencies.as_ptr(),
        magnitude: rope.magnitude,
        pairs: small("a rotary table", rope.frequencies.len())?,
        pairing: match rope.pairing {
            Pairing::Interleaved => abi::Pairing::INTERLEAVED,
            Pairing::Halves => abi::Pairing::HALVES,
        },
    })
}

fn cache(cache: &Cache, sizes: &Sizes) -> Result<abi::Cache, OffloadError> {
    Ok(abi::Cache {
        heads: small("the heads", cache.heads)?,
        key_width: small("a key's width", cache.key_width)?,
        value_width: small("a value's width", cache.value_width)?,
        window: small("a window", cache.window.unwrap_or(0).min(sizes.context))?,
        format: sizes.cache.id(),
    })
}

impl Translation {
    fn activation(&mut self, TensorId(id): TensorId) -> u32 {
        self.activations.number(id as usize)
    }

    fn weight(&mut self, WeightId(id): WeightId) -> u32 {
        self.weights.number(id as usize)
    }

    fn op(&mut self, op: &Op) -> Result<abi::Op, OffloadError> {
        let [a, b, c] = {
            let mut reads = op.reads().into_iter().map(|id| self.activation(id));
            [(); 3].map(|()| reads.next().unwrap_or(abi::NONE))
        };
        let out = self.activation(op.out());
        let record = abi::Op {
            out,
            a,
            b,
            c,
            ..abi::Op::empty()
        };
        Ok(match op {
            Op::Embed { table, scale, .. } => abi::Op {
                kind: abi::OpKind::EMBED,
                weight: self.weight(*table),
                scale: *scale,
                ..record
            },
            Op::Norm {
                weight,
                epsilon,
                heads,
                ..
            } => abi::Op {
                kind: abi::OpKind::NORM,
                weight: self.weight(*weight),
                epsilon: *epsilon,
                heads: small("the heads", *heads)?,
                ..record
            },
            Op::MatMul { weight, first, .. } => abi::Op {
                kind: abi::OpKind::MAT_MUL,
                weight: self.weight(*weight),
                first: small("a row", *first)?,
                ..record
            },
            Op::Bias { bias, .. } => abi::Op {
                kind: abi::OpKind::BIAS,
                weight: self.weight(*bias),
                ..record
            },
            Op::Rope { heads, rope, .. } => abi::Op {
                kind: abi::OpKind::ROPE,
                heads: small("the heads", *heads)?,
                rope: self.ropes.number(rope.0 as usize),
                ..record
            },
            Op::Attend(attend) => abi::Op {
                kind: abi::OpKind::ATTEND,
                heads: small("the heads", attend.heads)?,
                cache: self.caches.number(attend.cache),
                scale: attend.query_scale,
                score_scale: attend.score_scale,
                cap: attend.soft_cap.unwrap_or(0.0),
                ..record
            },
            Op::Gate { activate, .. } => abi::Op {
                kind: abi::OpKind::GATE,
                activate: match activate {
                    Activate::Silu => abi::Activate::SILU,
                    Activate::GeluTanh => abi::Activate::GELU_TANH,
                },
                ..record
            },
            Op::Add { .. } => abi::Op {
                kind: abi::OpKind::ADD,
                ..record
            },
            Op::SoftCap { cap, .. } => abi::Op {
                kind: abi::OpKind::SOFT_CAP,
                cap: *cap,
                ..record
            },
        })
    }
}

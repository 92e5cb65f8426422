//! A model's computation as data: operations in order, each intermediate named and shaped.
//!
//! An architecture builds one [`Graph`]; a back end loads it once and runs it for every step.
//! Activations are `[tokens, width]`, one row per token of the step.

use crate::tensor::Tensor;

/// An intermediate of the graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TensorId(pub u32);

/// A weight of the graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct WeightId(pub u32);

/// A rotary table of the graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RopeId(pub u32);

/// An intermediate: `[tokens, width]`.
#[derive(Clone, Debug)]
pub struct Activation {
    /// The checkpoint's name, such as `blk.0.attn_q`.
    pub name: String,
    /// Values per token.
    pub width: usize,
}

/// Which elements of a head are rotated together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pairing {
    /// `(2 i, 2 i + 1)`: GGUF's `llama`.
    Interleaved,
    /// `(i, i + rotated / 2)`: GPT-NeoX, Gemma, Qwen, Phi.
    Halves,
}

/// The angles of one kind of layer.
#[derive(Clone, Debug)]
pub struct Rope {
    /// Radians per position, one for each rotated pair.
    pub frequencies: Vec<f64>,
    /// What sines and cosines are multiplied with; 1 unless the scaling says otherwise.
    pub magnitude: f64,
    /// Which elements form a pair.
    pub pairing: Pairing,
}

/// The non-linearity of a gated feed-forward block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activate {
    /// `x · σ(x)`.
    Silu,
    /// `x/2 · (1 + tanh(√(2/π) (x + 0.044715 x³)))`.
    GeluTanh,
}

/// The keys and values that one layer remembers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cache {
    /// Heads of keys and of values.
    pub heads: usize,
    /// Elements of a key.
    pub key_width: usize,
    /// Elements of a value.
    pub value_width: usize,
    /// How many positions a query sees, itself included; `None`: all.
    pub window: Option<usize>,
}

/// Attention of one layer; also writes the step's keys and values to the cache.
#[derive(Clone, Debug)]
pub struct Attend {
    /// `[tokens, heads · key_width]`.
    pub query: TensorId,
    /// `[tokens, cache.heads · key_width]`.
    pub key: TensorId,
    /// `[tokens, cache.heads · value_width]`.
    pub value: TensorId,
    /// The layer: an index into [`Graph::caches`].
    pub cache: usize,
    /// Query heads; a multiple of the cache's.
    pub heads: usize,
    /// Multiplies the query before the product with the keys.
    pub query_scale: f64,
    /// Multiplies the scores inside the softmax.
    pub score_scale: f64,
    /// `cap · tanh(score / cap)` before the softmax.
    pub soft_cap: Option<f32>,
    /// `[tokens, heads · value_width]`.
    pub out: TensorId,
    /// The name of the scores' checkpoint, `[heads, tokens, positions]`.
    pub scores: String,
    /// The name of the probabilities' checkpoint, `[heads, tokens, positions]`.
    pub probs: String,
}

/// One operation.
#[derive(Clone, Debug)]
pub enum Op {
    /// `out = scale · table[token]`.
    Embed {
        /// One row per token id.
        table: WeightId,
        /// Multiplies every value.
        scale: f64,
        /// The result.
        out: TensorId,
    },
    /// `out = x / √(mean x² + epsilon) · weight`, for each of `heads` equal parts of a row.
    Norm {
        /// What is read.
        input: TensorId,
        /// The weight.
        weight: WeightId,
        /// Added to the mean square.
        epsilon: f32,
        /// Equal parts of a row.
        heads: usize,
        /// The result.
        out: TensorId,
    },
    /// `out[j] = weight[first + j] · input`, for as many rows as `out` is wide.
    MatMul {
        /// What is read.
        input: TensorId,
        /// The weight.
        weight: WeightId,
        /// The first row of the weight in use.
        first: usize,
        /// The result.
        out: TensorId,
    },
    /// `out = input + bias`.
    Bias {
        /// What is read.
        input: TensorId,
        /// As wide as a row.
        bias: WeightId,
        /// The result.
        out: TensorId,
    },
    /// `out =` each of `heads` parts of a row turned by its position's angles; elements beyond the rotated ones pass.
    Rope {
        /// What is read.
        input: TensorId,
        /// Equal parts of a row.
        heads: usize,
        /// The angles.
        rope: RopeId,
        /// The result.
        out: TensorId,
    },
    /// See [`Attend`].
    Attend(Attend),
    /// `out = activate(gate) · up`.
    Gate {
        /// Goes through the activation.
        gate: TensorId,
        /// Is multiplied by it.
        up: TensorId,
        /// The activation.
        activate: Activate,
        /// The result.
        out: TensorId,
    },
    /// `out = a + b`.
    Add {
        /// One term.
        a: TensorId,
        /// The other term.
        b: TensorId,
        /// The result.
        out: TensorId,
    },
    /// `out = cap · tanh(input / cap)`.
    SoftCap {
        /// What is read.
        input: TensorId,
        /// The bound.
        cap: f32,
        /// The result.
        out: TensorId,
    },
}

/// A model's computation.
#[derive(Clone, Debug)]
pub struct Graph<'a> {
    /// The operations, in order.
    pub ops: Vec<Op>,
    /// The intermediates; [`TensorId`] is an index.
    pub activations: Vec<Activation>,
    /// The weights; [`WeightId`] is an index.
    pub weights: Vec<Tensor<'a>>,
    /// The rotary tables; [`RopeId`] is an index.
    pub ropes: Vec<Rope>,
    /// One per layer that remembers.
    pub caches: Vec<Cache>,
    /// The last intermediate: `[tokens, vocabulary]`.
    pub logits: TensorId,
}

impl Graph<'_> {
    /// Token ids are below this: the rows of the embedding.
    pub fn vocabulary(&self) -> usize {
        let table = self.ops.iter().find_map(|op| match op {
            Op::Embed { table, .. } => Some(self.weights[table.0 as usize].shape.rows()),
            _ => None,
        });
        table.unwrap_or(0)
    }
}

impl Op {
    /// What it reads.
    pub fn reads(&self) -> Vec<TensorId> {
        match self {
            Self::Embed { .. } => vec![],
            Self::Norm { input, .. }
            | Self::MatMul { input, .. }
            | Self::Rope { input, .. }
            | Self::Bias { input, .. }
            | Self::SoftCap { input, .. } => vec![*input],
            Self::Attend(attend) => vec![attend.query, attend.key, attend.value],
            Self::Gate { gate, up, .. } => vec![*gate, *up],
            Self::Add { a, b, .. } => vec![*a, *b],
        }
    }

    /// What it writes.
    pub fn out(&self) -> TensorId {
        match self {
            Self::Embed { out, .. }
            | Self::Norm { out, .. }
            | Self::MatMul { out, .. }
            | Self::Rope { out, .. }
            | Self::Bias { out, .. }
            | Self::SoftCap { out, .. }
            | Self::Gate { out, .. }
            | Self::Add { out, .. } => *out,
            Self::Attend(attend) => attend.out,
        }
    }
}

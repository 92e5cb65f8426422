//! The computation that a plan is made of: operations in order, everything by index.

use std::ops::Range;

/// How numbers are held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tier {
    /// Activations as bytes with a scale per 32, exact integer sums; the processor's order of float sums.
    Fast,
    /// Weights decoded to floats, activations in floats.
    F32,
}

/// How keys and values are remembered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CacheFormat {
    /// IEEE halves.
    F16,
    /// Floats.
    F32,
    /// Signed bytes with a scale, a float, per 32 elements.
    Q8_0,
}

impl CacheFormat {
    /// Elements in a word.
    pub fn pack(self) -> usize {
        match self {
            Self::F16 => 2,
            Self::F32 => 1,
            Self::Q8_0 => 4,
        }
    }

    /// Elements that a value is filled up to a multiple of.
    pub fn value_multiple(self) -> usize {
        match self {
            Self::F16 | Self::F32 => 2,
            Self::Q8_0 => 32,
        }
    }

    /// Bytes of so many elements.
    pub fn bytes(self, elements: usize) -> usize {
        match self {
            Self::F16 => 2 * elements,
            Self::F32 => 4 * elements,
            Self::Q8_0 => elements + elements / 32 * 4,
        }
    }
}

/// An intermediate, `[tokens, width]`.
#[derive(Clone, Copy, Debug)]
pub struct Activation {
    /// Values per token.
    pub width: usize,
    /// Whether the host reads or writes it.
    pub observed: bool,
}

/// The angles of one kind of layer.
#[derive(Clone, Debug)]
pub struct Rope {
    /// Radians per position, one for each rotated pair.
    pub frequencies: Vec<f64>,
    /// Multiplies sines and cosines.
    pub magnitude: f64,
    /// `(2 i, 2 i + 1)` rather than `(i, i + n / 2)`.
    pub neighbours: bool,
}

impl Rope {
    /// For each position the cosines of all pairs, then the sines.
    pub(crate) fn table(&self, positions: Range<usize>) -> Vec<f32> {
        let mut table = Vec::with_capacity(2 * self.frequencies.len() * positions.len());
        for position in positions {
            let angle = |f: &f64| libm::sincos(position as f64 * f);
            let each = self.frequencies.iter().map(angle);
            let turns: Vec<(f64, f64)> = each.collect();
            table.extend(turns.iter().map(|(_, c)| (c * self.magnitude) as f32));
            table.extend(turns.iter().map(|(s, _)| (s * self.magnitude) as f32));
        }
        table
    }
}

/// The keys and values that one layer remembers.
#[derive(Clone, Copy, Debug)]
pub struct Cache {
    /// Heads of keys and of values.
    pub heads: usize,
    /// Elements of a key.
    pub key_width: usize,
    /// Elements of a value.
    pub value_width: usize,
    /// How many positions a query sees, itself included; `None`: all.
    pub window: Option<usize>,
    /// How they are remembered.
    pub format: CacheFormat,
}

/// The non-linearity of a gate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Curve {
    /// `x · σ(x)`.
    Silu,
    /// `x/2 · (1 + tanh(√(2/π) (x + 0.044715 x³)))`.
    GeluTanh,
}

/// Attention of one layer; also writes the step's keys and values to the cache.
#[derive(Clone, Copy, Debug)]
pub struct Attend {
    /// `[tokens, heads · key_width]`.
    pub query: usize,
    /// `[tokens, cache heads · key_width]`.
    pub key: usize,
    /// `[tokens, cache heads · value_width]`.
    pub value: usize,
    /// The cache's index.
    pub cache: usize,
    /// Query heads.
    pub heads: usize,
    /// Multiplies the query.
    pub query_scale: f32,
    /// Multiplies the scores.
    pub score_scale: f32,
    /// `cap · tanh(score / cap)`.
    pub soft_cap: Option<f32>,
    /// `[tokens, heads · value_width]`.
    pub out: usize,
}

/// One operation; the names mean what they mean in the engine's graph.
#[derive(Clone, Copy, Debug)]
#[expect(missing_docs, reason = "fields are indices of what their names say")]
pub enum Op {
    /// `out = scale · table[token]`.
    Embed {
        table: usize,
        scale: f32,
        out: usize,
    },
    /// `out = x / √(mean x² + epsilon) · weight`, for each of `heads` parts of a row.
    Norm {
        input: usize,
        weight: usize,
        epsilon: f32,
        heads: usize,
        out: usize,
    },
    /// `out[j] = weight[first + j] · input`, plus `residual[j]` if there is one.
    MatMul {
        input: usize,
        weight: usize,
        first: usize,
        residual: Option<usize>,
        out: usize,
    },
    /// `out = input + bias`.
    Bias {
        input: usize,
        bias: usize,
        out: usize,
    },
    /// Each of `heads` parts of a row turned by its position's angles.
    Rope {
        input: usize,
        heads: usize,
        rope: usize,
        out: usize,
    },
    /// See [`Attend`].
    Attend(Attend),
    /// `out = curve(gate) · up`.
    Gate {
        gate: usize,
        up: usize,
        curve: Curve,
        out: usize,
    },
    /// `out = a + b`.
    Add { a: usize, b: usize, out: usize },
    /// `out = cap · tanh(input / cap)`.
    SoftCap { input: usize, cap: f32, out: usize },
}

impl Op {
    /// The intermediates that are read.
    pub fn inputs(&self) -> Vec<usize> {
        match *self {
            Self::Embed { .. } => vec![],
            Self::MatMul {
                input, residual, ..
            } => [Some(input), residual].into_iter().flatten().collect(),
            Self::Norm { input, .. }
            | Self::Bias { input, .. }
            | Self::Rope { input, .. }
            | Self::SoftCap { input, .. } => vec![input],
            Self::Attend(attend) => vec![attend.query, attend.key, attend.value],
            Self::Gate { gate, up, .. } => vec![gate, up],
            Self::Add { a, b, .. } => vec![a, b],
        }
    }

    /// The intermediate that is written.
    pub fn out(&self) -> usize {
        match *self {
            Self::Embed { out, .. }
            | Self::Norm { out, .. }
            | Self::MatMul { out, .. }
            | Self::Bias { out, .. }
            | Self::Rope { out, .. }
            | Self::Attend(Attend { out, .. })
            | Self::Gate { out, .. }
            | Self::Add { out, .. }
            | Self::SoftCap { out, .. } => out,
        }
    }
}

/// A model's computation and what it runs with.
#[derive(Clone, Debug)]
pub struct Graph {
    /// The operations, in order.
    pub ops: Vec<Op>,
    /// The intermediates.
    pub activations: Vec<Activation>,
    /// The rotary tables.
    pub ropes: Vec<Rope>,
    /// One per layer that remembers.
    pub caches: Vec<Cache>,
    /// The intermediate whose rows are wanted in the end.
    pub logits: usize,
    /// Positions to remember.
    pub context: usize,
    /// The most tokens of a step.
    pub batch: usize,
    /// How numbers are held.
    pub tier: Tier,
    /// The intermediate that the host gives, if not token ids.
    pub input: Option<usize>,
    /// The most rows of logits of a step.
    pub wanted: usize,
}

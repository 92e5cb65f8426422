//! A model's computation as plain data: the engine's graph, one to one.
//!
//! Activations are `[tokens, width]` 32-bit floats, one row per token of a step, as far as a host sees them; the plug-in
//! places, shares, rounds and fuses those that are not observed as it likes.

/// Stands for "none" where an index is optional.
pub const NONE: u32 = u32::MAX;

/// A weight: `rows` rows of `width` values, row after row, each a whole number of GGML blocks. A vector has one row.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Weight {
    /// What [`crate::Api::weight`] gave. [`crate::Api::supports`] and [`crate::Api::weight`] do not look at it.
    pub id: u64,
    /// Rows.
    pub rows: u64,
    /// Values in a row.
    pub width: u64,
    /// GGML's number of the format: 0 is F32, 1 F16, 8 Q8_0, 12 Q4_K, and so on.
    pub format: u32,
    /// Zero.
    pub reserved: u32,
}

/// An intermediate.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Activation {
    /// Values per token.
    pub width: u32,
    /// [`Self::OBSERVED`] or 0.
    pub flags: u32,
}

impl Activation {
    /// Steps may list it in their reads, so it must not be fused away or overwritten before the step ends.
    pub const OBSERVED: u32 = 1;
}

/// Which elements of a head are turned together.
#[repr(transparent)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Pairing(pub u32);

impl Pairing {
    /// `(2 i, 2 i + 1)`.
    pub const INTERLEAVED: Self = Self(0);
    /// `(i, i + pairs)`.
    pub const HALVES: Self = Self(1);
}

/// A rotary table: at position `p`, pair `i` is turned by `p · frequencies[i]` and multiplied by `magnitude`.
///
/// Angles are to be formed in 64-bit floats: in 32-bit ones they are wrong at large positions.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Rope {
    /// Radians per position, one for each pair. Read within the call.
    pub frequencies: *const f64,
    /// What sines and cosines are multiplied with.
    pub magnitude: f64,
    /// Pairs; the first `2 · pairs` elements of a head are turned, the others pass.
    pub pairs: u32,
    /// Which elements form a pair.
    pub pairing: Pairing,
}

/// The keys and values that one layer remembers. They belong to the plan.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cache {
    /// Heads of keys and of values.
    pub heads: u32,
    /// Elements of a key.
    pub key_width: u32,
    /// Elements of a value.
    pub value_width: u32,
    /// How many positions a query sees, itself included; 0: all.
    pub window: u32,
    /// GGML's number of the format that elements are rounded to: 0 F32, 1 F16, 8 Q8_0.
    pub format: u32,
}

/// What an operation does.
#[repr(transparent)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct OpKind(pub u32);

impl OpKind {
    /// `out = scale · weight[token]`. `scale` is to be rounded to `f32` once.
    pub const EMBED: Self = Self(1);
    /// `out = a / √(mean a² + epsilon) · weight`, for each of `heads` equal parts of a row; the weight is as wide as a part.
    pub const NORM: Self = Self(2);
    /// `out[j] = weight[first + j] · a`, for as many rows as `out` is wide.
    pub const MAT_MUL: Self = Self(3);
    /// `out = a + weight`.
    pub const BIAS: Self = Self(4);
    /// `out =` each of `heads` parts of `a` turned by the angles of `rope` at its token's position.
    pub const ROPE: Self = Self(5);
    /// Attention of `heads` query heads; also writes the step's keys and values to `cache`.
    ///
    /// `a` is the query `[tokens, heads · key_width]`, `b` the key `[tokens, cache.heads · key_width]`, `c` the value
    /// `[tokens, cache.heads · value_width]`, `out` is `[tokens, heads · value_width]`. Query head `h` reads head
    /// `h / (heads / cache.heads)` of the cache. For a token at position `p`, over the positions `t` from 0, or from
    /// `p + 1 − window` if there is a window, to `p`:
    ///
    /// ```text
    /// s[t] = score_scale · Σ (scale · query) · key[t]
    /// s[t] = cap · tanh(s[t] / cap)                      if cap > 0
    /// out  = Σ softmax(s)[t] · value[t]
    /// ```
    ///
    /// Positions of the step's own tokens are seen through the cache, after rounding to its format.
    pub const ATTEND: Self = Self(6);
    /// `out = activate(a) · b`.
    pub const GATE: Self = Self(7);
    /// `out = a + b`.
    pub const ADD: Self = Self(8);
    /// `out = cap · tanh(a / cap)`.
    pub const SOFT_CAP: Self = Self(9);
}

/// A non-linearity.
#[repr(transparent)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Activate(pub u32);

impl Activate {
    /// `x · σ(x)`.
    pub const SILU: Self = Self(0);
    /// `x/2 · (1 + tanh(√(2/π) (x + 0.044715 x³)))`.
    pub const GELU_TANH: Self = Self(1);
}

/// One operation. Fields that its kind does not name are [`NONE`] (indices) or 0.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Op {
    /// What it does, and which fields it reads.
    pub kind: OpKind,
    /// The result: an index of an activation. No two operations have the same, and none reads it before this one.
    pub out: u32,
    /// The first operand: an index of an activation.
    pub a: u32,
    /// The second operand.
    pub b: u32,
    /// The third operand.
    pub c: u32,
    /// An index of a weight.
    pub weight: u32,
    /// The first row of the weight in use.
    pub first: u32,
    /// Equal parts of a row.
    pub heads: u32,
    /// An index of a rotary table.
    pub rope: u32,
    /// An index of a cache. No two operations have the same.
    pub cache: u32,
    /// The non-linearity.
    pub activate: Activate,
    /// Added to a mean square.
    pub epsilon: f32,
    /// The bound of a soft cap; 0: none.
    pub cap: f32,
    /// Zero.
    pub reserved: u32,
    /// Multiplies an embedding or a query.
    pub scale: f64,
    /// Multiplies scores before the cap.
    pub score_scale: f64,
}

impl Op {
    /// Nothing; no kind has the number 0.
    pub const fn empty() -> Self {
        Self {
            kind: OpKind(0),
            out: NONE,
            a: NONE,
            b: NONE,
            c: NONE,
            weight: NONE,
            first: 0,
            heads: 0,
            rope: NONE,
            cache: NONE,
            activate: Activate::SILU,
            epsilon: 0.0,
            cap: 0.0,
            reserved: 0,
            scale: 0.0,
            score_scale: 0.0,
        }
    }
}

/// A model, or a part of one. Copied within the call, with all it points to.
///
/// A part of a model has an `input` that is not computed by its operations: the host hands it over at every step, and no
/// [`OpKind::EMBED`] is needed. Likewise its `output` may be any activation.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Description {
    /// The operations, in order.
    pub ops: *const Op,
    /// The intermediates.
    pub activations: *const Activation,
    /// The weights.
    pub weights: *const Weight,
    /// The rotary tables.
    pub ropes: *const Rope,
    /// The caches.
    pub caches: *const Cache,
    /// Operations, at least 1.
    pub op_count: u32,
    /// Intermediates.
    pub activation_count: u32,
    /// Weights.
    pub weight_count: u32,
    /// Rotary tables.
    pub rope_count: u32,
    /// Caches.
    pub cache_count: u32,
    /// Positions to remember, at least 1.
    pub context: u32,
    /// Tokens of a step, at most; at least 1.
    pub batch: u32,
    /// Rows of the output that a step asks for, at most; at least 1.
    pub output_rows: u32,
    /// The activation that the host hands over, or [`NONE`]: the step's token ids are the input.
    pub input: u32,
    /// The activation that steps give back: logits, or what the host goes on with.
    pub output: u32,
    /// What numbers are to mean. A plug-in that cannot do so says [`crate::Status::UNSUPPORTED`].
    pub tier: crate::device::Tier,
    /// Zero.
    pub reserved: u32,
}

const _: () = {
    assert!(size_of::<Weight>() == 32);
    assert!(size_of::<Activation>() == 8);
    assert!(size_of::<Cache>() == 20);
    assert!(size_of::<Op>() == 14 * 4 + 2 * 8);
    assert!(size_of::<Rope>() == size_of::<*const f64>().next_multiple_of(8) + 16);
    assert!(size_of::<Description>() == (5 * size_of::<*const Op>()).next_multiple_of(4) + 12 * 4);
};

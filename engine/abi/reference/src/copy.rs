//! The contract's plain data, copied out of the caller's memory and checked.

use crate::Failure;
use fidelis_abi::{
    Activation, Cache, Description, NONE, Op, OpKind, Pairing, Read, Rope, Rows, Step, Weight,
};
use std::slice;

/// As many elements as the host says.
///
/// # Safety
///
/// The contract: the pointer is valid for that many, or there are none.
pub(crate) unsafe fn list<T: Copy>(pointer: *const T, count: u32) -> Result<Vec<T>, Failure> {
    if count == 0 {
        return Ok(vec![]);
    }
    if pointer.is_null() || !pointer.is_aligned() {
        return Err(Failure::invalid("a list is null or not aligned"));
    }
    // SAFETY: the caller's promise.
    Ok(unsafe { slice::from_raw_parts(pointer, count as usize) }.to_vec())
}

/// A rotary table.
#[derive(Clone, Debug)]
pub(crate) struct Angles {
    pub(crate) frequencies: Vec<f64>,
    pub(crate) magnitude: f64,
    pub(crate) pairing: Pairing,
}

/// A description of our own.
#[derive(Clone, Debug)]
pub(crate) struct Model {
    pub(crate) ops: Vec<Op>,
    pub(crate) activations: Vec<Activation>,
    pub(crate) weights: Vec<Weight>,
    pub(crate) ropes: Vec<Angles>,
    pub(crate) caches: Vec<Cache>,
    pub(crate) context: u32,
    pub(crate) batch: u32,
    pub(crate) output_rows: u32,
    pub(crate) input: u32,
    pub(crate) output: u32,
    pub(crate) tier: fidelis_abi::Tier,
}

impl Model {
    /// Copies a description.
    ///
    /// # Safety
    ///
    /// The contract: every pointer is valid for its count.
    pub(crate) unsafe fn copy(description: *const Description) -> Result<Self, Failure> {
        // SAFETY: the caller's promise.
        let d = unsafe { description.as_ref() }
            .ok_or_else(|| Failure::invalid("the description is null"))?;
        // SAFETY: the caller's promise, for each.
        let (ops, activations, weights, ropes, caches) = unsafe {
            (
                list(d.ops, d.op_count)?,
                list(d.activations, d.activation_count)?,
                list(d.weights, d.weight_count)?,
                list(d.ropes, d.rope_count)?,
                list(d.caches, d.cache_count)?,
            )
        };
        let angles = |rope: &Rope| {
            Ok(Angles {
                // SAFETY: the caller's promise.
                frequencies: unsafe { list(rope.frequencies, rope.pairs)? },
                magnitude: rope.magnitude,
                pairing: rope.pairing,
            })
        };
        let model = Self {
            ops,
            activations,
            weights,
            ropes: ropes.iter().map(angles).collect::<Result<_, Failure>>()?,
            caches,
            context: d.context,
            batch: d.batch,
            output_rows: d.output_rows,
            input: d.input,
            output: d.output,
            tier: d.tier,
        };
        model.check()?;
        Ok(model)
    }

    /// The elements per token of an activation.
    pub(crate) fn width(&self, id: u32) -> usize {
        self.activations[id as usize].width as usize
    }

    /// Whether everything fits together.
    fn check(&self) -> Result<(), Failure> {
        let wrong = |text: &str| Err(Failure::invalid(text));
        if self.ops.is_empty() || self.context == 0 || self.batch == 0 || self.output_rows == 0 {
            return wrong("operations, context, batch and output rows must be at least 1");
        }
        let mut written = vec![false; self.activations.len()];
        if self.input != NONE {
            match written.get_mut(self.input as usize) {
                Some(written) => *written = true,
                None => return wrong("the input is no activation"),
            }
        }
        let mut cached = vec![false; self.caches.len()];
        for (index, op) in self.ops.iter().enumerate() {
            self.check_op(op, &mut written, &mut cached)
                .map_err(|error| error.at(index))?;
        }
        match written.get(self.output as usize) {
            Some(true) => Ok(()),
            _ => wrong("nothing writes the output"),
        }
    }

    fn check_op(&self, op: &Op, written: &mut [bool], cached: &mut [bool]) -> Result<(), Failure> {
        let ensure = |holds: bool, text: &str| {
            if holds {
                Ok(())
            } else {
                Err(Failure::invalid(text))
            }
        };
        let reads = match op.kind {
            OpKind::EMBED => 0,
            OpKind::GATE | OpKind::ADD => 2,
            OpKind::ATTEND => 3,
            _ => 1,
        };
        for (place, operand) in [op.a, op.b, op.c].into_iter().enumerate() {
            if place < reads {
                let is_written = written.get(operand as usize) == Some(&true);
                ensure(is_written, "an operand is not written before")?;
            } else {
                ensure(operand == NONE, "an operand too many")?;
            }
        }
        let Some(out) = written.get_mut(op.out as usize) else {
            return Err(Failure::invalid("the result is no activation"));
        };
        ensure(!*out, "a result is written twice")?;
        *out = true;
        let width = |id: u32| self.width(id);
        let weighs = [OpKind::EMBED, OpKind::NORM, OpKind::MAT_MUL, OpKind::BIAS];
        let weight = self.weights.get(op.weight as usize);
        ensure(
            weight.is_some() == weighs.contains(&op.kind),
            "a weight is missing or too many",
        )?;
        let shape = weight.map_or([0, 0], |weight| {
            [weight.rows as usize, weight.width as usize]
        });
        let out = width(op.out);
        match op.kind {
            OpKind::EMBED => ensure(shape[1] == out, "an embedding of another width"),
            OpKind::NORM => ensure(
                shape == [1, out / (op.heads as usize).max(1)] && width(op.a) == out,
                "a norm of another width",
            ),
            OpKind::MAT_MUL => ensure(
                shape[1] == width(op.a) && op.first as usize + out <= shape[0],
                "a product of another shape",
            ),
            OpKind::BIAS => ensure(
                shape == [1, out] && width(op.a) == out,
                "a bias of another width",
            ),
            OpKind::ROPE => {
                let rope = self.ropes.get(op.rope as usize);
                let turned = rope.map_or(usize::MAX, |rope| 2 * rope.frequencies.len());
                ensure(
                    width(op.a) == out && op.heads > 0 && turned <= out / op.heads as usize,
                    "a turn of another width",
                )
            }
            OpKind::ATTEND => {
                let Some(cache) = self.caches.get(op.cache as usize) else {
                    return Err(Failure::invalid("no such cache"));
                };
                ensure(!cached[op.cache as usize], "a cache is used twice")?;
                cached[op.cache as usize] = true;
                let widths = [op.heads, cache.heads, cache.heads, op.heads];
                let elements = [
                    cache.key_width,
                    cache.key_width,
                    cache.value_width,
                    cache.value_width,
                ];
                let found = [op.a, op.b, op.c, op.out].map(width);
                let fits = (0..4).all(|i| found[i] == (widths[i] * elements[i]) as usize);
                ensure(
                    fits && cache.heads > 0 && op.heads.is_multiple_of(cache.heads),
                    "heads of another width",
                )
            }
            OpKind::GATE | OpKind::ADD => ensure(
                width(op.a) == out && width(op.b) == out,
                "terms of another width",
            ),
            OpKind::SOFT_CAP => {
                ensure(width(op.a) == out && op.cap > 0.0, "a cap of another width")
            }
            _ => Err(Failure::invalid("no such operation")),
        }
    }
}

/// What a step reads, of our own.
pub(crate) struct Inputs {
    pub(crate) tokens: Vec<u32>,
    pub(crate) input: Vec<f32>,
    pub(crate) rows: usize,
}

impl Inputs {
    /// Copies what a step reads.
    ///
    /// # Safety
    ///
    /// The contract: tokens or input are valid for the count.
    pub(crate) unsafe fn copy(step: &Step, model: &Model) -> Result<Self, Failure> {
        if step.count == 0 || step.count > model.batch {
            return Err(Failure::invalid("more tokens than a batch, or none"));
        }
        let rows = match step.rows {
            Rows::NONE => 0,
            Rows::LAST => 1,
            Rows::ALL if step.count <= model.output_rows => step.count as usize,
            _ => return Err(Failure::invalid("more rows of the output than planned")),
        };
        if rows == 0 && (step.flags != 0 || !step.output.is_null()) {
            return Err(Failure::invalid("an output of no rows"));
        }
        let has_input = model.input != NONE;
        if step.tokens.is_null() != has_input || step.input.is_null() == has_input {
            return Err(Failure::invalid("token ids and an input, or neither"));
        }
        // SAFETY: the caller's promise.
        let (tokens, input) = unsafe {
            if has_input {
                let width = model.width(model.input) as u32;
                (vec![], list(step.input, step.count * width)?)
            } else {
                (list(step.tokens, step.count)?, vec![])
            }
        };
        Ok(Self {
            tokens,
            input,
            rows,
        })
    }
}

/// Writes values to the host.
///
/// # Safety
///
/// The contract: the pointer is valid for so many.
pub(crate) unsafe fn write(host: *mut f32, values: &[f32]) {
    // SAFETY: the caller's promise.
    unsafe { slice::from_raw_parts_mut(host, values.len()) }.copy_from_slice(values);
}

/// Writes what was read, which must be as long as the host says.
///
/// # Safety
///
/// The contract: the pointer is valid for its length.
pub(crate) unsafe fn answer(read: &Read, model: &Model, values: &[f32]) -> Result<(), Failure> {
    let activation = model.activations.get(read.activation as usize);
    let is_observed = activation.is_some_and(|a| a.flags & Activation::OBSERVED != 0);
    if !is_observed || read.length != values.len() as u64 || read.host.is_null() {
        return Err(Failure::invalid(
            "an activation that is not observed, or of another length",
        ));
    }
    // SAFETY: the caller's promise; the length was compared.
    unsafe { write(read.host, values) };
    Ok(())
}

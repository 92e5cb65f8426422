//! A plan, and one loop for every operation.

use crate::Failure;
use crate::attend::{Remembered, memories};
use crate::copy::{Inputs, Model};
use crate::fault::Fault;
use crate::memory::{Opened, Shared, Stored};
use fidelis_abi::{Activate, Op, OpKind, Pairing, Status};
use std::collections::HashMap;

/// A model ready to run.
pub(crate) struct Machine {
    pub(crate) model: Model,
    pub(crate) device: Shared,
    pub(crate) bytes: u64,
    memories: Vec<Remembered>,
    read: usize,
    steps: usize,
    /// What the step before left in the gates' buffers.
    left: HashMap<usize, Vec<f32>>,
}

impl Machine {
    pub(crate) fn new(model: Model, device: Shared, bytes: u64) -> Self {
        Self {
            memories: memories(&model),
            model,
            device,
            bytes,
            read: 0,
            steps: 0,
            left: HashMap::new(),
        }
    }

    /// Every activation of a step, `[tokens, width]`; those after the last attention of `rows` tokens.
    pub(crate) fn run(
        &mut self,
        inputs: &Inputs,
        position: usize,
        count: usize,
    ) -> Result<Vec<Vec<f32>>, Failure> {
        let fault = self.device.borrow().fault;
        self.steps += 1;
        match fault {
            Fault::Panics => panic!("shader {} of {} fell over", 7, "nine"),
            Fault::Vanishes if self.steps >= 4 => {
                return Err(Failure::new(Status::DEVICE_LOST, "it fell off the bus"));
            }
            Fault::Hangs if self.steps >= 4 => {
                return Err(Failure::new(Status::TIMED_OUT, "no answer for 10 s"));
            }
            Fault::Mumbles => return Err(Failure::new(Status(4711), "mumble")),
            Fault::Notices => {
                return Err(Failure::new(Status::NON_FINITE, "infinite").at(2));
            }
            _ => {}
        }
        self.check_position(position, count, fault)?;
        let mut all = vec![vec![]; self.model.activations.len()];
        if self.model.input != fidelis_abi::NONE {
            all[self.model.input as usize].clone_from(&inputs.input);
        }
        let ops = self.model.ops.clone();
        let last = ops.iter().rposition(|op| op.kind == OpKind::ATTEND);
        let device = self.device.clone();
        let device = device.borrow();
        for (index, op) in ops.iter().enumerate() {
            let is_tail = last.is_none_or(|last| index > last);
            let rows = if is_tail {
                count - inputs.rows..count
            } else {
                0..count
            };
            let step = Row {
                op,
                device: &device,
                inputs,
                position,
                rows,
            };
            let mut out = self.op(&step, &all).map_err(|error| error.at(index))?;
            if fault == Fault::Lags && op.kind == OpKind::GATE {
                let left = self.left.insert(index, out.clone());
                out = left.filter(|left| left.len() == out.len()).unwrap_or(out);
            }
            all[op.out as usize] = out;
        }
        self.read = position + count;
        for memory in &mut self.memories {
            memory.forget(self.read, fault.spare());
        }
        Ok(all)
    }

    fn check_position(&self, position: usize, count: usize, fault: Fault) -> Result<(), Failure> {
        let windows = self.model.caches.iter().map(|cache| cache.window as usize);
        let smallest = windows.filter(|&window| window > 0).min();
        let spare = fault.spare() as usize;
        let holds = position + 1 + spare >= self.read || position == 0;
        let fresh = smallest.is_none_or(|window| self.read <= window.saturating_add(spare));
        if position > self.read || position + count > self.model.context as usize {
            return Err(Failure::invalid(
                "a step beyond what was read, or beyond the context",
            ));
        }
        if !holds && !fresh {
            return Err(Failure::invalid(
                "a step at a position that a window no longer holds",
            ));
        }
        Ok(())
    }

    /// The rows of an operation's result.
    fn op(&mut self, step: &Row<'_>, all: &[Vec<f32>]) -> Result<Vec<f32>, Failure> {
        let (op, width) = (step.op, self.model.width(step.op.out));
        let mut out = Vec::new();
        for row in step.rows.clone() {
            let mut values = vec![0.0; width];
            // An operand that has rows for all tokens, or only for those that this has.
            let operand = |id: u32| {
                let width = self.model.width(id);
                let values = &all[id as usize];
                let has = values.len() / width;
                let row = row + has - step.rows.end;
                values[row * width..(row + 1) * width].to_vec()
            };
            match op.kind {
                OpKind::EMBED => step.embed(&self.model, row, &mut values)?,
                OpKind::NORM => step.norm(&self.model, &operand(op.a), &mut values),
                OpKind::MAT_MUL => {
                    let weight = step.weight(&self.model);
                    let input = operand(op.a);
                    for (j, out) in values.iter_mut().enumerate() {
                        if let Some(weights) = step.product_row(weight, j, width) {
                            *out = step.sum(&weights, &input) as f32;
                        }
                    }
                }
                OpKind::BIAS => {
                    let bias = step.weight(&self.model).row(0);
                    sums(&operand(op.a), &bias, &mut values);
                }
                OpKind::ROPE => step.turn(&self.model, row, &operand(op.a), &mut values),
                OpKind::ATTEND => {
                    let (query, key, value) = (operand(op.a), operand(op.b), operand(op.c));
                    let position = step.position + row;
                    let memory = &mut self.memories[op.cache as usize];
                    if !memory.write(position, &key, &value) {
                        let text = "a key or value is more than the cache holds";
                        return Err(Failure::new(Status::NON_FINITE, text));
                    }
                    memory.attend(op, position, &query, &mut values);
                }
                OpKind::GATE => {
                    for ((out, gate), up) in values.iter_mut().zip(operand(op.a)).zip(operand(op.b))
                    {
                        *out = activated(op.activate, gate) * up;
                    }
                }
                OpKind::ADD => sums(&operand(op.a), &operand(op.b), &mut values),
                _ => {
                    for (out, x) in values.iter_mut().zip(operand(op.a)) {
                        *out = op.cap * libm::tanhf(x / op.cap);
                    }
                }
            }
            out.extend(values);
        }
        Ok(out)
    }
}

/// One operation of a step.
struct Row<'s> {
    op: &'s Op,
    device: &'s Opened,
    inputs: &'s Inputs,
    position: usize,
    rows: std::ops::Range<usize>,
}

impl Row<'_> {
    fn weight(&self, model: &Model) -> &Stored {
        &self.device.weights[&model.weights[self.op.weight as usize].id]
    }

    /// What a product takes for its row `j`; `None`: no group computes it.
    fn product_row(&self, weight: &Stored, j: usize, rows: usize) -> Option<Vec<f32>> {
        let row = self.op.first as usize + j;
        match self.device.fault {
            Fault::Flat if j >= 65_535 => None,
            Fault::Truncates if rows > 16 && j >= rows / 16 * 16 => None,
            Fault::Misreads => {
                let (rows, width) = (weight.rows, weight.width);
                let element = |k: usize| {
                    let at = (row * rows + k) % (rows * width);
                    weight.row(at / width)[at % width]
                };
                Some((0..width).map(element).collect())
            }
            _ => Some(weight.row(row)),
        }
    }

    fn sum(&self, weights: &[f32], input: &[f32]) -> f64 {
        let halves = self.device.fault == Fault::Halves;
        let pairs = weights.iter().zip(input).enumerate();
        let lanes = pairs.filter(|(lane, _)| !halves || lane % 64 < 32);
        lanes.map(|(_, (&w, &x))| f64::from(w) * f64::from(x)).sum()
    }

    fn embed(&self, model: &Model, row: usize, out: &mut [f32]) -> Result<(), Failure> {
        let table = self.weight(model);
        let token = self.inputs.tokens[row] as usize;
        if token >= table.rows {
            return Err(Failure::invalid("no such token"));
        }
        for (out, x) in out.iter_mut().zip(table.row(token)) {
            *out = x * self.op.scale as f32;
        }
        Ok(())
    }

    fn norm(&self, model: &Model, input: &[f32], out: &mut [f32]) {
        let weight = self.weight(model).row(0);
        let width = weight.len();
        for (input, out) in input.chunks(width).zip(out.chunks_mut(width)) {
            let squares: f64 = input.iter().map(|&x| f64::from(x) * f64::from(x)).sum();
            let root = (squares / width as f64 + f64::from(self.op.epsilon)).sqrt();
            for ((out, &x), &w) in out.iter_mut().zip(input).zip(&weight) {
                *out = (f64::from(x) / root) as f32 * w;
            }
        }
    }

    fn turn(&self, model: &Model, row: usize, input: &[f32], out: &mut [f32]) {
        let rope = &model.ropes[self.op.rope as usize];
        let pairs = rope.frequencies.len();
        let width = input.len() / self.op.heads as usize;
        out.copy_from_slice(input);
        for (input, out) in input.chunks(width).zip(out.chunks_mut(width)) {
            for (pair, frequency) in rope.frequencies.iter().enumerate() {
                let (first, second) = match rope.pairing {
                    Pairing::INTERLEAVED => (2 * pair, 2 * pair + 1),
                    _ => (pair, pair + pairs),
                };
                let angle = (self.position + row) as f64 * frequency;
                let (sine, cosine) = libm::sincos(angle);
                let [x, y] = [input[first], input[second]].map(f64::from);
                out[first] = ((x * cosine - y * sine) * rope.magnitude) as f32;
                out[second] = ((y * cosine + x * sine) * rope.magnitude) as f32;
            }
        }
    }
}

fn sums(a: &[f32], b: &[f32], out: &mut [f32]) {
    for ((out, a), b) in out.iter_mut().zip(a).zip(b) {
        *out = a + b;
    }
}

fn activated(activate: Activate, x: f32) -> f32 {
    let x = f64::from(x);
    let y = match activate {
        Activate::SILU => x / (1.0 + libm::exp(-x)),
        _ => {
            let inner = (2.0 / std::f64::consts::PI).sqrt() * (x + 0.044_715 * x * x * x);
            x / 2.0 * (1.0 + libm::tanh(inner))
        }
    };
    y as f32
}

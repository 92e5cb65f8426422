//! What a device holds.

use crate::Failure;
use crate::copy::Model;
use crate::fault::Fault;
use fidelis_abi::{Memory, OpKind, Status, Weight};
use fidelis_simd::dense::Dequantise;
use fidelis_simd::{Format, Level};
use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

/// A weight, in its own bytes.
pub(crate) struct Stored {
    pub(crate) format: Format,
    pub(crate) rows: usize,
    pub(crate) width: usize,
    bytes: Vec<u8>,
    /// Which rows were uploaded.
    has: Vec<bool>,
    /// Plans that use it.
    pub(crate) users: usize,
}

impl Stored {
    fn row_bytes(&self) -> usize {
        self.width / self.format.block_len() * self.format.block_bytes()
    }

    /// A row, decoded.
    pub(crate) fn row(&self, row: usize) -> Vec<f32> {
        let bytes = self.row_bytes();
        let mut values = vec![0.0; self.width];
        Level::best().run(Dequantise {
            format: self.format,
            row: &self.bytes[row * bytes..(row + 1) * bytes],
            out: &mut values,
        });
        values
    }
}

/// An open device.
pub(crate) struct Opened {
    pub(crate) fault: Fault,
    pub(crate) weights: HashMap<u64, Stored>,
    next: u64,
    /// Bytes of plans.
    pub(crate) plans: u64,
}

/// A device that its plans share.
pub(crate) type Shared = Rc<RefCell<Opened>>;

impl Opened {
    pub(crate) fn new(fault: Fault) -> Self {
        Self {
            fault,
            weights: HashMap::new(),
            next: 1,
            plans: 0,
        }
    }

    fn weight_bytes(&self) -> u64 {
        let bytes = self
            .weights
            .values()
            .map(|weight| weight.bytes.len() as u64);
        bytes.sum()
    }

    pub(crate) fn memory(&self) -> Memory {
        let total = self.fault.memory();
        let (weights, plans) = (self.weight_bytes(), self.plans);
        Memory {
            total,
            available: total.saturating_sub(weights + plans),
            weights,
            plans,
        }
    }

    /// Takes memory, if there is so much.
    fn take(&self, bytes: u64) -> Result<(), Failure> {
        let available = self.memory().available;
        if bytes <= available {
            return Ok(());
        }
        Err(Failure {
            needed: bytes,
            available,
            ..Failure::new(Status::OUT_OF_MEMORY, "memory is full")
        })
    }

    /// The format with this number, if the device knows it.
    fn format(&self, weight: &Weight) -> Result<Format, Failure> {
        let unknown = |text: String| Failure::new(Status::UNSUPPORTED, text);
        let format = Format::from_id(weight.format)
            .ok_or_else(|| unknown(format!("format {} is not known", weight.format)))?;
        if self.fault == Fault::FloatsOnly && format != Format::F32 {
            return Err(unknown(format!("no {format} here")));
        }
        Ok(format)
    }

    /// Bytes of a weight.
    fn bytes(&self, weight: &Weight) -> Result<u64, Failure> {
        let format = self.format(weight)?;
        let row = usize::try_from(weight.width)
            .ok()
            .and_then(|width| format.bytes_of(width))
            .ok_or_else(|| Failure::invalid("rows of no whole blocks"))?;
        weight
            .rows
            .checked_mul(row as u64)
            .ok_or_else(|| Failure::invalid("a weight too large to count"))
    }

    /// Whether a model can run here, and what it takes.
    pub(crate) fn supports(&self, model: &Model) -> Result<Memory, (Memory, Failure)> {
        let mut memory = self.memory();
        let unsupported = |text: &str, op| Failure::new(Status::UNSUPPORTED, text).at(op);
        if model.tier == fidelis_abi::Tier::FAST {
            let failure = Failure::new(Status::UNSUPPORTED, "it computes in 32-bit floats alone");
            return Err((memory, failure));
        }
        (memory.weights, memory.plans) = (0, plan_bytes(model));
        for (index, op) in model.ops.iter().enumerate() {
            if let Some(weight) = model.weights.get(op.weight as usize)
                && let Err(failure) = self.bytes(weight)
            {
                return Err((memory, failure.at(index)));
            }
            let slides = op.kind == OpKind::ATTEND && model.caches[op.cache as usize].window > 0;
            if self.fault == Fault::Plain && (op.cap != 0.0 || slides) {
                return Err((memory, unsupported("neither caps nor windows here", index)));
            }
            if op.kind == OpKind::ATTEND && model.caches[op.cache as usize].format > 1 {
                return Err((
                    memory,
                    unsupported("keys and values as F32 or F16 alone", index),
                ));
            }
        }
        for weight in &model.weights {
            match self.bytes(weight) {
                Ok(bytes) => memory.weights += bytes,
                Err(failure) => return Err((memory, failure)),
            }
        }
        let needed = memory.weights + memory.plans;
        if self.fault != Fault::Surprised && needed > memory.total {
            let failure = Failure {
                needed,
                available: memory.total,
                ..Failure::new(Status::OUT_OF_MEMORY, "it would not fit")
            };
            return Err((memory, failure));
        }
        Ok(memory)
    }

    /// Makes room for a weight.
    pub(crate) fn weight(&mut self, weight: &Weight) -> Result<u64, Failure> {
        let bytes = self.bytes(weight)?;
        self.take(bytes)?;
        let id = self.next;
        self.next += 1;
        let stored = Stored {
            format: self.format(weight)?,
            rows: weight.rows as usize,
            width: weight.width as usize,
            bytes: vec![0; bytes as usize],
            has: vec![false; weight.rows as usize],
            users: 0,
        };
        self.weights.insert(id, stored);
        Ok(id)
    }

    /// Takes rows of a weight.
    pub(crate) fn upload(&mut self, id: u64, first: u64, bytes: &[u8]) -> Result<usize, Failure> {
        let weight = self
            .weights
            .get_mut(&id)
            .ok_or_else(|| Failure::invalid("no such weight"))?;
        let row = weight.row_bytes().max(1);
        let rows = bytes.len() / row;
        let first = first as usize;
        if !bytes.len().is_multiple_of(row)
            || first.checked_add(rows).is_none_or(|end| end > weight.rows)
        {
            return Err(Failure::invalid("rows that the weight does not have"));
        }
        weight.bytes[first * row..][..bytes.len()].copy_from_slice(bytes);
        weight.has[first..first + rows].fill(true);
        Ok(rows)
    }

    /// Notes that a plan uses its weights, and takes its memory.
    pub(crate) fn plan(&mut self, model: &Model) -> Result<u64, Failure> {
        let bytes = plan_bytes(model);
        self.take(bytes)?;
        for weight in &model.weights {
            let stored = self.weights.get(&weight.id);
            let fits = stored.is_some_and(|stored| {
                stored.rows as u64 == weight.rows
                    && stored.width as u64 == weight.width
                    && stored.format.id() == weight.format
                    && stored.has.iter().all(|&has| has)
            });
            if !fits {
                return Err(Failure::invalid(
                    "a weight that is another, or not all there",
                ));
            }
        }
        for weight in &model.weights {
            if let Some(stored) = self.weights.get_mut(&weight.id) {
                stored.users += 1;
            }
        }
        self.plans += bytes;
        Ok(bytes)
    }
}

/// Bytes of keys, values and intermediates.
pub(crate) fn plan_bytes(model: &Model) -> u64 {
    let activations = model.activations.iter().map(|a| u64::from(a.width));
    let caches = model
        .caches
        .iter()
        .map(|cache| u64::from(cache.heads) * u64::from(cache.key_width + cache.value_width));
    let rows = activations.sum::<u64>() * u64::from(model.batch);
    4 * (rows + caches.sum::<u64>() * u64::from(model.context))
}

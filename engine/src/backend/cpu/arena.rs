//! The intermediates of a step, `[tokens, width]` each.

use super::super::BackendError;
use super::plan::Plan;
use super::shared::Shared;
use crate::graph::{Graph, TensorId};
use fidelis_simd::Real;
use fidelis_simd::input::InputGroup;

/// Floats and bytes of every intermediate, and the rotary tables of the step.
pub(super) struct Arena<R> {
    floats: Vec<Shared<R>>,
    bytes: Vec<Shared<InputGroup>>,
    slots: Vec<usize>,
    byte_slots: Vec<Option<usize>>,
    widths: Vec<usize>,
    /// Cosines, then sines, `[tokens, 2, pairs]` of each rotary table.
    angles: Vec<Shared<R>>,
}

impl<R: Real> Arena<R> {
    /// Memory for steps of up to `batch` tokens.
    pub(super) fn new(graph: &Graph<'_>, plan: &Plan, batch: usize) -> Result<Self, BackendError> {
        let floats = |width: usize| {
            let len = width.saturating_mul(batch);
            Shared::try_new(len).ok_or(BackendError::Memory {
                bytes: len.saturating_mul(size_of::<R>()),
                what: "intermediates",
            })
        };
        let groups = |width: usize| {
            let len = (width / 32).saturating_mul(batch);
            Shared::try_new(len).ok_or(BackendError::Memory {
                bytes: len.saturating_mul(size_of::<InputGroup>()),
                what: "intermediates",
            })
        };
        let logits = plan.slots[graph.logits.0 as usize];
        Ok(Self {
            // The logits have a buffer of their own, as large as a step asks for.
            floats: plan
                .slot_widths
                .iter()
                .enumerate()
                .map(|(slot, &width)| floats(if slot == logits { 0 } else { width }))
                .collect::<Result<_, _>>()?,
            bytes: plan
                .quantised_widths
                .iter()
                .map(|&width| groups(width))
                .collect::<Result<_, _>>()?,
            slots: plan.slots.clone(),
            byte_slots: plan.quantised.clone(),
            widths: graph
                .activations
                .iter()
                .map(|activation| activation.width)
                .collect(),
            angles: graph
                .ropes
                .iter()
                .map(|rope| floats(2 * rope.frequencies.len()))
                .collect::<Result<_, _>>()?,
        })
    }

    /// Bytes in all.
    pub(super) fn bytes_held(&self) -> usize {
        let floats = self
            .floats
            .iter()
            .chain(&self.angles)
            .map(Shared::len)
            .sum::<usize>();
        size_of::<R>() * floats
            + self.bytes.iter().map(Shared::len).sum::<usize>() * size_of::<InputGroup>()
    }

    /// Makes room for `rows` rows of an intermediate.
    pub(super) fn reserve(&mut self, id: TensorId, rows: usize) -> Result<(), BackendError> {
        let (slot, len) = (self.slots[id.0 as usize], rows * self.widths[id.0 as usize]);
        if self.floats[slot].len() < len {
            self.floats[slot] = Shared::try_new(len).ok_or(BackendError::Memory {
                bytes: size_of::<R>() * len,
                what: "logits",
            })?;
        }
        Ok(())
    }

    /// Elements per token.
    pub(super) fn width(&self, id: TensorId) -> usize {
        self.widths[id.0 as usize]
    }

    /// Rows `first .. first + rows`.
    ///
    /// # Safety
    ///
    /// As [`Shared::read`].
    pub(super) unsafe fn rows(&self, id: TensorId, first: usize, rows: usize) -> &[R] {
        let width = self.width(id);
        // SAFETY: the caller's promise.
        unsafe { self.floats[self.slots[id.0 as usize]].read(first * width, rows * width) }
    }

    /// `len` elements of row `row` from `start`, to be written.
    ///
    /// # Safety
    ///
    /// As [`Shared::write`].
    #[expect(
        clippy::mut_from_ref,
        reason = "the buffer allows it, and the caller keeps the parts apart"
    )]
    pub(super) unsafe fn part_mut(
        &self,
        id: TensorId,
        row: usize,
        start: usize,
        len: usize,
    ) -> &mut [R] {
        // SAFETY: the caller's promise.
        unsafe { self.floats[self.slots[id.0 as usize]].write(row * self.width(id) + start, len) }
    }

    /// Row `row`, to be written.
    ///
    /// # Safety
    ///
    /// As [`Shared::write`].
    #[expect(
        clippy::mut_from_ref,
        reason = "the buffer allows it, and the caller keeps the parts apart"
    )]
    pub(super) unsafe fn row_mut(&self, id: TensorId, row: usize) -> &mut [R] {
        // SAFETY: the caller's promise.
        unsafe { self.part_mut(id, row, 0, self.width(id)) }
    }

    /// The bytes of rows `first .. first + rows`.
    ///
    /// # Safety
    ///
    /// As [`Shared::read`].
    pub(super) unsafe fn quantised(
        &self,
        id: TensorId,
        first: usize,
        rows: usize,
    ) -> &[InputGroup] {
        let groups = self.width(id) / 32;
        let slot =
            self.byte_slots[id.0 as usize].expect("the plan quantises what fast products read");
        // SAFETY: the caller's promise.
        unsafe { self.bytes[slot].read(first * groups, rows * groups) }
    }

    /// The bytes of row `row`, to be written.
    ///
    /// # Safety
    ///
    /// As [`Shared::write`].
    #[expect(
        clippy::mut_from_ref,
        reason = "the buffer allows it, and the caller keeps the parts apart"
    )]
    pub(super) unsafe fn quantised_mut(&self, id: TensorId, row: usize) -> &mut [InputGroup] {
        let groups = self.width(id) / 32;
        let slot =
            self.byte_slots[id.0 as usize].expect("the plan quantises what fast products read");
        // SAFETY: the caller's promise.
        unsafe { self.bytes[slot].write(row * groups, groups) }
    }

    /// Cosines and sines of a token, to be written.
    ///
    /// # Safety
    ///
    /// As [`Shared::write`].
    #[expect(
        clippy::mut_from_ref,
        reason = "the buffer allows it, and the caller keeps the parts apart"
    )]
    pub(super) unsafe fn angles_mut(&self, rope: usize, row: usize, pairs: usize) -> &mut [R] {
        // SAFETY: the caller's promise.
        unsafe { self.angles[rope].write(row * 2 * pairs, 2 * pairs) }
    }

    /// Cosines and sines of a token.
    ///
    /// # Safety
    ///
    /// As [`Shared::read`].
    pub(super) unsafe fn angles(&self, rope: usize, row: usize, pairs: usize) -> (&[R], &[R]) {
        // SAFETY: the caller's promise.
        unsafe { self.angles[rope].read(row * 2 * pairs, 2 * pairs) }.split_at(pairs)
    }
}

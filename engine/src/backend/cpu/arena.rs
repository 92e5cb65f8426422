//! The intermediates of a step, `[tokens, width]` each.

use super::super::BackendError;
use super::plan::{Buffer, Plan};
use super::shared::Shared;
use crate::graph::{Graph, Rope, TensorId};
use bytemuck::Zeroable;
use fidelis_simd::Real;
use fidelis_simd::input::InputGroup;
use std::ops::Range;

/// Rows of the buffers that are for wanted tokens alone, before more are asked for.
const TAIL_ROWS: usize = 1;

/// Floats and bytes of every intermediate, and the rotary tables of the step.
pub(super) struct Arena<R> {
    floats: Vec<Shared<R>>,
    bytes: Vec<Shared<InputGroup>>,
    buffers: Vec<Buffer>,
    byte_buffers: Vec<Buffer>,
    slots: Vec<usize>,
    byte_slots: Vec<Option<usize>>,
    widths: Vec<usize>,
    /// Cosines, then sines, `[tokens, 2, pairs]` of each rotary table.
    angles: Vec<Shared<R>>,
    /// The first wanted token, at which the buffers that are for those alone begin.
    first: usize,
}

/// Elements of every buffer of an [`Arena`].
pub(super) struct ArenaSizes {
    floats: Vec<usize>,
    /// In groups.
    bytes: Vec<usize>,
    angles: Vec<usize>,
}

impl ArenaSizes {
    /// For steps of up to `batch` tokens.
    pub(super) fn new(graph: &Graph<'_>, plan: &Plan, batch: usize) -> Self {
        let rows = |buffer: &Buffer| if buffer.is_tail { TAIL_ROWS } else { batch };
        let floats = |buffer: &Buffer| buffer.width.saturating_mul(rows(buffer));
        let groups = |buffer: &Buffer| (buffer.width / 32).saturating_mul(rows(buffer));
        let angles = |rope: &Rope| (2 * rope.frequencies.len()).saturating_mul(batch);
        Self {
            floats: plan.buffers.iter().map(floats).collect(),
            bytes: plan.quantised_buffers.iter().map(groups).collect(),
            angles: graph.ropes.iter().map(angles).collect(),
        }
    }

    /// Bytes in all, in numbers of type `R`.
    pub(super) fn bytes<R>(&self) -> usize {
        bytes::<R>(self.floats.iter().chain(&self.angles).copied()).saturating_add(bytes::<
            InputGroup,
        >(
            self.bytes.iter().copied(),
        ))
    }
}

/// Bytes of so many elements, as many as there can be if there are more.
fn bytes<T>(lens: impl Iterator<Item = usize>) -> usize {
    lens.fold(0, |sum: usize, len| {
        sum.saturating_add(len.saturating_mul(size_of::<T>()))
    })
}

/// Zeros for intermediates.
fn have<T: Zeroable>(len: usize) -> Result<Shared<T>, BackendError> {
    Shared::try_new(len).ok_or(BackendError::Memory {
        bytes: len.saturating_mul(size_of::<T>()),
        what: "intermediates",
    })
}

impl<R: Real> Arena<R> {
    /// Memory for steps of up to `batch` tokens.
    pub(super) fn new(graph: &Graph<'_>, plan: &Plan, batch: usize) -> Result<Self, BackendError> {
        let sizes = ArenaSizes::new(graph, plan, batch);
        let floats = |lens: Vec<usize>| lens.into_iter().map(have).collect::<Result<_, _>>();
        Ok(Self {
            floats: floats(sizes.floats)?,
            bytes: sizes
                .bytes
                .into_iter()
                .map(have)
                .collect::<Result<_, _>>()?,
            buffers: plan.buffers.clone(),
            byte_buffers: plan.quantised_buffers.clone(),
            slots: plan.slots.clone(),
            byte_slots: plan.quantised.clone(),
            widths: graph
                .activations
                .iter()
                .map(|activation| activation.width)
                .collect(),
            angles: floats(sizes.angles)?,
            first: 0,
        })
    }

    /// Bytes in all.
    pub(super) fn bytes_held(&self) -> usize {
        bytes::<R>(self.floats.iter().chain(&self.angles).map(Shared::len))
            + bytes::<InputGroup>(self.bytes.iter().map(Shared::len))
    }

    /// Begins a batch: makes room for the wanted tokens where only those matter.
    pub(super) fn begin(&mut self, wanted: Range<usize>) -> Result<(), BackendError> {
        self.first = wanted.start;
        let rows = wanted.len();
        for (buffer, floats) in self.buffers.iter().zip(&mut self.floats) {
            if buffer.is_tail && floats.len() < rows * buffer.width {
                *floats = have(rows * buffer.width)?;
            }
        }
        for (buffer, bytes) in self.byte_buffers.iter().zip(&mut self.bytes) {
            if buffer.is_tail && bytes.len() < rows * (buffer.width / 32) {
                *bytes = have(rows * (buffer.width / 32))?;
            }
        }
        Ok(())
    }

    /// The token whose row is the first of a buffer.
    fn first(&self, buffer: &Buffer) -> usize {
        if buffer.is_tail { self.first } else { 0 }
    }

    /// The buffer of an intermediate, and the element at which a token's row begins.
    fn place(&self, id: TensorId, row: usize) -> (&Shared<R>, usize) {
        let slot = self.slots[id.0 as usize];
        let first = self.first(&self.buffers[slot]);
        (&self.floats[slot], (row - first) * self.width(id))
    }

    /// The same of an intermediate's bytes.
    fn byte_place(&self, id: TensorId, row: usize) -> (&Shared<InputGroup>, usize) {
        let slot =
            self.byte_slots[id.0 as usize].expect("the plan quantises what fast products read");
        let first = self.first(&self.byte_buffers[slot]);
        (&self.bytes[slot], (row - first) * (self.width(id) / 32))
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
        let (floats, start) = self.place(id, first);
        // SAFETY: the caller's promise.
        unsafe { floats.read(start, rows * self.width(id)) }
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
        let (floats, first) = self.place(id, row);
        // SAFETY: the caller's promise.
        unsafe { floats.write(first + start, len) }
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
        let (bytes, start) = self.byte_place(id, first);
        // SAFETY: the caller's promise.
        unsafe { bytes.read(start, rows * (self.width(id) / 32)) }
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
        let (bytes, start) = self.byte_place(id, row);
        // SAFETY: the caller's promise.
        unsafe { bytes.write(start, self.width(id) / 32) }
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

//! Memory that the workers of a step write together.

use bytemuck::Zeroable;
use bytemuck::allocation::try_zeroed_slice_box;
use std::cell::UnsafeCell;

/// A slice whose parts several workers write at the same time.
///
/// In a stage every element is either written by one worker, or read by any number. Who
/// writes what follows from the stage: a row per token, or a range of columns per claimed chunk.
pub(super) struct Shared<T>(Box<[UnsafeCell<T>]>);

// SAFETY: access goes through the unsafe methods, whose callers keep writes apart from everything else.
unsafe impl<T: Send + Sync> Sync for Shared<T> {}

impl<T: Zeroable> Shared<T> {
    /// `len` zeros, or `None` if the memory cannot be had; pages are taken when first written.
    pub(super) fn try_new(len: usize) -> Option<Self> {
        try_zeroed_slice_box(len).ok().map(Self)
    }

    /// Elements.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// All elements, of which nobody else knows meanwhile.
    pub(super) fn all_mut(&mut self) -> &mut [T] {
        let cells: *mut [UnsafeCell<T>] = &raw mut *self.0;
        // SAFETY: cells are laid out as their values, and these are borrowed for as long as the result lives.
        unsafe { &mut *(cells as *mut [T]) }
    }

    /// `len` elements from `start`.
    ///
    /// # Safety
    ///
    /// Nobody writes any of them while the result lives.
    pub(super) unsafe fn read(&self, start: usize, len: usize) -> &[T] {
        let cells = &self.0[start..start + len];
        // SAFETY: the cells are in bounds and laid out as their values, and by contract nobody writes them.
        unsafe { std::slice::from_raw_parts(cells.as_ptr().cast(), len) }
    }

    /// `len` elements from `start`, to be written.
    ///
    /// # Safety
    ///
    /// Nobody else reads or writes any of them while the result lives.
    #[expect(
        clippy::mut_from_ref,
        reason = "the cells allow it, and the caller keeps the parts apart"
    )]
    pub(super) unsafe fn write(&self, start: usize, len: usize) -> &mut [T] {
        let cells = &self.0[start..start + len];
        // SAFETY: the cells are in bounds and may be written through a shared reference; by contract nobody else uses them.
        unsafe { std::slice::from_raw_parts_mut(UnsafeCell::raw_get(cells.as_ptr()), len) }
    }
}

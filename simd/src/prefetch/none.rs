//! Machines whose own prefetching is relied on.

/// Does nothing.
#[inline(always)]
pub(crate) fn fetch(_: *const u8) {}

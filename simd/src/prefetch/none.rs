//! Machines whose own prefetching is relied on.

/// Does nothing.
#[inline(always)]
pub(crate) fn prefetch(_: &[u8]) {}

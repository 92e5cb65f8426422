//! Machines whose own prefetching is relied on.

/// Does nothing.
#[inline(always)]
pub(crate) fn fetch(_: *const u8) {}

/// Whether 16 long streams are read faster than one that is asked for; not known here.
pub(crate) fn likes_streams() -> bool {
    false
}

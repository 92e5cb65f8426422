//! Prefetching on x86-64.

use std::arch::x86_64::{_MM_HINT_T1, _mm_prefetch};

/// Asks for the cache line at `address`, which may be any, into the second level; never waits.
#[inline(always)]
pub(crate) fn fetch(address: *const u8) {
    // SAFETY: SSE is in the baseline, and a prefetch may be given any address.
    unsafe { _mm_prefetch::<_MM_HINT_T1>(address.cast()) }
}

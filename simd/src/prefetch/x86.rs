//! Prefetching on x86-64.

use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};

/// Asks for every cache line of `bytes`; never waits.
#[inline(always)]
pub(crate) fn prefetch(bytes: &[u8]) {
    for line in bytes.chunks(64) {
        // SAFETY: SSE is in the baseline, and a prefetch may be given any address.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(line.as_ptr().cast()) }
    }
}

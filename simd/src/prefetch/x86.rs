//! Prefetching on x86-64.

use std::arch::x86_64::{__cpuid, _MM_HINT_T1, _mm_prefetch};
use std::sync::LazyLock;

/// Asks for the cache line at `address`, which may be any, into the second level; never waits.
#[inline(always)]
pub(crate) fn fetch(address: *const u8) {
    // SAFETY: SSE is in the baseline, and a prefetch may be given any address.
    unsafe { _mm_prefetch::<_MM_HINT_T1>(address.cast()) }
}

/// Whether 16 long streams are read faster than one that is asked for.
///
/// So it was on the one Intel processor that was measured, and not on AMD's.
pub(crate) fn likes_streams() -> bool {
    static INTEL: LazyLock<bool> = LazyLock::new(|| {
        // Miri is no machine.
        !cfg!(miri) && {
            let id = __cpuid(0);
            [id.ebx, id.edx, id.ecx].map(u32::to_le_bytes) == [*b"Genu", *b"ineI", *b"ntel"]
        }
    });
    *INTEL
}

//! Prefetching on aarch64.

use std::arch::asm;

/// Asks for every cache line of `bytes`; never waits.
#[inline(always)]
pub(crate) fn prefetch(bytes: &[u8]) {
    for line in bytes.chunks(64) {
        // SAFETY: a prefetch may be given any address and changes nothing that a program can see.
        unsafe {
            asm!(
                "prfm pldl1keep, [{line}]",
                line = in(reg) line.as_ptr(),
                options(nostack, readonly, preserves_flags),
            );
        }
    }
}

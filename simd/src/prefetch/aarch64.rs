//! Prefetching on aarch64.

use std::arch::asm;

/// Asks for the cache line at `address`, which may be any, into the second level; never waits.
#[inline(always)]
pub(crate) fn fetch(address: *const u8) {
    // SAFETY: a prefetch may be given any address and changes nothing that a program can see.
    unsafe {
        asm!(
            "prfm pldl2keep, [{line}]",
            line = in(reg) address,
            options(nostack, readonly, preserves_flags),
        );
    }
}

/// Whether 16 long streams are read faster than one that is asked for; not known here.
pub(crate) fn likes_streams() -> bool {
    false
}

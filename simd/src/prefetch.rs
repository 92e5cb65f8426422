//! Asking for memory before it is needed.

#[cfg(target_arch = "x86_64")]
#[path = "prefetch/x86.rs"]
mod machine;
#[cfg(target_arch = "aarch64")]
#[path = "prefetch/aarch64.rs"]
mod machine;
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
#[path = "prefetch/none.rs"]
mod machine;

pub(crate) use machine::fetch;

/// How far ahead of its use a stream's bytes are asked for.
pub(crate) const AHEAD: usize = 512;

/// Bytes of a cache line; a guess where it matters little.
pub(crate) const LINE: usize = 64;

/// Asks for what each stream has [`AHEAD`] bytes past item `index`.
#[inline(always)]
pub(crate) fn fetch_ahead<B, const N: usize>(streams: &[&[B]; N], index: usize) {
    let size = size_of::<B>();
    // Several short items share a line: in turn, each asks for some of the streams' lines.
    let turns = (LINE / size).max(1);
    for stream in streams.iter().skip(index % turns).step_by(turns) {
        let from = stream
            .as_ptr()
            .cast::<u8>()
            .wrapping_add(index * size + AHEAD);
        for line in (0..size).step_by(LINE) {
            fetch(from.wrapping_add(line));
        }
    }
}

//! `TQ2_0`: 2.06 bits per weight; ternary weights in two bits each and a scale per 256.
//!
//! ```text
//! byte  0                64      66
//!       ├ pairs ─────────┼ scale ┤
//!         64 × 4 × u2      f16
//! ```
//!
//! Byte `32 h + i` of the pairs holds weight `i` of groups `4 h` to `4 h + 3`, lowest bits first,
//! stored plus 1.

use super::group::{Group, Layout, block_of};
use super::read::half;
use crate::Format;

/// The `TQ2_0` format.
#[derive(Clone, Copy, Debug)]
pub struct Tq2_0;

impl Layout for Tq2_0 {
    const FORMAT: Format = Format::TQ2_0;
    const GROUPS: usize = 8;

    block_of!(66);

    fn group(block: &[u8], index: usize) -> Group {
        let pairs = &block[32 * (index / 4)..];
        let shift = 2 * (index % 4);
        let quants = std::array::from_fn(|i| (pairs[i] >> shift & 3).cast_signed() - 1);
        Group::plain(quants, half(block, 64))
    }
}

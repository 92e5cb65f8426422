//! `Q4_0`: 4 bits per weight and a scale per 32.
//!
//! ```text
//! byte  0       2                18
//!       ├ scale ┼ nibbles ───────┤
//!         f16     16 × u8
//! ```
//!
//! Byte `i` of the nibbles holds weight `i` (low) and weight `i + 16` (high), stored plus 8.

use super::group::{Group, Layout, Panel, block_of};
use super::read::{columns, half, nibbles, split_nibbles, two_columns};
use crate::{Format, Isa};

/// The `Q4_0` format.
#[derive(Clone, Copy, Debug)]
pub struct Q4_0;

impl Layout for Q4_0 {
    const FORMAT: Format = Format::Q4_0;
    const GROUPS: usize = 1;
    const SIGNED: bool = false;
    const OFFSET: i32 = 8;

    block_of!(18);

    fn group(block: &[u8], _: usize) -> Group {
        Group::plain(
            nibbles(&block[2..]).map(|quant| quant.cast_signed() - 8),
            half(block, 0),
        )
    }

    #[inline(always)]
    fn unpack<I: Isa>(isa: I, rows: [&[u8; 18]; 16], mut visit: impl FnMut(usize, Panel<I>)) {
        let scale = isa.halves_to_reals(two_columns(isa, rows, 0)[0]);
        visit(
            0,
            Panel::plain(isa, split_nibbles(isa, columns(isa, rows, 2)), scale),
        );
    }
}

//! `Q5_0`: 5 bits per weight and a scale per 32.
//!
//! ```text
//! byte  0       2            6                22
//!       ├ scale ┼ fifth bits ┼ nibbles ───────┤
//!         f16     u32          16 × u8
//! ```
//!
//! Byte `i` of the nibbles holds weight `i` (low) and weight `i + 16` (high); bit `i` of the fifth
//! bits belongs to weight `i`. Stored plus 16.

use super::group::{Group, Layout, Panel, block_of};
use super::read::{columns, half, nibbles, split_nibbles, straddle, two_columns, with_fifth_bits};
use crate::{Format, Isa};

/// The `Q5_0` format.
#[derive(Clone, Copy, Debug)]
pub struct Q5_0;

/// Nibbles with bit `i` of `bits` as the fifth bit of weight `i`.
pub(super) fn fifth(nibbles: [u8; 32], bits: &[u8]) -> [u8; 32] {
    std::array::from_fn(|i| nibbles[i] | (bits[i / 8] >> (i % 8) & 1) << 4)
}

impl Layout for Q5_0 {
    const FORMAT: Format = Format::Q5_0;
    const GROUPS: usize = 1;
    const SIGNED: bool = false;
    const OFFSET: i32 = 16;

    block_of!(22);

    fn group(block: &[u8], _: usize) -> Group {
        let quants = fifth(nibbles(&block[6..]), &block[2..6]);
        Group::plain(quants.map(|quant| quant.cast_signed() - 16), half(block, 0))
    }

    #[inline(always)]
    fn unpack<I: Isa>(isa: I, rows: [&[u8; 22]; 16], mut visit: impl FnMut(usize, Panel<I>)) {
        let [head, next] = two_columns(isa, rows, 0);
        let nibbles = split_nibbles(isa, columns(isa, rows, 6));
        let quants = with_fifth_bits(isa, nibbles, straddle(isa, head, next));
        visit(0, Panel::plain(isa, quants, isa.halves_to_reals(head)));
    }
}

//! `IQ4_NL`: 4 bits per weight through a table of 16 levels, and a scale per 32.
//!
//! ```text
//! byte  0       2                18
//!       ├ scale ┼ nibbles ───────┤
//!         f16     16 × u8
//! ```
//!
//! Byte `i` of the nibbles holds weight `i` (low) and weight `i + 16` (high).

use super::group::{Group, Layout, Panel, block_of};
use super::read::{columns, each, half, nibbles, split_nibbles, two_columns};
use crate::{Format, Isa};

/// The `IQ4_NL` format.
#[derive(Clone, Copy, Debug)]
pub struct Iq4Nl;

/// The levels: closer together near zero, as weights are.
const LEVELS: [i8; 16] = [
    -127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113,
];

/// The weights of 16 bytes of nibbles.
pub(super) fn levels(bytes: &[u8]) -> [i8; 32] {
    nibbles(bytes).map(|nibble| LEVELS[usize::from(nibble)])
}

/// The weights of 16 bytes of nibbles of 16 rows.
#[inline(always)]
pub(super) fn level_words<I: Isa>(isa: I, bytes: [I::Words; 4]) -> [I::Words; 8] {
    const TABLE: [u8; 16] = {
        let mut bytes = [0; 16];
        let mut i = 0;
        while i < 16 {
            bytes[i] = LEVELS[i].cast_unsigned();
            i += 1;
        }
        bytes
    };
    each(
        split_nibbles(isa, bytes),
        #[inline(always)]
        |words| isa.signed_operand(isa.lookup(&TABLE, words)),
    )
}

impl Layout for Iq4Nl {
    const FORMAT: Format = Format::IQ4_NL;
    const GROUPS: usize = 1;

    block_of!(18);

    fn group(block: &[u8], _: usize) -> Group {
        Group::plain(levels(&block[2..]), half(block, 0))
    }

    #[inline(always)]
    fn unpack<I: Isa>(isa: I, rows: [&[u8; 18]; 16], mut visit: impl FnMut(usize, Panel<I>)) {
        let scale = isa.halves_to_reals(two_columns(isa, rows, 0)[0]);
        visit(
            0,
            Panel::plain(isa, level_words(isa, columns(isa, rows, 2)), scale),
        );
    }
}

//! `Q4_1`: 4 bits per weight, a scale and a minimum per 32.
//!
//! ```text
//! byte  0       2     4                20
//!       ├ scale ┼ min ┼ nibbles ───────┤
//!         f16     f16   16 × u8
//! ```
//!
//! Byte `i` of the nibbles holds weight `i` (low) and weight `i + 16` (high). The file's minimum
//! is added, so it is read with its sign turned.

use super::group::{Group, Layout, Panel, block_of};
use super::read::{columns, half, nibbles, split_nibbles, two_columns};
use crate::{Format, Isa};

/// The `Q4_1` format.
#[derive(Clone, Copy, Debug)]
pub struct Q4_1;

impl Layout for Q4_1 {
    const FORMAT: Format = Format::Q4_1;
    const GROUPS: usize = 1;
    const MIN: bool = true;
    const SIGNED: bool = false;

    block_of!(20);

    fn group(block: &[u8], _: usize) -> Group {
        let quants = nibbles(&block[4..]).map(u8::cast_signed);
        Group {
            min: -half(block, 2),
            ..Group::plain(quants, half(block, 0))
        }
    }

    #[inline(always)]
    fn unpack<I: Isa>(isa: I, rows: [&[u8; 20]; 16], mut visit: impl FnMut(usize, Panel<I>)) {
        let head = two_columns(isa, rows, 0)[0];
        let quants = split_nibbles(isa, columns(isa, rows, 4));
        let min = isa.sub(
            isa.splat(-0.0),
            isa.halves_to_reals(isa.shift_right::<16>(head)),
        );
        visit(
            0,
            Panel {
                min,
                ..Panel::plain(isa, quants, isa.halves_to_reals(head))
            },
        );
    }
}

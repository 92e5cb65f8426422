//! `Q5_1`: 5 bits per weight, a scale and a minimum per 32.
//!
//! ```text
//! byte  0       2     4            8                24
//!       ├ scale ┼ min ┼ fifth bits ┼ nibbles ───────┤
//!         f16     f16   u32          16 × u8
//! ```
//!
//! Bits as in `Q5_0`, minimum as in `Q4_1`.

use super::group::{Group, Layout, Panel, block_of};
use super::q5_0::fifth;
use super::read::{columns, half, nibbles, split_nibbles, two_columns, with_fifth_bits};
use crate::{Format, Isa};

/// The `Q5_1` format.
#[derive(Clone, Copy, Debug)]
pub struct Q5_1;

impl Layout for Q5_1 {
    const FORMAT: Format = Format::Q5_1;
    const GROUPS: usize = 1;
    const MIN: bool = true;
    const SIGNED: bool = false;

    block_of!(24);

    fn group(block: &[u8], _: usize) -> Group {
        let quants = fifth(nibbles(&block[8..]), &block[4..8]).map(u8::cast_signed);
        Group {
            min: -half(block, 2),
            ..Group::plain(quants, half(block, 0))
        }
    }

    #[inline(always)]
    fn unpack<I: Isa>(isa: I, rows: [&[u8; 24]; 16], mut visit: impl FnMut(usize, Panel<I>)) {
        let [head, bits] = two_columns(isa, rows, 0);
        let quants = with_fifth_bits(isa, split_nibbles(isa, columns(isa, rows, 8)), bits);
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

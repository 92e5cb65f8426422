//! `MXFP4`: 4-bit floats (E2M1) and a power of two per 32.
//!
//! ```text
//! byte  0          1                17
//!       ├ exponent ┼ nibbles ───────┤
//!         u8         16 × u8
//! ```
//!
//! Byte `i` of the nibbles holds weight `i` (low) and weight `i + 16` (high). The table holds twice
//! the floats' values, so the scale is half the power of two: `2^(exponent − 128)`.

use super::group::{Group, Layout, Panel, block_of};
use super::read::{columns, each, nibbles, split_nibbles};
use crate::{Format, Isa};

/// The `MXFP4` format.
#[derive(Clone, Copy, Debug)]
pub struct Mxfp4;

/// Twice the value of every E2M1 float.
pub(super) const DOUBLED: [i8; 16] = [0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12];

/// `2^(exponent − 128)`, below the normal range too.
fn power(exponent: u8) -> f32 {
    let exponent = u32::from(exponent);
    f32::from_bits(if exponent < 2 {
        0x0020_0000 << exponent
    } else {
        (exponent - 1) << 23
    })
}

impl Layout for Mxfp4 {
    const FORMAT: Format = Format::MXFP4;
    const GROUPS: usize = 1;

    block_of!(17);

    fn group(block: &[u8], _: usize) -> Group {
        let quants = nibbles(&block[1..]).map(|nibble| DOUBLED[usize::from(nibble)]);
        Group::plain(quants, power(block[0]))
    }

    #[inline(always)]
    fn unpack<I: Isa>(isa: I, rows: [&[u8; 17]; 16], mut visit: impl FnMut(usize, Panel<I>)) {
        let table = DOUBLED.map(i8::cast_unsigned);
        let bytes = columns(isa, rows, 1);
        let quants = each(
            split_nibbles(isa, bytes),
            #[inline(always)]
            |words| isa.signed_operand(isa.lookup(&table, words)),
        );
        let scale = isa.load(&rows.map(|row| power(row[0])));
        visit(0, Panel::plain(isa, quants, scale));
    }
}

//! `Q8_0`: one signed byte per weight and a scale per 32.
//!
//! ```text
//! byte  0       2                34
//!       ├ scale ┼ weights ───────┤
//!         f16     32 × i8
//! ```

use super::group::{Group, Layout, Panel, block_of};
use super::read::{each, half, two_columns, wide_columns};
use crate::{Format, Isa};

/// The `Q8_0` format.
#[derive(Clone, Copy, Debug)]
pub struct Q8_0;

impl Layout for Q8_0 {
    const FORMAT: Format = Format::Q8_0;
    const GROUPS: usize = 1;

    block_of!(34);

    fn group(block: &[u8], _: usize) -> Group {
        Group::plain(
            std::array::from_fn(|i| block[2 + i].cast_signed()),
            half(block, 0),
        )
    }

    #[inline(always)]
    fn unpack<I: Isa>(isa: I, rows: [&[u8; 34]; 16], mut visit: impl FnMut(usize, Panel<I>)) {
        let scale = isa.halves_to_reals(two_columns(isa, rows, 0)[0]);
        let quants = each(
            wide_columns(isa, rows, 2),
            #[inline(always)]
            |words| isa.signed_operand(words),
        );
        visit(0, Panel::plain(isa, quants, scale));
    }
}

//! `IQ4_XS`: 4 bits per weight through the levels of `IQ4_NL`, and a 6-bit scale per 32.
//!
//! ```text
//! byte  0       2             4            8               136
//!       ├ scale ┼ top bits ───┼ low bits ──┼ nibbles ──────┤
//!         f16     8 × u2        8 × u4       8 × 16 × u8
//! ```
//!
//! Bytes `16 g ..` of the nibbles hold group `g` as in `IQ4_NL`; scales are stored plus 32.

use super::group::{Group, Layout, Panel, block_of};
use super::iq4_nl::{level_words, levels};
use super::read::{columns, field, half, two_columns};
use crate::{Format, Isa};

/// The `IQ4_XS` format.
#[derive(Clone, Copy, Debug)]
pub struct Iq4Xs;

/// The scale of the group whose bits are lowest in `low` and `high`.
#[inline(always)]
fn scale_of<I: Isa>(isa: I, scale: I::Reals, low: I::Words, high: I::Words) -> I::Reals {
    let four = isa.and(low, isa.splat_word(15));
    let two = isa.and(high, isa.splat_word(3));
    let six = isa.to_reals(isa.or(four, isa.shift_left::<4>(two)));
    isa.mul(scale, isa.sub(six, isa.splat(32.0)))
}

impl Layout for Iq4Xs {
    const FORMAT: Format = Format::IQ4_XS;
    const GROUPS: usize = 8;

    block_of!(136);

    fn group(block: &[u8], index: usize) -> Group {
        let low = block[4 + index / 2] >> (4 * (index % 2)) & 15;
        let high = block[2 + index / 4] >> (2 * (index % 4)) & 3;
        let scale = f32::from((low | high << 4).cast_signed() - 32);
        Group::plain(levels(&block[8 + 16 * index..]), half(block, 0) * scale)
    }

    #[inline(always)]
    fn unpack<I: Isa>(isa: I, rows: [&[u8; 136]; 16], mut visit: impl FnMut(usize, Panel<I>)) {
        let [head, mut low] = two_columns(isa, rows, 0);
        let mut high = field::<I, 16>(isa, head, 0xffff);
        let scale = isa.halves_to_reals(head);
        for group in 0..8 {
            let quants = level_words(isa, columns(isa, rows, 8 + 16 * group));
            visit(
                group,
                Panel::plain(isa, quants, scale_of(isa, scale, low, high)),
            );
            low = isa.shift_right::<4>(low);
            high = isa.shift_right::<2>(high);
        }
    }
}

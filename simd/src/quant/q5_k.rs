//! `Q5_K`: 5 bits per weight; a 6-bit scale and a 6-bit minimum per 32.
//!
//! ```text
//! byte  0       2     4               16            48               176
//!       ├ scale ┼ min ┼ scales, mins ─┼ fifth bits ─┼ nibbles ───────┤
//!         f16     f16   2 × 8 × u6      32 × 8 × u1   4 × 32 × u8
//! ```
//!
//! As `Q4_K`; bit `g` of fifth byte `i` is the top bit of weight `i` of group `g`.

use super::group::{Factors, Group, Layout, Panel, block_of};
use super::in_place::{fold_two, sixty_four, twice, two};
use super::q4_k::{Scales, scale_and_min};
use super::read::{each, field, half, join, wide_columns};
use crate::input::InputGroup;
use crate::{Format, Isa};

/// The `Q5_K` format.
#[derive(Clone, Copy, Debug)]
pub struct Q5K;

impl Layout for Q5K {
    const FORMAT: Format = Format::Q5_K;
    const GROUPS: usize = 8;
    const MIN: bool = true;
    const SIGNED: bool = false;
    const IN_PLACE: bool = true;

    block_of!(176);

    fn group(block: &[u8], index: usize) -> Group {
        let bytes = &block[48 + 32 * (index / 2)..];
        let (scale, min) = scale_and_min(&block[4..16], index);
        let quants = std::array::from_fn(|i| {
            let low = bytes[i] >> (4 * (index % 2)) & 15;
            (low | (block[16 + i] >> index & 1) << 4).cast_signed()
        });
        Group {
            min: half(block, 2) * min,
            ..Group::plain(quants, half(block, 0) * scale)
        }
    }

    #[inline(always)]
    fn unpack<I: Isa>(isa: I, rows: [&[u8; 176]; 16], mut visit: impl FnMut(usize, Panel<I>)) {
        let scales = Scales::read(isa, rows);
        let mut fifth = wide_columns(isa, rows, 16);
        for four in 0..2 {
            let [scale, min] = scales.four(isa, four);
            for two in 0..2 {
                let bytes = wide_columns(isa, rows, 48 + 32 * (2 * four + two));
                let group = 4 * four + 2 * two;
                let low = each(
                    bytes,
                    #[inline(always)]
                    |words| isa.and(words, isa.splat_word(0x0f0f_0f0f)),
                );
                let low = join(
                    isa,
                    low,
                    each(
                        fifth,
                        #[inline(always)]
                        |words| isa.shift_left::<4>(words),
                    ),
                    0x1010_1010,
                );
                visit(
                    group,
                    Panel {
                        min: min[2 * two],
                        ..Panel::plain(isa, low, scale[2 * two])
                    },
                );
                let high = each(
                    bytes,
                    #[inline(always)]
                    |words| field::<I, 4>(isa, words, 0x0f0f_0f0f),
                );
                let high = join(
                    isa,
                    high,
                    each(
                        fifth,
                        #[inline(always)]
                        |words| isa.shift_left::<3>(words),
                    ),
                    0x1010_1010,
                );
                visit(
                    group + 1,
                    Panel {
                        min: min[2 * two + 1],
                        ..Panel::plain(isa, high, scale[2 * two + 1])
                    },
                );
                fifth = each(
                    fifth,
                    #[inline(always)]
                    |words| isa.shift_right::<2>(words),
                );
            }
        }
    }

    #[inline(always)]
    fn fold<I: Isa>(isa: I, rows: [&[u8; 176]; 4], x: &[InputGroup]) -> [I::Words; 4] {
        let (nibble, fifth) = (isa.splat_word(0x0f0f_0f0f), isa.splat_word(0x1010_1010));
        let mut folded = [isa.splat_word(0); 4];
        for half in 0..2 {
            let x = &x[4 * half..][..4];
            let [low, high] = fold_two(
                isa,
                [isa.splat_word(0); 2],
                [two(isa, &x[0], &x[2]), two(isa, &x[1], &x[3])],
                #[inline(always)]
                |row| {
                    let bytes = sixty_four(isa, rows[row], 48 + 64 * half);
                    let mut bits = twice(isa, rows[row], 16);
                    if half == 1 {
                        bits = isa.shift_right::<4>(bits);
                    }
                    let low = isa.and(isa.shift_two_left::<4, 2>(bits), fifth);
                    let high = isa.and(isa.shift_two_left::<3, 1>(bits), fifth);
                    [
                        isa.or(isa.and(bytes, nibble), low),
                        isa.or(isa.and(isa.shift_right::<4>(bytes), nibble), high),
                    ]
                },
            );
            folded[2 * half] = low;
            folded[2 * half + 1] = high;
        }
        folded
    }

    #[inline(always)]
    fn join<I: Isa>(
        isa: I,
        rows: [&[u8; 176]; 16],
        folded: [[I::Words; 4]; 4],
        visit: impl FnMut(usize, [I::Words; 2], Factors<I>),
    ) {
        Scales::read(isa, rows).join(isa, folded, visit);
    }
}

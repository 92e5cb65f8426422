//! `Q6_K`: 6 bits per weight and a signed 8-bit scale per 16.
//!
//! ```text
//! byte  0                128          192        208     210
//!       ├ nibbles ───────┼ pairs ─────┼ scales ──┼ scale ┤
//!         2 × 64 × 2 × u4  2 × 32 × 4   16 × i8    f16
//! ```
//!
//! A block is two halves of 128 weights. In each, byte `32 r + i` of the nibbles holds weight `i`
//! of groups `r` (low) and `r + 2` (high); byte `i` of the pairs holds the top two bits of weight
//! `i` of groups 0, 1, 2, 3, lowest first. Stored plus 32.

use super::group::{Factors, Group, Layout, Panel, block_of};
use super::in_place::{fold_two, lowered, sixty_four, twice, two};
use super::read::{columns, each, field, half, join, signed_byte_reals, wide_columns};
use crate::input::InputGroup;
use crate::{Format, Isa};

/// The `Q6_K` format.
#[derive(Clone, Copy, Debug)]
pub struct Q6K;

/// The low nibbles of every byte.
#[inline(always)]
fn low<I: Isa>(isa: I, bytes: [I::Words; 8]) -> [I::Words; 8] {
    each(
        bytes,
        #[inline(always)]
        |words| isa.and(words, isa.splat_word(0x0f0f_0f0f)),
    )
}

/// The high nibbles of every byte.
#[inline(always)]
fn high<I: Isa>(isa: I, bytes: [I::Words; 8]) -> [I::Words; 8] {
    each(
        bytes,
        #[inline(always)]
        |words| field::<I, 4>(isa, words, 0x0f0f_0f0f),
    )
}

impl Layout for Q6K {
    const FORMAT: Format = Format::Q6_K;
    const GROUPS: usize = 8;
    const HALVES: bool = true;
    const SIGNED: bool = false;
    const OFFSET: i32 = 32;
    const IN_PLACE: bool = true;

    block_of!(210);

    fn group(block: &[u8], index: usize) -> Group {
        let (part, within) = (index / 4, index % 4);
        let nibbles = &block[64 * part + 32 * (within % 2)..];
        let pairs = &block[128 + 32 * part..];
        let quants = std::array::from_fn(|i| {
            let low = nibbles[i] >> (4 * (within / 2)) & 15;
            (low | (pairs[i] >> (2 * within) & 3) << 4).cast_signed() - 32
        });
        let halves = [0, 1].map(|j| f32::from(block[192 + 2 * index + j].cast_signed()));
        Group {
            halves,
            ..Group::plain(quants, half(block, 208))
        }
    }

    #[inline(always)]
    fn unpack<I: Isa>(isa: I, rows: [&[u8; 210]; 16], mut visit: impl FnMut(usize, Panel<I>)) {
        let scale = isa.halves_to_reals(isa.shift_right::<16>(columns(isa, rows, 194)[3]));
        let scales = columns(isa, rows, 192);
        for part in 0..2 {
            let even = wide_columns(isa, rows, 64 * part);
            let odd = wide_columns(isa, rows, 64 * part + 32);
            let pairs = wide_columns(isa, rows, 128 + 32 * part);
            let first = signed_byte_reals(isa, scales[2 * part]);
            let second = signed_byte_reals(isa, scales[2 * part + 1]);
            let quants = join(
                isa,
                low(isa, even),
                each(
                    pairs,
                    #[inline(always)]
                    |words| isa.shift_left::<4>(words),
                ),
                0x3030_3030,
            );
            visit(
                4 * part,
                Panel {
                    halves: [first[0], first[1]],
                    ..Panel::plain(isa, quants, scale)
                },
            );
            let quants = join(
                isa,
                low(isa, odd),
                each(
                    pairs,
                    #[inline(always)]
                    |words| isa.shift_left::<2>(words),
                ),
                0x3030_3030,
            );
            visit(
                4 * part + 1,
                Panel {
                    halves: [first[2], first[3]],
                    ..Panel::plain(isa, quants, scale)
                },
            );
            let quants = join(isa, high(isa, even), pairs, 0x3030_3030);
            visit(
                4 * part + 2,
                Panel {
                    halves: [second[0], second[1]],
                    ..Panel::plain(isa, quants, scale)
                },
            );
            let quants = join(
                isa,
                high(isa, odd),
                each(
                    pairs,
                    #[inline(always)]
                    |words| isa.shift_right::<2>(words),
                ),
                0x3030_3030,
            );
            visit(
                4 * part + 3,
                Panel {
                    halves: [second[2], second[3]],
                    ..Panel::plain(isa, quants, scale)
                },
            );
        }
    }

    #[inline(always)]
    fn fold<I: Isa>(isa: I, rows: [&[u8; 210]; 4], x: &[InputGroup]) -> [I::Words; 4] {
        let (nibble, pair) = (isa.splat_word(0x0f0f_0f0f), isa.splat_word(0x3030_3030));
        let mut folded = [isa.splat_word(0); 4];
        for part in 0..2 {
            let x = &x[4 * part..][..4];
            let x = [two(isa, &x[0], &x[1]), two(isa, &x[2], &x[3])];
            let [low, high] = fold_two(
                isa,
                [lowered::<I, 32>(isa, x[0]), lowered::<I, 32>(isa, x[1])],
                x,
                #[inline(always)]
                |row| {
                    let bytes = sixty_four(isa, rows[row], 64 * part);
                    let pairs = twice(isa, rows[row], 128 + 32 * part);
                    let low = isa.and(isa.shift_two_left::<4, 2>(pairs), pair);
                    let high = isa.and(isa.shift_two_right::<0, 2>(pairs), pair);
                    [
                        isa.or(isa.and(bytes, nibble), low),
                        isa.or(isa.and(isa.shift_right::<4>(bytes), nibble), high),
                    ]
                },
            );
            folded[2 * part] = low;
            folded[2 * part + 1] = high;
        }
        folded
    }

    #[inline(always)]
    fn join<I: Isa>(
        isa: I,
        rows: [&[u8; 210]; 16],
        folded: [[I::Words; 4]; 4],
        mut visit: impl FnMut(usize, [I::Words; 2], Factors<I>),
    ) {
        let scale = isa.halves_to_reals(isa.shift_right::<16>(columns(isa, rows, 194)[3]));
        let scales = columns(isa, rows, 192);
        for pair in 0..4 {
            let halves = signed_byte_reals(isa, scales[pair]);
            let [a, b, c, d] = folded;
            let sums = isa.join_four([a[pair], b[pair], c[pair], d[pair]]);
            for one in 0..2 {
                visit(
                    2 * pair + one,
                    [sums[2 * one], sums[2 * one + 1]],
                    Factors {
                        halves: [halves[2 * one], halves[2 * one + 1]],
                        ..Factors::plain(isa, scale)
                    },
                );
            }
        }
    }
}

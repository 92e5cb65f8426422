//! `Q3_K`: 3 bits per weight and a 6-bit scale per 16.
//!
//! ```text
//! byte  0            32                96            108     110
//!       ├ high bits ─┼ pairs ──────────┼ scales ─────┼ scale ┤
//!         32 × 8 × u1  64 × 4 × u2       16 × u6       f16
//! ```
//!
//! Byte `32 h + i` of the pairs holds weight `i` of groups `4 h` to `4 h + 3`, lowest bits first; bit
//! `g` of high byte `i` is the third bit of weight `i` of group `g`. Stored plus 4.
//! The scales' low nibbles fill bytes 0–7 (scales 0–7 low, 8–15 high), their top two bits bytes
//! 8–11: bits `2 k` of byte `8 + j` belong to scale `4 k + j`. Stored plus 32.

use super::group::{Group, Layout, Panel, block_of};
use super::read::{byte_reals, columns, each, field, half, join, straddle, wide_columns};
use crate::{Format, Isa};

/// The `Q3_K` format.
#[derive(Clone, Copy, Debug)]
pub struct Q3K;

/// Scale `j` of the twelve bytes, −32 to 31.
fn sub_scale(packed: &[u8], j: usize) -> f32 {
    let low = packed[j % 8] >> (4 * (j / 8)) & 15;
    let high = packed[8 + j % 4] >> (2 * (j / 4)) & 3;
    f32::from((low | high << 4).cast_signed() - 32)
}

impl Layout for Q3K {
    const FORMAT: Format = Format::Q3_K;
    const GROUPS: usize = 8;
    const HALVES: bool = true;
    const SIGNED: bool = false;
    const OFFSET: i32 = 4;

    block_of!(110);

    fn group(block: &[u8], index: usize) -> Group {
        let pairs = &block[32 + 32 * (index / 4)..];
        let quants = std::array::from_fn(|i| {
            let low = pairs[i] >> (2 * (index % 4)) & 3;
            (low | (block[i] >> index & 1) << 2).cast_signed() - 4
        });
        let halves = [2 * index, 2 * index + 1].map(|j| sub_scale(&block[96..108], j));
        Group {
            halves,
            ..Group::plain(quants, half(block, 108))
        }
    }

    #[inline(always)]
    fn unpack<I: Isa>(isa: I, rows: [&[u8; 110]; 16], mut visit: impl FnMut(usize, Panel<I>)) {
        // The 16 bytes up to the end begin two bytes before the scales.
        let tail = columns(isa, rows, 94);
        let scale = isa.halves_to_reals(isa.shift_right::<16>(tail[3]));
        let low = straddle(isa, tail[0], tail[1]);
        let next = straddle(isa, tail[1], tail[2]);
        let top = straddle(isa, tail[2], tail[3]);
        let nibble = 0x0f0f_0f0f;
        let pair = 0x3030_3030;
        let scales = [
            isa.or(
                isa.and(low, isa.splat_word(nibble)),
                isa.and(isa.shift_left::<4>(top), isa.splat_word(pair)),
            ),
            isa.or(
                isa.and(next, isa.splat_word(nibble)),
                isa.and(isa.shift_left::<2>(top), isa.splat_word(pair)),
            ),
            isa.or(
                field::<I, 4>(isa, low, nibble),
                isa.and(top, isa.splat_word(pair)),
            ),
            isa.or(
                field::<I, 4>(isa, next, nibble),
                field::<I, 2>(isa, top, pair),
            ),
        ];
        let high = wide_columns(isa, rows, 0);
        let pairs = wide_columns(isa, rows, 32);
        let quants = join(
            isa,
            shifted::<I, 0>(isa, pairs),
            each(
                high,
                #[inline(always)]
                |w| isa.shift_left::<2>(w),
            ),
            0x0404_0404,
        );
        visit(0, panel(isa, quants, scale, scales[0], 0));
        let quants = join(
            isa,
            shifted::<I, 2>(isa, pairs),
            each(
                high,
                #[inline(always)]
                |w| isa.shift_left::<1>(w),
            ),
            0x0404_0404,
        );
        visit(1, panel(isa, quants, scale, scales[0], 2));
        let quants = join(isa, shifted::<I, 4>(isa, pairs), high, 0x0404_0404);
        visit(2, panel(isa, quants, scale, scales[1], 0));
        let quants = join(
            isa,
            shifted::<I, 6>(isa, pairs),
            each(
                high,
                #[inline(always)]
                |w| isa.shift_right::<1>(w),
            ),
            0x0404_0404,
        );
        visit(3, panel(isa, quants, scale, scales[1], 2));
        let pairs = wide_columns(isa, rows, 64);
        let quants = join(
            isa,
            shifted::<I, 0>(isa, pairs),
            each(
                high,
                #[inline(always)]
                |w| isa.shift_right::<2>(w),
            ),
            0x0404_0404,
        );
        visit(4, panel(isa, quants, scale, scales[2], 0));
        let quants = join(
            isa,
            shifted::<I, 2>(isa, pairs),
            each(
                high,
                #[inline(always)]
                |w| isa.shift_right::<3>(w),
            ),
            0x0404_0404,
        );
        visit(5, panel(isa, quants, scale, scales[2], 2));
        let quants = join(
            isa,
            shifted::<I, 4>(isa, pairs),
            each(
                high,
                #[inline(always)]
                |w| isa.shift_right::<4>(w),
            ),
            0x0404_0404,
        );
        visit(6, panel(isa, quants, scale, scales[3], 0));
        let quants = join(
            isa,
            shifted::<I, 6>(isa, pairs),
            each(
                high,
                #[inline(always)]
                |w| isa.shift_right::<5>(w),
            ),
            0x0404_0404,
        );
        visit(7, panel(isa, quants, scale, scales[3], 2));
    }
}

/// A panel whose halves are the two bytes from `two` of `scales`.
#[inline(always)]
fn panel<I: Isa>(
    isa: I,
    quants: [I::Words; 8],
    scale: I::Reals,
    scales: I::Words,
    two: usize,
) -> Panel<I> {
    let reals = byte_reals(isa, scales);
    let halves = [
        isa.sub(reals[two], isa.splat(32.0)),
        isa.sub(reals[two + 1], isa.splat(32.0)),
    ];
    Panel {
        halves,
        ..Panel::plain(isa, quants, scale)
    }
}

/// Two bits of every byte.
#[inline(always)]
fn shifted<I: Isa, const SHIFT: i32>(isa: I, words: [I::Words; 8]) -> [I::Words; 8] {
    each(
        words,
        #[inline(always)]
        |words| field::<I, SHIFT>(isa, words, 0x0303_0303),
    )
}

//! `Q2_K`: 2 bits per weight; a 4-bit scale and a 4-bit minimum per 16.
//!
//! ```text
//! byte  0             16                80      82    84
//!       ├ scales ─────┼ pairs ──────────┼ scale ┼ min ┤
//!         16 × 2 × u4   64 × 4 × u2       f16     f16
//! ```
//!
//! Byte `32 h + i` of the pairs holds weight `i` of groups `4 h`, `4 h + 1`, `4 h + 2`, `4 h + 3`,
//! lowest bits first. Byte `j` of the scales belongs to weights `16 j ..`: scale low, minimum high.

use super::group::{Group, Layout, Panel, block_of};
use super::read::{byte_reals, columns, each, field, half, wide_columns};
use crate::{Format, Isa};

/// The `Q2_K` format.
#[derive(Clone, Copy, Debug)]
pub struct Q2K;

/// The scales and mins of four times 16 weights, from their bytes.
#[inline(always)]
fn scales_and_mins<I: Isa>(isa: I, words: I::Words) -> [[I::Reals; 4]; 2] {
    let low = isa.and(words, isa.splat_word(0x0f0f_0f0f));
    [
        byte_reals(isa, low),
        byte_reals(isa, field::<I, 4>(isa, words, 0x0f0f_0f0f)),
    ]
}

/// A panel whose scales and mins are the two from `two`.
#[inline(always)]
fn panel<I: Isa>(
    isa: I,
    quants: [I::Words; 8],
    [scale, min]: [I::Reals; 2],
    [scales, mins]: [[I::Reals; 4]; 2],
    two: usize,
) -> Panel<I> {
    let halves = [scales[two], scales[two + 1]];
    Panel {
        halves,
        min,
        min_halves: [mins[two], mins[two + 1]],
        ..Panel::plain(isa, quants, scale)
    }
}

impl Layout for Q2K {
    const FORMAT: Format = Format::Q2_K;
    const GROUPS: usize = 8;
    const HALVES: bool = true;
    const MIN: bool = true;
    const SIGNED: bool = false;

    block_of!(84);

    fn group(block: &[u8], index: usize) -> Group {
        let pairs = &block[16 + 32 * (index / 4)..];
        let packed = [block[2 * index], block[2 * index + 1]];
        Group {
            quants: std::array::from_fn(|i| (pairs[i] >> (2 * (index % 4)) & 3).cast_signed()),
            scale: half(block, 80),
            halves: packed.map(|byte| f32::from(byte & 15)),
            min: half(block, 82),
            min_halves: packed.map(|byte| f32::from(byte >> 4)),
        }
    }

    #[inline(always)]
    fn unpack<I: Isa>(isa: I, rows: [&[u8; 84]; 16], mut visit: impl FnMut(usize, Panel<I>)) {
        let tail = columns(isa, rows, 68)[3];
        let scale = isa.halves_to_reals(tail);
        let min = isa.halves_to_reals(isa.shift_right::<16>(tail));
        let packed = columns(isa, rows, 0);
        for half in 0..2 {
            let pairs = wide_columns(isa, rows, 16 + 32 * half);
            let first = scales_and_mins(isa, packed[2 * half]);
            let second = scales_and_mins(isa, packed[2 * half + 1]);
            let quants = each(
                pairs,
                #[inline(always)]
                |words| isa.and(words, isa.splat_word(0x0303_0303)),
            );
            visit(4 * half, panel(isa, quants, [scale, min], first, 0));
            let quants = each(
                pairs,
                #[inline(always)]
                |words| field::<I, 2>(isa, words, 0x0303_0303),
            );
            visit(4 * half + 1, panel(isa, quants, [scale, min], first, 2));
            let quants = each(
                pairs,
                #[inline(always)]
                |words| field::<I, 4>(isa, words, 0x0303_0303),
            );
            visit(4 * half + 2, panel(isa, quants, [scale, min], second, 0));
            let quants = each(
                pairs,
                #[inline(always)]
                |words| field::<I, 6>(isa, words, 0x0303_0303),
            );
            visit(4 * half + 3, panel(isa, quants, [scale, min], second, 2));
        }
    }
}

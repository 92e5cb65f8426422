//! `Q4_K`: 4 bits per weight; a 6-bit scale and a 6-bit minimum per 32.
//!
//! ```text
//! byte  0       2     4               16               144
//!       ├ scale ┼ min ┼ scales, mins ─┼ nibbles ───────┤
//!         f16     f16   2 × 8 × u6      4 × 32 × u8
//! ```
//!
//! Byte `32 p + i` of the nibbles holds weight `i` of groups `2 p` (low) and `2 p + 1` (high).
//! Bytes 0–3 and 4–7 of the scales hold the low six bits of scales and mins 0–3; bytes 8–11 the low
//! nibbles of scales (low) and mins (high) 4–7, whose top two bits are the top of bytes 0–7.

use super::group::{Factors, Group, Layout, Panel, block_of};
use super::in_place::{fold_two, sixty_four, two};
use super::read::{byte_reals, columns, each, field, half, wide_columns};
use crate::input::InputGroup;
use crate::{Format, Isa};

/// The `Q4_K` format.
#[derive(Clone, Copy, Debug)]
pub struct Q4K;

/// Scale and minimum `index` of the twelve packed bytes.
pub(super) fn scale_and_min(packed: &[u8], index: usize) -> (f32, f32) {
    let (scale, min) = if index < 4 {
        (packed[index] & 63, packed[index + 4] & 63)
    } else {
        let nibbles = packed[index + 4];
        (
            nibbles & 15 | packed[index - 4] >> 6 << 4,
            nibbles >> 4 | packed[index] >> 6 << 4,
        )
    };
    (f32::from(scale), f32::from(min))
}

/// The scales and mins of 16 blocks that begin as `Q4_K` does.
pub(super) struct Scales<I: Isa> {
    scale: I::Reals,
    min: I::Reals,
    scales: [I::Words; 2],
    mins: [I::Words; 2],
}

impl<I: Isa> Scales<I> {
    /// Reads the first 16 bytes of every block.
    #[inline(always)]
    pub(super) fn read<const N: usize>(isa: I, rows: [&[u8; N]; 16]) -> Self {
        let [head, first, second, third] = columns(isa, rows, 0);
        let (six, four, two) = (0x3f3f_3f3f, 0x0f0f_0f0f, 0x3030_3030);
        Self {
            scale: isa.halves_to_reals(head),
            min: isa.halves_to_reals(isa.shift_right::<16>(head)),
            scales: [
                isa.and(first, isa.splat_word(six)),
                isa.or(
                    isa.and(third, isa.splat_word(four)),
                    field::<I, 2>(isa, first, two),
                ),
            ],
            mins: [
                isa.and(second, isa.splat_word(six)),
                isa.or(
                    field::<I, 4>(isa, third, four),
                    field::<I, 2>(isa, second, two),
                ),
            ],
        }
    }

    /// The scales and mins of the four groups from `4 · half`.
    #[inline(always)]
    pub(super) fn four(&self, isa: I, half: usize) -> [[I::Reals; 4]; 2] {
        [
            each(
                byte_reals(isa, self.scales[half]),
                #[inline(always)]
                |x| isa.mul(self.scale, x),
            ),
            each(
                byte_reals(isa, self.mins[half]),
                #[inline(always)]
                |x| isa.mul(self.min, x),
            ),
        ]
    }
}

impl<I: Isa> Scales<I> {
    /// [`Layout::join`] of vectors that hold groups 0 and 2, 1 and 3, 4 and 6, 5 and 7.
    #[inline(always)]
    pub(super) fn join(
        &self,
        isa: I,
        [a, b, c, d]: [[I::Words; 4]; 4],
        mut visit: impl FnMut(usize, [I::Words; 2], Factors<I>),
    ) {
        for half in 0..2 {
            let [scale, min] = self.four(isa, half);
            let (even, odd) = (2 * half, 2 * half + 1);
            let even = isa.join_two([a[even], b[even], c[even], d[even]]);
            let odd = isa.join_two([a[odd], b[odd], c[odd], d[odd]]);
            for group in 0..4 {
                let sums = if group % 2 == 0 { even } else { odd };
                visit(
                    4 * half + group,
                    [sums[group / 2], isa.splat_word(0)],
                    Factors {
                        min: min[group],
                        ..Factors::plain(isa, scale[group])
                    },
                );
            }
        }
    }
}

impl Layout for Q4K {
    const FORMAT: Format = Format::Q4_K;
    const GROUPS: usize = 8;
    const MIN: bool = true;
    const SIGNED: bool = false;
    const IN_PLACE: bool = true;

    block_of!(144);

    fn group(block: &[u8], index: usize) -> Group {
        let bytes = &block[16 + 32 * (index / 2)..];
        let (scale, min) = scale_and_min(&block[4..16], index);
        Group {
            min: half(block, 2) * min,
            ..Group::plain(
                std::array::from_fn(|i| (bytes[i] >> (4 * (index % 2)) & 15).cast_signed()),
                half(block, 0) * scale,
            )
        }
    }

    #[inline(always)]
    fn unpack<I: Isa>(isa: I, rows: [&[u8; 144]; 16], mut visit: impl FnMut(usize, Panel<I>)) {
        let scales = Scales::read(isa, rows);
        for four in 0..2 {
            let [scale, min] = scales.four(isa, four);
            for two in 0..2 {
                let bytes = wide_columns(isa, rows, 16 + 32 * (2 * four + two));
                let group = 4 * four + 2 * two;
                let low = each(
                    bytes,
                    #[inline(always)]
                    |words| isa.and(words, isa.splat_word(0x0f0f_0f0f)),
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
                visit(
                    group + 1,
                    Panel {
                        min: min[2 * two + 1],
                        ..Panel::plain(isa, high, scale[2 * two + 1])
                    },
                );
            }
        }
    }

    #[inline(always)]
    fn fold<I: Isa>(isa: I, rows: [&[u8; 144]; 4], x: &[InputGroup]) -> [I::Words; 4] {
        let mut folded = [isa.splat_word(0); 4];
        for half in 0..2 {
            let x = &x[4 * half..][..4];
            let [low, high] = fold_two(
                isa,
                [isa.splat_word(0); 2],
                [two(isa, &x[0], &x[2]), two(isa, &x[1], &x[3])],
                #[inline(always)]
                |row| {
                    let bytes = sixty_four(isa, rows[row], 16 + 64 * half);
                    [
                        isa.and(bytes, isa.splat_word(0x0f0f_0f0f)),
                        field::<I, 4>(isa, bytes, 0x0f0f_0f0f),
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
        rows: [&[u8; 144]; 16],
        folded: [[I::Words; 4]; 4],
        visit: impl FnMut(usize, [I::Words; 2], Factors<I>),
    ) {
        Scales::read(isa, rows).join(isa, folded, visit);
    }
}

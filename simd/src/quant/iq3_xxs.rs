//! `IQ3_XXS`: 3.06 bits per weight; a point per 4, seven sign bits per 8, a 4-bit scale per 32.
//!
//! ```text
//! byte  0       2          66         98
//!       ├ scale ┼ points ──┼ signs ───┤
//!         f16     64 × u8    8 × u32
//!
//! bit of a u32   0 ······· 28 ····· 32
//!                ├ signs ──┼ scale ─┤
//!                  4 × u7    u4
//! ```
//!
//! Two points make eight weights; the eighth sign makes the number of negative weights even. The
//! weight is `scale · (2 s + 1) / 4 · ±magnitude`.

use super::grid::{concat, even_signs, iq3_point, iq3_xxs::POINTS, signed};
use super::group::{Group, Layout, block_of};
use super::read::{half, small, word};
use crate::Format;

/// The `IQ3_XXS` format.
#[derive(Clone, Copy, Debug)]
pub struct Iq3Xxs;

/// The magnitudes: steps of 8 and a longer last one.
const LEVELS: [i8; 8] = [4, 12, 20, 28, 36, 44, 52, 62];

impl Layout for Iq3Xxs {
    const FORMAT: Format = Format::IQ3_XXS;
    const GROUPS: usize = 8;

    block_of!(98);

    fn group(block: &[u8], index: usize) -> Group {
        let tail = word(block, 66 + 4 * index);
        let parts: [_; 4] = std::array::from_fn(|k| {
            let magnitudes: [i8; 8] = std::array::from_fn(|i| {
                let point = block[2 + 8 * index + 2 * k + i / 4];
                iq3_point(POINTS[usize::from(point)], &LEVELS)[i % 4]
            });
            signed(magnitudes, even_signs(tail >> (7 * k)))
        });
        let scale = half(block, 0) * (0.25 * small(2 * (tail >> 28) + 1));
        Group::plain(concat(parts), scale)
    }
}

//! `IQ2_XXS`: 2.06 bits per weight; a point and seven sign bits per 8, a 4-bit scale per 32.
//!
//! ```text
//! byte  0       2                    66
//!       ├ scale ┼ groups ────────────┤
//!         f16     8 × (4 × u8, u32)
//!
//! bit of the u32   0 ······· 28 ····· 32
//!                  ├ signs ──┼ scale ─┤
//!                    4 × u7    u4
//! ```
//!
//! The four bytes are indices of points, the seven signs of each leave out the last, which makes
//! the number of negative weights even. The weight is `scale · (2 s + 1) / 8 · ±magnitude`.

use super::grid::{concat, even_signs, iq2_point, iq2_xxs::POINTS, signed};
use super::group::{Group, Layout, block_of};
use super::read::{half, small, word};
use crate::Format;

/// The `IQ2_XXS` format.
#[derive(Clone, Copy, Debug)]
pub struct Iq2Xxs;

impl Layout for Iq2Xxs {
    const FORMAT: Format = Format::IQ2_XXS;
    const GROUPS: usize = 8;

    block_of!(66);

    fn group(block: &[u8], index: usize) -> Group {
        let at = 2 + 8 * index;
        let tail = word(block, at + 4);
        let parts: [_; 4] = std::array::from_fn(|k| {
            let point = POINTS[usize::from(block[at + k])];
            signed(iq2_point(point), even_signs(tail >> (7 * k)))
        });
        let scale = half(block, 0) * (0.125 * small(2 * (tail >> 28) + 1));
        Group::plain(concat(parts), scale)
    }
}

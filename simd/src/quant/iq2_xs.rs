//! `IQ2_XS`: 2.31 bits per weight; a point and seven sign bits per 8, a 4-bit scale per 16.
//!
//! ```text
//! byte  0       2                66            74
//!       ├ scale ┼ points ────────┼ scales ─────┤
//!         f16     32 × (u9, u7)    8 × 2 × u4
//! ```
//!
//! The low nine bits of a 16-bit integer are the index of a point, the others its signs, of which
//! the eighth makes the number of negative weights even. Byte `g` of the scales belongs to group
//! `g`, low nibble first. The weight is `scale · (2 s + 1) / 8 · ±magnitude`.

use super::grid::{concat, even_signs, iq2_point, iq2_xs::POINTS, signed};
use super::group::{Group, Layout, block_of};
use super::read::{half, nibble_pair};
use crate::Format;

/// The `IQ2_XS` format.
#[derive(Clone, Copy, Debug)]
pub struct Iq2Xs;

impl Layout for Iq2Xs {
    const FORMAT: Format = Format::IQ2_XS;
    const GROUPS: usize = 8;
    const HALVES: bool = true;

    block_of!(74);

    fn group(block: &[u8], index: usize) -> Group {
        let parts: [_; 4] = std::array::from_fn(|k| {
            let at = 2 + 8 * index + 2 * k;
            let packed = u16::from_le_bytes([block[at], block[at + 1]]);
            let point = POINTS[usize::from(packed & 511)];
            signed(iq2_point(point), even_signs(u32::from(packed >> 9)))
        });
        Group {
            halves: nibble_pair(block[66 + index]).map(|s| f32::from(2 * s + 1)),
            ..Group::plain(concat(parts), 0.125 * half(block, 0))
        }
    }
}

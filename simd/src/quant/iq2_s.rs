//! `IQ2_S`: 2.56 bits per weight; a point and eight sign bits per 8, a 4-bit scale per 16.
//!
//! ```text
//! byte  0       2          34        66          74            82
//!       ├ scale ┼ points ──┼ signs ──┼ high bits ┼ scales ─────┤
//!         f16     32 × u8    32 × u8   8 × 4 × u2  8 × 2 × u4
//! ```
//!
//! Byte `g` of the high bits holds the top two bits of the four indices of group `g`, lowest first.
//! Bit `i` of a sign byte makes weight `i` of its eight negative. Byte `g` of the scales belongs to
//! group `g`, low nibble first. The weight is `scale · (2 s + 1) / 8 · ±magnitude`.

use super::grid::{concat, iq2_point, iq2_s::POINTS, signed};
use super::group::{Group, Layout, block_of};
use super::read::{half, nibble_pair};
use crate::Format;

/// The `IQ2_S` format.
#[derive(Clone, Copy, Debug)]
pub struct Iq2S;

impl Layout for Iq2S {
    const FORMAT: Format = Format::IQ2_S;
    const GROUPS: usize = 8;
    const HALVES: bool = true;

    block_of!(82);

    fn group(block: &[u8], index: usize) -> Group {
        let high = block[66 + index];
        let parts: [_; 4] = std::array::from_fn(|k| {
            let at = 2 + 4 * index + k;
            let point = usize::from(block[at]) | usize::from(high >> (2 * k) & 3) << 8;
            signed(iq2_point(POINTS[point]), block[at + 32])
        });
        Group {
            halves: nibble_pair(block[74 + index]).map(|s| f32::from(2 * s + 1)),
            ..Group::plain(concat(parts), 0.125 * half(block, 0))
        }
    }
}

//! `IQ1_S`: 1.56 bits per weight; a ternary point per 8, a 3-bit scale and a shift per 32.
//!
//! ```text
//! byte  0       2          34        50
//!       ├ scale ┼ points ──┼ tails ──┤
//!         f16     32 × u8    8 × u16
//!
//! bit of a tail   0 ············ 12 ····· 15 ···· 16
//!                 ├ high bits ───┼ scale ─┼ shift ┤
//!                   4 × u3         u3       u1
//! ```
//!
//! The high bits are the top three of the group's indices. The shift moves all 32 ternary weights
//! up (0) or down (1) by an eighth: the weight is `scale · (2 s + 1) · (t ± 1/8)`, which is read as
//! the integer `8 t ± 1` and an eighth of the scale.

use super::grid::{concat, iq1::POINTS, ternary_point};
use super::group::{Group, Layout, block_of};
use super::read::half;
use crate::Format;

/// The `IQ1_S` format.
#[derive(Clone, Copy, Debug)]
pub struct Iq1S;

/// The weights of a point, shifted, in eighths; only the low three bits of `high` count.
pub(super) fn eighths(low: u8, high: u16, shifted_down: bool) -> [i8; 8] {
    let point = POINTS[usize::from(low) | usize::from(high & 7) << 8];
    let shift = if shifted_down { -1 } else { 1 };
    ternary_point(point).map(|t| 8 * t + shift)
}

impl Layout for Iq1S {
    const FORMAT: Format = Format::IQ1_S;
    const GROUPS: usize = 8;

    block_of!(50);

    fn group(block: &[u8], index: usize) -> Group {
        let tail = u16::from_le_bytes([block[34 + 2 * index], block[35 + 2 * index]]);
        let parts: [_; 4] = std::array::from_fn(|k| {
            eighths(block[2 + 4 * index + k], tail >> (3 * k), tail >> 15 == 1)
        });
        let step = f32::from(2 * (tail >> 12 & 7) + 1);
        Group::plain(concat(parts), half(block, 0) * (0.125 * step))
    }
}

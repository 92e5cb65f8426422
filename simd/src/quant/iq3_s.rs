//! `IQ3_S`: 3.44 bits per weight; a point per 4, eight sign bits per 8, a 4-bit scale per 32.
//!
//! ```text
//! byte  0       2          66          74        106          110
//!       ├ scale ┼ points ──┼ high bits ┼ signs ──┼ scales ────┤
//!         f16     64 × u8    8 × 8 × u1  32 × u8   4 × 2 × u4
//! ```
//!
//! Bit `k` of high byte `g` is the ninth bit of index `k` of group `g`; two points make eight
//! weights, and bit `i` of a sign byte makes weight `i` of them negative. Byte `j` of the scales
//! holds those of groups `2 j` (low) and `2 j + 1` (high). The weight is
//! `scale · (2 s + 1) · ±magnitude`.

use super::grid::{concat, iq3_point, iq3_s::POINTS, signed};
use super::group::{Group, Layout, block_of};
use super::read::{half, nibble_pair};
use crate::Format;

/// The `IQ3_S` format.
#[derive(Clone, Copy, Debug)]
pub struct Iq3S;

/// The magnitudes.
const LEVELS: [i8; 8] = [1, 3, 5, 7, 9, 11, 13, 15];

impl Layout for Iq3S {
    const FORMAT: Format = Format::IQ3_S;
    const GROUPS: usize = 8;

    block_of!(110);

    fn group(block: &[u8], index: usize) -> Group {
        let high = block[66 + index];
        let parts: [_; 4] = std::array::from_fn(|k| {
            let magnitudes: [i8; 8] = std::array::from_fn(|i| {
                let j = 2 * k + i / 4;
                let point = usize::from(block[2 + 8 * index + j]) | usize::from(high >> j & 1) << 8;
                iq3_point(POINTS[point], &LEVELS)[i % 4]
            });
            signed(magnitudes, block[74 + 4 * index + k])
        });
        let step = nibble_pair(block[106 + index / 2])[index % 2];
        Group::plain(concat(parts), half(block, 0) * f32::from(2 * step + 1))
    }
}

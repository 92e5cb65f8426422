//! `IQ1_M`: 1.75 bits per weight; a ternary point and a shift per 8, a 3-bit scale per 16.
//!
//! ```text
//! byte  0          32             48        56
//!       ├ points ──┼ high bits ───┼ scales ─┤
//!         32 × u8    16 × 2 × u4    4 × u16
//!
//! bit of a u16   0 ········ 12 ·········· 16
//!                ├ scales ──┼ part of f16 ┤
//!                  4 × u3     u4
//! ```
//!
//! A nibble of the high bits holds the top three bits of an index and, as its own top bit, the
//! shift of these eight weights: up (0) or down (1) by an eighth. The block's scale is a half cut
//! into four nibbles, lowest first. The weight is `scale · (2 s + 1) · (t ± 1/8)`, read as the
//! integer `8 t ± 1` and an eighth of the scale.

use super::grid::concat;
use super::group::{Group, Layout, block_of};
use super::iq1_s::eighths;
use crate::Format;
use crate::half_bits::half_to_f32;

/// The `IQ1_M` format.
#[derive(Clone, Copy, Debug)]
pub struct Iq1M;

impl Layout for Iq1M {
    const FORMAT: Format = Format::IQ1_M;
    const GROUPS: usize = 8;
    const HALVES: bool = true;

    block_of!(56);

    fn group(block: &[u8], index: usize) -> Group {
        let scales: [u16; 4] =
            std::array::from_fn(|i| u16::from_le_bytes([block[48 + 2 * i], block[49 + 2 * i]]));
        let bits = (0..4).fold(0, |bits, i| bits | scales[i] >> 12 << (4 * i));
        let parts: [_; 4] = std::array::from_fn(|k| {
            let nibble = block[32 + 2 * index + k / 2] >> (4 * (k % 2));
            eighths(
                block[4 * index + k],
                u16::from(nibble),
                nibble >> 3 & 1 == 1,
            )
        });
        let halves = [2 * index, 2 * index + 1].map(|j| {
            let step = scales[j / 4] >> (3 * (j % 4)) & 7;
            f32::from(2 * step + 1)
        });
        Group {
            halves,
            ..Group::plain(concat(parts), 0.125 * half_to_f32(bits))
        }
    }
}

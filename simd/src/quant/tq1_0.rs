//! `TQ1_0`: 1.69 bits per weight; five ternary weights in a byte and a scale per 256.
//!
//! ```text
//! byte  0         32        48      52      54
//!       ├ fives ──┼ fives ──┼ fours ┼ scale ┤
//!         32 × u8   16 × u8   4 × u8  f16
//! weight 0         160       240     256
//! ```
//!
//! A byte is `⌈256 n / 243⌉` of a base-3 number `n` of five digits: multiplied by 3 its overflow is
//! the first digit and the low byte goes on to the next, which belongs to the weight a whole
//! section's width (32, 16 or 4) further on. Digits 0 to 2 are weights −1 to 1; bytes of the last
//! section have four digits and a spare one.

use super::group::{Group, Layout, block_of};
use super::read::half;
use crate::Format;

/// The `TQ1_0` format.
#[derive(Clone, Copy, Debug)]
pub struct Tq1_0;

/// Digit `digit` of a byte, less one.
fn trit(byte: u8, digit: usize) -> i8 {
    const POWERS: [u8; 5] = [1, 3, 9, 27, 81];
    let left = byte.wrapping_mul(POWERS[digit]);
    ((u16::from(left) * 3) >> 8).to_le_bytes()[0].cast_signed() - 1
}

impl Layout for Tq1_0 {
    const FORMAT: Format = Format::TQ1_0;
    const GROUPS: usize = 8;

    block_of!(54);

    fn group(block: &[u8], index: usize) -> Group {
        let quants = std::array::from_fn(|i| match 32 * index + i {
            j @ 0..160 => trit(block[j % 32], j / 32),
            j @ 160..240 => trit(block[32 + j % 16], (j - 160) / 16),
            j => trit(block[48 + j % 4], (j - 240) / 4),
        });
        Group::plain(quants, half(block, 52))
    }
}

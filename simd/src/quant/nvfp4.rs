//! `NVFP4`: 4-bit floats (E2M1) and an 8-bit float (E4M3) scale per 16.
//!
//! ```text
//! byte  0        4                      36
//!       ├ scales ┼ nibbles ─────────────┤
//!         4 × u8   4 × 8 × 2 × u4
//! ```
//!
//! Byte `8 j + i` of the nibbles holds weights `i` (low) and `i + 8` (high) of the 16 that scale `j`
//! belongs to. The table holds twice the floats' values, so a scale is read as half its value.

use super::group::{Group, Layout, block_of};
use super::mxfp4::DOUBLED;
use crate::Format;

/// The `NVFP4` format.
#[derive(Clone, Copy, Debug)]
pub struct Nvfp4;

/// Half the value of an E4M3 float: 4 bits of exponent over a bias of 7, 3 of mantissa.
///
/// The top bit does not count, and the one NaN among the positive is 0.
fn half_of_e4m3(bits: u8) -> f32 {
    if bits == 0x7f {
        return 0.0;
    }
    let mantissa = f32::from(bits & 7);
    let exponent = u32::from(bits >> 3 & 15);
    // 2⁻¹⁰ and 2^(exponent − 11) are the last mantissa bits' values, halved.
    let (units, power) = if exponent == 0 {
        (mantissa, 117)
    } else {
        (8.0 + mantissa, 116 + exponent)
    };
    units * f32::from_bits(power << 23)
}

impl Layout for Nvfp4 {
    const FORMAT: Format = Format::NVFP4;
    const GROUPS: usize = 2;
    const HALVES: bool = true;

    block_of!(36);

    fn group(block: &[u8], index: usize) -> Group {
        let quants = std::array::from_fn(|i| {
            let byte = block[4 + 16 * index + 8 * (i / 16) + i % 8];
            DOUBLED[usize::from(byte >> (4 * (i / 8 % 2)) & 15)]
        });
        Group {
            halves: [block[2 * index], block[2 * index + 1]].map(half_of_e4m3),
            ..Group::plain(quants, 1.0)
        }
    }
}

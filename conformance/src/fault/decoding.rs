//! Decoding of weights: how blocks of the main formats are misread.
//!
//! Written from the layouts alone, apart from the engine's decoders; every wrong reading is a right one with one thing changed.

mod k_quants;
mod read;
mod simple;

use super::{Family, Fault};
use crate::reference::{Site, Wrong};
use fidelis_simd::Format;
use k_quants::{Q4K, Q6K};
use read::{read_as, read_shifted};
use simple::{Q5, floats};

const fn fault(name: &'static str, says: &'static str, fix: &'static str, wrong: Wrong) -> Fault {
    Fault {
        name,
        family: Family::Decoding,
        shows: &["*"],
        says,
        fix,
        wrong,
    }
}

const LAYOUT: &str =
    "compare the whole tensor with a reference decoder: this keeps every statistic";

pub(super) const FAULTS: &[Fault] = &[
    fault(
        "q4k-nibble-interleaved",
        "Q4_K: the two nibbles of a byte are taken as neighbours",
        "low nibbles of 32 bytes are 32 weights, high nibbles the next 32",
        |site| {
            q4k(site, &|b| Q4K {
                nibble: Q4K::interleaved,
                ..b
            })
        },
    ),
    fault(
        "q4k-nibble-halves",
        "Q4_K: low nibbles are taken as the first 128 weights, high nibbles as the last",
        "low and high nibbles alternate every 32 weights",
        |site| {
            q4k(site, &|b| Q4K {
                nibble: Q4K::halves,
                ..b
            })
        },
    ),
    fault(
        "q4k-nibble-order",
        "Q4_K: high and low nibbles are exchanged",
        "the low nibble comes first",
        |site| {
            q4k(site, &|b| Q4K {
                nibble: Q4K::exchanged,
                ..b
            })
        },
    ),
    fault(
        "q4k-min-sign",
        "Q4_K: the minimum is added, not subtracted",
        "d · scale · q − dmin · min",
        |site| q4k(site, &|b| Q4K { min_sign: 1.0, ..b }),
    ),
    fault(
        "q4k-min-ignored",
        "Q4_K: the minimum is left out",
        "d · scale · q − dmin · min",
        |site| q4k(site, &|b| Q4K { min_sign: 0.0, ..b }),
    ),
    fault(
        "q4k-scale-div-63",
        "Q4_K: the 6-bit scales are divided by 63",
        "scales are integers; d has the range",
        |site| q4k(site, &|b| Q4K { divisor: 63.0, ..b }),
    ),
    fault(
        "q4k-scales-top-bits-dropped",
        "Q4_K: the upper two bits of the last four scales and minima are dropped",
        "they are in the upper bits of the first eight bytes",
        |site| {
            q4k(site, &|b| Q4K {
                scales: Q4K::without_top_bits,
                ..b
            })
        },
    ),
    fault(
        "q4k-scales-top-bits-swapped",
        "Q4_K: the upper two bits of the last four scales and minima are exchanged",
        "scales take theirs from bytes 0 to 3, minima from 4 to 7",
        |site| {
            q4k(site, &|b| Q4K {
                scales: Q4K::swapped_top_bits,
                ..b
            })
        },
    ),
    fault(
        "q4k-scales-first-rule",
        "Q4_K: the last four scales and minima are read as the first four are",
        "from the fifth on, low and high nibbles of bytes 8 to 11 are scale and minimum",
        |site| {
            q4k(site, &|b| Q4K {
                scales: Q4K::first_rule,
                ..b
            })
        },
    ),
    fault(
        "q4k-scales-bitstream",
        "Q4_K: scales and minima are read as a plain stream of 6-bit numbers",
        "the first four have their own bytes, the last four are split",
        |site| {
            q4k(site, &|b| Q4K {
                scales: Q4K::bitstream,
                ..b
            })
        },
    ),
    fault(
        "q4k-scale-min-swapped",
        "Q4_K: scales and minima are exchanged",
        "bytes 0 to 3 are scales, 4 to 7 minima",
        |site| {
            q4k(site, &|b| Q4K {
                scales: Q4K::exchanged_scales,
                ..b
            })
        },
    ),
    fault(
        "q4k-d-dmin-swapped",
        "Q4_K: d and dmin are exchanged",
        "d is the first half, dmin the second",
        |site| {
            q4k(site, &|b| Q4K {
                exchange: true,
                ..b
            })
        },
    ),
    fault(
        "q4k-signed",
        "Q4_K: 8 is subtracted from the quants, which are unsigned",
        "quants are 0 to 15; the minimum makes weights negative",
        |site| q4k(site, &|b| Q4K { offset: 8.0, ..b }),
    ),
    fault(
        "q6k-sequential",
        "Q6_K: the four weights of a byte's bit pairs are taken as neighbours",
        "they are 32 weights apart",
        |site| {
            q6k(site, &|b| Q6K {
                sequential: true,
                ..b
            })
        },
    ),
    fault(
        "q6k-no-offset",
        "Q6_K: 32 is not subtracted from the quants",
        "quants are 0 to 63, weights −32 to 31",
        |site| q6k(site, &|b| Q6K { offset: 0.0, ..b }),
    ),
    fault(
        "q6k-high-bits-dropped",
        "Q6_K: the upper two bits of the quants are dropped",
        "they are in the 64 bytes after the low nibbles",
        |site| q6k(site, &|b| Q6K { high: 0, ..b }),
    ),
    fault(
        "q6k-scale-unsigned",
        "Q6_K: the scales are read as unsigned bytes",
        "scales are signed",
        |site| {
            q6k(site, &|b| Q6K {
                unsigned: true,
                ..b
            })
        },
    ),
    fault(
        "q8_0-unsigned",
        "Q8_0: quants are read as unsigned bytes",
        "quants are signed",
        |site| q8(site, f64::from),
    ),
    fault(
        "q8_0-offset-128",
        "Q8_0: quants are read as unsigned bytes minus 128",
        "quants are signed bytes without offset",
        |site| q8(site, |byte| f64::from(byte) - 128.0),
    ),
    fault(
        "q5_0-high-bit-dropped",
        "Q5_0: the fifth bit is dropped",
        "it is bit i of the 32-bit word before the nibbles",
        |site| {
            q5(site, &|b| Q5 {
                high: Q5::none,
                ..b
            })
        },
    ),
    fault(
        "q5_0-high-bits-reversed",
        "Q5_0: the fifth bits are read from the top",
        "bit i belongs to weight i",
        |site| {
            q5(site, &|b| Q5 {
                high: Q5::reversed,
                ..b
            })
        },
    ),
    fault(
        "q5_0-no-offset",
        "Q5_0: 16 is not subtracted from the quants",
        "quants are 0 to 31, weights −16 to 15",
        |site| q5(site, &|b| Q5 { offset: 0.0, ..b }),
    ),
    fault(
        "q5_0-nibble-interleaved",
        "Q5_0: the two nibbles of a byte are taken as neighbours",
        "low nibbles are the first 16 weights, high nibbles the last",
        |site| {
            q5(site, &|b| Q5 {
                interleaved: true,
                ..b
            })
        },
    ),
    fault(
        "q4_0-nibble-interleaved",
        "Q4_0: the two nibbles of a byte are taken as neighbours",
        "low nibbles are the first 16 weights, high nibbles the last",
        |site| q4(site, 8.0, true),
    ),
    fault(
        "q4_0-no-offset",
        "Q4_0: 8 is not subtracted from the quants",
        "quants are 0 to 15, weights −8 to 7",
        |site| q4(site, 0.0, false),
    ),
    fault(
        "scale-as-bf16",
        "the blocks' scales are read as bf16; they are IEEE halves",
        "d is an IEEE half in every block format",
        |site| {
            read_as(site, |weight, row| match weight.format {
                Format::Q4_K => Some(k_quants::q4k(
                    row,
                    &Q4K {
                        bf16: true,
                        ..Q4K::RIGHT
                    },
                )),
                Format::Q6_K => Some(k_quants::q6k(
                    row,
                    &Q6K {
                        bf16: true,
                        ..Q6K::RIGHT
                    },
                )),
                Format::Q8_0 => Some(simple::q8(row, true, |byte| f64::from(byte.cast_signed()))),
                Format::Q5_0 => Some(simple::q5(
                    row,
                    &Q5 {
                        bf16: true,
                        ..Q5::RIGHT
                    },
                )),
                _ => None,
            })
        },
    ),
    fault(
        "bf16-as-f16",
        "BF16 weights are read as IEEE halves",
        "check the tensor's type before decoding",
        |site| {
            as_type(site, Format::BF16, |bits| {
                half::f16::from_bits(bits).to_f64_const()
            })
        },
    ),
    fault(
        "f16-as-bf16",
        "IEEE halves are read as BF16",
        "check the tensor's type before decoding",
        |site| {
            as_type(site, Format::F16, |bits| {
                half::bf16::from_bits(bits).to_f64_const()
            })
        },
    ),
    fault(
        "block-shift",
        "weights are read one block late",
        LAYOUT,
        read_shifted,
    ),
];

fn q4k(site: &Site<'_, '_>, change: &dyn Fn(Q4K) -> Q4K) -> Option<Vec<f64>> {
    let wrong = change(Q4K::RIGHT);
    read_as(site, |weight, row| {
        (weight.format == Format::Q4_K).then(|| k_quants::q4k(row, &wrong))
    })
}

fn q6k(site: &Site<'_, '_>, change: &dyn Fn(Q6K) -> Q6K) -> Option<Vec<f64>> {
    let wrong = change(Q6K::RIGHT);
    read_as(site, |weight, row| {
        (weight.format == Format::Q6_K).then(|| k_quants::q6k(row, &wrong))
    })
}

fn q5(site: &Site<'_, '_>, change: &dyn Fn(Q5) -> Q5) -> Option<Vec<f64>> {
    let wrong = change(Q5::RIGHT);
    read_as(site, |weight, row| {
        (weight.format == Format::Q5_0).then(|| simple::q5(row, &wrong))
    })
}

fn q4(site: &Site<'_, '_>, offset: f64, interleaved: bool) -> Option<Vec<f64>> {
    read_as(site, |weight, row| {
        (weight.format == Format::Q4_0).then(|| simple::q4(row, offset, interleaved))
    })
}

fn q8(site: &Site<'_, '_>, value: impl Fn(u8) -> f64) -> Option<Vec<f64>> {
    read_as(site, |weight, row| {
        (weight.format == Format::Q8_0).then(|| simple::q8(row, false, &value))
    })
}

fn as_type(site: &Site<'_, '_>, format: Format, value: impl Fn(u16) -> f64) -> Option<Vec<f64>> {
    read_as(site, |weight, row| {
        (weight.format == format).then(|| floats(row, &value))
    })
}

/// A row as these decoders read it; `None` for formats that they do not know.
pub fn read_apart(format: Format, row: &[u8]) -> Option<Vec<f64>> {
    Some(match format {
        Format::Q4_K => k_quants::q4k(row, &Q4K::RIGHT),
        Format::Q6_K => k_quants::q6k(row, &Q6K::RIGHT),
        Format::Q5_0 => simple::q5(row, &Q5::RIGHT),
        Format::Q4_0 => simple::q4(row, 8.0, false),
        Format::Q8_0 => simple::q8(row, false, |byte| f64::from(byte.cast_signed())),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bound::Weights;

    /// The right readings are the engine's; only then is a wrong one wrong in one thing alone.
    #[test]
    fn right_readings_are_the_engines() {
        let bytes: Vec<u8> = (0..4000_u32)
            .map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8)
            .collect();
        let check = |format: Format, ours: &dyn Fn(&[u8]) -> Vec<f64>| {
            let mut row = bytes[..format.bytes_of(512).expect("whole blocks")].to_vec();
            for block in row.chunks_mut(format.block_bytes()) {
                // Scales of moderate size.
                let at = if format == Format::Q6_K { 208 } else { 0 };
                block[at..at + 2].copy_from_slice(&0x2c51_u16.to_le_bytes());
                if format == Format::Q4_K {
                    block[2..4].copy_from_slice(&0x2a07_u16.to_le_bytes());
                }
            }
            assert_eq!(
                ours(&row),
                Weights::decode(format, &row, 512).values,
                "{format}"
            );
        };
        for format in [
            Format::Q4_K,
            Format::Q6_K,
            Format::Q5_0,
            Format::Q4_0,
            Format::Q8_0,
        ] {
            check(format, &|row| read_apart(format, row).expect("known"));
        }
    }
}

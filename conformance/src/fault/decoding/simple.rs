//! Q8_0, Q5_0, Q4_0 and 16-bit floats, and what is misread in them.

use super::k_quants::scale;

pub(super) fn q8(row: &[u8], bf16: bool, value: impl Fn(u8) -> f64) -> Vec<f64> {
    let block = |block: &[u8]| {
        let d = scale([block[0], block[1]], bf16);
        block[2..]
            .iter()
            .map(|&byte| d * value(byte))
            .collect::<Vec<f64>>()
    };
    row.chunks(34).flat_map(block).collect()
}

/// Nibble `i` of 16 bytes.
fn nibble(bytes: &[u8], i: usize, interleaved: bool) -> u8 {
    let (byte, low) = if interleaved {
        (bytes[i / 2], i.is_multiple_of(2))
    } else {
        (bytes[i % 16], i < 16)
    };
    if low { byte & 15 } else { byte >> 4 }
}

pub(super) fn q4(row: &[u8], offset: f64, interleaved: bool) -> Vec<f64> {
    let block = |block: &[u8]| {
        let d = scale([block[0], block[1]], false);
        let value = |i| d * (f64::from(nibble(&block[2..], i, interleaved)) - offset);
        (0..32).map(value).collect::<Vec<f64>>()
    };
    row.chunks(18).flat_map(block).collect()
}

/// How Q5_0 is read.
#[derive(Clone, Copy)]
pub(super) struct Q5 {
    /// The fifth bit of weight `i`.
    pub(super) high: fn(u32, usize) -> u8,
    pub(super) offset: f64,
    pub(super) interleaved: bool,
    pub(super) bf16: bool,
}

impl Q5 {
    pub(super) const RIGHT: Self = Self {
        high: Self::bit,
        offset: 16.0,
        interleaved: false,
        bf16: false,
    };

    fn bit(bits: u32, i: usize) -> u8 {
        (bits >> i & 1) as u8
    }

    pub(super) fn reversed(bits: u32, i: usize) -> u8 {
        Self::bit(bits, 31 - i)
    }

    pub(super) fn none(_: u32, _: usize) -> u8 {
        0
    }
}

pub(super) fn q5(row: &[u8], how: &Q5) -> Vec<f64> {
    let block = |block: &[u8]| {
        let d = scale([block[0], block[1]], how.bf16);
        let bits = u32::from_le_bytes([block[2], block[3], block[4], block[5]]);
        let value = |i| {
            let quant = nibble(&block[6..], i, how.interleaved) | (how.high)(bits, i) << 4;
            d * (f64::from(quant) - how.offset)
        };
        (0..32).map(value).collect::<Vec<f64>>()
    };
    row.chunks(22).flat_map(block).collect()
}

pub(super) fn floats(row: &[u8], value: impl Fn(u16) -> f64) -> Vec<f64> {
    let bits = row
        .as_chunks::<2>()
        .0
        .iter()
        .map(|bytes| u16::from_le_bytes(*bytes));
    bits.map(value).collect()
}

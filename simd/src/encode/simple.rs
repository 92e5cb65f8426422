//! Blocks of 32 with a scale, and perhaps a minimum, of their own.

use super::fit::{self, Min, Pairs};
use super::lanes::{Integers, Lanes, best, lanes};
use super::scaled::{Scaled, Stored};

/// Where the value of largest magnitude sits among the integers −8 to 7, in steps.
const STARTS_4: Lanes = [
    -8.8, -8.5, -8.25, -8.0, -7.8, -7.6, -7.4, -7.2, 6.4, 6.6, 6.8, 7.0, 7.2, 7.4, 7.7, 8.0,
];
/// The same among −16 to 15.
const STARTS_5: Lanes = [
    -16.8, -16.5, -16.25, -16.0, -15.8, -15.6, -15.4, -15.2, 14.4, 14.6, 14.8, 15.0, 15.2, 15.4,
    15.6, 16.0,
];
/// The same among −127 to 127.
const STARTS_8: Lanes = [
    125.2, 125.5, 125.8, 126.0, 126.2, 126.4, 126.6, 126.8, 127.0, 127.1, 127.2, 127.3, 127.4,
    127.5, 127.7, 128.0,
];

/// How far inside the integers the lowest and the highest value sit, in steps.
pub(super) const ENDS: [[f32; 2]; 16] = {
    const INSETS: [f32; 4] = [-0.4, 0.1, 0.6, 1.1];
    let mut ends = [[0.0; 2]; 16];
    let mut lane = 0;
    while lane < 16 {
        ends[lane] = [INSETS[lane / 4], INSETS[lane % 4]];
        lane += 1;
    }
    ends[5] = [0.0, 0.0];
    ends
};

/// The scale and the integers of a block without a minimum.
#[inline(always)]
fn plain(integers: Integers, values: &[f32], starts: &Lanes) -> (u16, [f32; 32]) {
    let mut quants = [0.0; 32];
    let Some(block) = Scaled::<32>::new(values) else {
        return (0, quants);
    };
    let found = fit::scales(integers, &block.values, starts).map(|scale| block.stored_scale(scale));
    let scale = lanes(|lane| found[lane].value);
    let Stored { bits, value } = found[best(&integers.errors(&block.values, &scale, &[0.0; 16]))];
    integers.quantise(&block.values, value, 0.0, &mut quants);
    (bits, quants)
}

/// The scale, the lowest value and the integers from 0 to `high` of a block with a minimum.
#[inline(always)]
fn with_minimum(high: f32, values: &[f32]) -> ([u16; 2], [f32; 32]) {
    let mut quants = [0.0; 32];
    let Some(block) = Scaled::<32>::new(values) else {
        return ([0; 2], quants);
    };
    let integers = Integers { low: 0.0, high };
    let Pairs { scale, min } = fit::pairs(high, &block.values, Min::Free, &ENDS);
    let scales = scale.map(|scale| block.stored_scale(scale));
    let lowest = min.map(|min| block.stored(-min));
    let scale = lanes(|lane| scales[lane].value);
    let min = lanes(|lane| -lowest[lane].value);
    let lane = best(&integers.errors(&block.values, &scale, &min));
    integers.quantise(&block.values, scale[lane], min[lane], &mut quants);
    ([scales[lane].bits, lowest[lane].bits], quants)
}

/// Low nibbles of the first 16 integers and of the last 16; `quants` are below 256.
fn pack_nibbles(quants: &[u8; 32], out: &mut [u8]) {
    let (low, high) = quants.split_at(16);
    for ((out, low), high) in out.iter_mut().zip(low).zip(high) {
        *out = low & 15 | high << 4;
    }
}

/// Bit `i` is the fifth bit of integer `i`.
fn fifth_bits(quants: &[u8; 32]) -> [u8; 4] {
    let bits = quants
        .iter()
        .enumerate()
        .fold(0, |bits, (i, q)| bits | u32::from(q >> 4 & 1) << i);
    bits.to_le_bytes()
}

/// `Q4_0`: scale, nibbles.
pub(super) fn q4_0(values: &[f32], out: &mut [u8]) {
    let integers = Integers {
        low: -8.0,
        high: 7.0,
    };
    let (scale, quants) = plain(integers, values, &STARTS_4);
    out[..2].copy_from_slice(&scale.to_le_bytes());
    pack_nibbles(&quants.map(|q| (q + 8.0) as u8), &mut out[2..]);
}

/// `Q4_1`: scale, lowest value, nibbles.
pub(super) fn q4_1(values: &[f32], out: &mut [u8]) {
    let ([scale, lowest], quants) = with_minimum(15.0, values);
    out[..2].copy_from_slice(&scale.to_le_bytes());
    out[2..4].copy_from_slice(&lowest.to_le_bytes());
    pack_nibbles(&quants.map(|q| q as u8), &mut out[4..]);
}

/// `Q5_0`: scale, fifth bits, nibbles.
pub(super) fn q5_0(values: &[f32], out: &mut [u8]) {
    let integers = Integers {
        low: -16.0,
        high: 15.0,
    };
    let (scale, quants) = plain(integers, values, &STARTS_5);
    let quants = quants.map(|q| (q + 16.0) as u8);
    out[..2].copy_from_slice(&scale.to_le_bytes());
    out[2..6].copy_from_slice(&fifth_bits(&quants));
    pack_nibbles(&quants, &mut out[6..]);
}

/// `Q5_1`: scale, lowest value, fifth bits, nibbles.
pub(super) fn q5_1(values: &[f32], out: &mut [u8]) {
    let ([scale, lowest], quants) = with_minimum(31.0, values);
    let quants = quants.map(|q| q as u8);
    out[..2].copy_from_slice(&scale.to_le_bytes());
    out[2..4].copy_from_slice(&lowest.to_le_bytes());
    out[4..8].copy_from_slice(&fifth_bits(&quants));
    pack_nibbles(&quants, &mut out[8..]);
}

/// `Q8_0`: scale, signed bytes.
pub(super) fn q8_0(values: &[f32], out: &mut [u8]) {
    let integers = Integers {
        low: -127.0,
        high: 127.0,
    };
    let (scale, quants) = plain(integers, values, &STARTS_8);
    out[..2].copy_from_slice(&scale.to_le_bytes());
    for (out, q) in out[2..].iter_mut().zip(quants) {
        *out = (q as i8).cast_unsigned();
    }
}

//! Pieces that the formats are read with.

use crate::Isa;
use crate::half_bits::half_to_f32;

/// The half at byte `at`.
#[inline(always)]
pub(crate) fn half(block: &[u8], at: usize) -> f32 {
    half_to_f32(u16::from_le_bytes([block[at], block[at + 1]]))
}

/// Low nibbles of 16 bytes, then their high nibbles.
#[inline(always)]
pub(crate) fn nibbles(bytes: &[u8]) -> [u8; 32] {
    std::array::from_fn(|i| bytes[i % 16] >> (4 * (i / 16)) & 15)
}

/// Blocks `index` of 16 rows.
#[inline(always)]
pub(crate) fn blocks_at<'a, B>(rows: &[&'a [B]; 16], index: usize) -> [&'a B; 16] {
    let mut blocks = [&rows[0][index]; 16];
    for (block, row) in blocks.iter_mut().zip(rows) {
        *block = &row[index];
    }
    blocks
}

/// The 16 bytes from `at` of 16 blocks.
#[inline(always)]
fn pieces<const N: usize>(rows: [&[u8; N]; 16], at: usize) -> [&[u8; 16]; 16] {
    let mut pieces = [&[0; 16]; 16];
    for (piece, row) in pieces.iter_mut().zip(rows) {
        *piece = row[at..]
            .first_chunk()
            .expect("a block holds 16 bytes from here");
    }
    pieces
}

/// The 16 bytes from `at` of 16 blocks, as four words per row.
#[inline(always)]
pub(crate) fn columns<I: Isa, const N: usize>(
    isa: I,
    rows: [&[u8; N]; 16],
    at: usize,
) -> [I::Words; 4] {
    isa.columns(pieces(rows, at))
}

/// The first two of those words.
#[inline(always)]
pub(crate) fn two_columns<I: Isa, const N: usize>(
    isa: I,
    rows: [&[u8; N]; 16],
    at: usize,
) -> [I::Words; 2] {
    isa.two_columns(pieces(rows, at))
}

/// The 32 bytes from `at` of 16 blocks, as eight words per row.
#[inline(always)]
pub(crate) fn wide_columns<I: Isa, const N: usize>(
    isa: I,
    rows: [&[u8; N]; 16],
    at: usize,
) -> [I::Words; 8] {
    let [a, b, c, d] = columns(isa, rows, at);
    let [e, f, g, h] = columns(isa, rows, at + 16);
    [a, b, c, d, e, f, g, h]
}

/// The same for each of `N` words.
///
/// A loop, since `array::map` is a call that the level's instructions do not reach into; closures
/// given to it are `#[inline(always)]` for the same reason.
#[inline(always)]
pub(crate) fn each<W: Copy, const N: usize>(words: [W; N], f: impl Fn(W) -> W) -> [W; N] {
    let mut result = words;
    for word in &mut result {
        *word = f(*word);
    }
    result
}

/// `low | (high & mask)`, for each of eight words.
#[inline(always)]
pub(crate) fn join<I: Isa>(
    isa: I,
    low: [I::Words; 8],
    high: [I::Words; 8],
    mask: u32,
) -> [I::Words; 8] {
    let mut joined = low;
    for i in 0..8 {
        joined[i] = isa.or(joined[i], isa.and(high[i], isa.splat_word(mask)));
    }
    joined
}

/// `(words >> SHIFT) & mask`.
#[inline(always)]
pub(crate) fn field<I: Isa, const SHIFT: i32>(isa: I, words: I::Words, mask: u32) -> I::Words {
    isa.and(isa.shift_right::<SHIFT>(words), isa.splat_word(mask))
}

/// Low nibbles of the bytes of four words, then their high nibbles.
#[inline(always)]
pub(crate) fn split_nibbles<I: Isa>(isa: I, words: [I::Words; 4]) -> [I::Words; 8] {
    let mask = isa.splat_word(0x0f0f_0f0f);
    let [a, b, c, d] = words;
    [
        isa.and(a, mask),
        isa.and(b, mask),
        isa.and(c, mask),
        isa.and(d, mask),
        field::<I, 4>(isa, a, 0x0f0f_0f0f),
        field::<I, 4>(isa, b, 0x0f0f_0f0f),
        field::<I, 4>(isa, c, 0x0f0f_0f0f),
        field::<I, 4>(isa, d, 0x0f0f_0f0f),
    ]
}

/// `words` with a fifth bit per byte: bit `i` of `bits` for weight `i`.
#[inline(always)]
pub(crate) fn with_fifth_bits<I: Isa>(
    isa: I,
    [a, b, c, d, e, f, g, h]: [I::Words; 8],
    bits: I::Words,
) -> [I::Words; 8] {
    [
        isa.fifth_bits::<0>(a, bits),
        isa.fifth_bits::<1>(b, bits),
        isa.fifth_bits::<2>(c, bits),
        isa.fifth_bits::<3>(d, bits),
        isa.fifth_bits::<4>(e, bits),
        isa.fifth_bits::<5>(f, bits),
        isa.fifth_bits::<6>(g, bits),
        isa.fifth_bits::<7>(h, bits),
    ]
}

/// The four bytes of every lane as floats, lowest first.
#[inline(always)]
pub(crate) fn byte_reals<I: Isa>(isa: I, words: I::Words) -> [I::Reals; 4] {
    [
        isa.to_reals(isa.and(words, isa.splat_word(255))),
        isa.to_reals(field::<I, 8>(isa, words, 255)),
        isa.to_reals(field::<I, 16>(isa, words, 255)),
        isa.to_reals(isa.shift_right::<24>(words)),
    ]
}

/// The four signed bytes of every lane as floats, lowest first.
#[inline(always)]
pub(crate) fn signed_byte_reals<I: Isa>(isa: I, words: I::Words) -> [I::Reals; 4] {
    [
        isa.to_reals(isa.shift_right_signed::<24>(isa.shift_left::<24>(words))),
        isa.to_reals(isa.shift_right_signed::<24>(isa.shift_left::<16>(words))),
        isa.to_reals(isa.shift_right_signed::<24>(isa.shift_left::<8>(words))),
        isa.to_reals(isa.shift_right_signed::<24>(words)),
    ]
}

/// `((low >> 16) | (high << 16))`: a word that starts two bytes into `low`.
#[inline(always)]
pub(crate) fn straddle<I: Isa>(isa: I, low: I::Words, high: I::Words) -> I::Words {
    isa.or(isa.shift_right::<16>(low), isa.shift_left::<16>(high))
}

/// The little-endian integer at byte `at`.
pub(crate) fn word(block: &[u8], at: usize) -> u32 {
    let bytes = block[at..]
        .first_chunk()
        .expect("a block holds four bytes from here");
    u32::from_le_bytes(*bytes)
}

/// An integer below 2²⁴, exactly.
pub(crate) fn small(integer: u32) -> f32 {
    debug_assert!(integer < 1 << 24);
    integer as f32
}

/// The low and the high nibble.
pub(crate) fn nibble_pair(byte: u8) -> [u8; 2] {
    [byte & 15, byte >> 4]
}

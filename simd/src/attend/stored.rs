//! Reading the cache, 16 lanes at a time.

use super::KEY_BLOCK;
use super::cache::{KEY_GROUP, SCALE, VALUE_GROUP};
use crate::{Isa, Real};

/// How one [`super::CacheFormat`] is read.
pub(super) trait Stored: Copy {
    /// Element `d` of the keys of 16 positions.
    fn key<I: Isa, R: Real>(isa: I, block: &[u8], d: usize) -> R::Lanes<I>;
    /// Elements `16 i ..` of a value.
    fn value<I: Isa, R: Real>(isa: I, row: &[u8], i: usize) -> R::Lanes<I>;
}

/// 64-bit floats.
#[derive(Clone, Copy)]
pub(super) struct Doubles;

/// 32-bit floats.
#[derive(Clone, Copy)]
pub(super) struct Floats;

/// IEEE halves.
#[derive(Clone, Copy)]
pub(super) struct Halves;

/// Bytes with a scale per 32.
#[derive(Clone, Copy)]
pub(super) struct Bytes;

/// 16 little-endian doubles.
#[inline(always)]
fn doubles<I: Isa, R: Real>(isa: I, bytes: &[u8; 128]) -> R::Lanes<I> {
    let mut lanes = [R::default(); 16];
    for (lane, &bytes) in lanes.iter_mut().zip(bytes.as_chunks().0) {
        *lane = R::of(f64::from_le_bytes(bytes));
    }
    R::load(isa, &lanes)
}

impl Stored for Doubles {
    #[inline(always)]
    fn key<I: Isa, R: Real>(isa: I, block: &[u8], d: usize) -> R::Lanes<I> {
        doubles::<I, R>(isa, &block.as_chunks().0[d])
    }
    #[inline(always)]
    fn value<I: Isa, R: Real>(isa: I, row: &[u8], i: usize) -> R::Lanes<I> {
        doubles::<I, R>(isa, &row.as_chunks().0[i])
    }
}

impl Stored for Floats {
    #[inline(always)]
    fn key<I: Isa, R: Real>(isa: I, block: &[u8], d: usize) -> R::Lanes<I> {
        R::widen(isa, isa.load_floats(&block.as_chunks().0[d]))
    }
    #[inline(always)]
    fn value<I: Isa, R: Real>(isa: I, row: &[u8], i: usize) -> R::Lanes<I> {
        R::widen(isa, isa.load_floats(&row.as_chunks().0[i]))
    }
}

impl Stored for Halves {
    #[inline(always)]
    fn key<I: Isa, R: Real>(isa: I, block: &[u8], d: usize) -> R::Lanes<I> {
        R::widen(isa, isa.load_halves(&block.as_chunks().0[d]))
    }
    #[inline(always)]
    fn value<I: Isa, R: Real>(isa: I, row: &[u8], i: usize) -> R::Lanes<I> {
        R::widen(isa, isa.load_halves(&row.as_chunks().0[i]))
    }
}

/// 16 signed bytes as floats.
#[inline(always)]
fn signed<I: Isa>(isa: I, bytes: &[u8; 16]) -> I::Reals {
    let mut lanes = [0_i8; 16];
    for (lane, &byte) in lanes.iter_mut().zip(bytes) {
        *lane = byte.cast_signed();
    }
    isa.load_signed(&lanes)
}

impl Stored for Bytes {
    #[inline(always)]
    fn key<I: Isa, R: Real>(isa: I, block: &[u8], d: usize) -> R::Lanes<I> {
        let group = &block[d / 32 * KEY_GROUP..][..KEY_GROUP];
        let (scales, quants) = group.split_at(KEY_BLOCK * SCALE);
        let scales = isa.load_floats(scales.first_chunk().expect("16 scales"));
        R::widen(
            isa,
            isa.mul(signed(isa, &quants.as_chunks().0[d % 32]), scales),
        )
    }
    #[inline(always)]
    fn value<I: Isa, R: Real>(isa: I, row: &[u8], i: usize) -> R::Lanes<I> {
        let group = &row[i / 2 * VALUE_GROUP..][..VALUE_GROUP];
        let scale = f32::from_le_bytes(*group.first_chunk().expect("a scale"));
        let quants = signed(isa, &group[SCALE..].as_chunks().0[i % 2]);
        R::widen(isa, isa.mul(quants, isa.splat(scale)))
    }
}

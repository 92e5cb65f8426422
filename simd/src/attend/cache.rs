//! How keys and values lie in the cache.
//!
//! Keys of 16 positions are interleaved, element by element; values lie row by row, padded to whole
//! groups of 16 (of 32 in `Q8_0`).

use super::KEY_BLOCK;
use crate::Real;
use half::f16;
use std::fmt;

/// The precision that keys and values are remembered in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CacheFormat {
    /// 64-bit floats, of the `audit` tier.
    F64,
    /// 32-bit floats.
    F32,
    /// IEEE halves.
    F16,
    /// Signed bytes with a 32-bit scale per 32 elements.
    Q8_0,
}

impl fmt::Display for CacheFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::F64 => "f64",
            Self::F32 => "f32",
            Self::F16 => "f16",
            Self::Q8_0 => "q8_0",
        })
    }
}

/// Bytes of a scale of `Q8_0`.
pub(super) const SCALE: usize = 4;

/// Bytes of 32 interleaved keys' elements of `Q8_0`: 16 scales, then 32 × 16 quants.
pub(super) const KEY_GROUP: usize = KEY_BLOCK * SCALE + 32 * KEY_BLOCK;

/// Bytes of 32 elements of a value of `Q8_0`.
pub(super) const VALUE_GROUP: usize = SCALE + 32;

impl CacheFormat {
    /// Elements that a key's width must be a multiple of.
    pub fn multiple(self) -> usize {
        if self == Self::Q8_0 { 32 } else { 1 }
    }

    /// Bytes of the keys of [`KEY_BLOCK`] positions.
    pub fn key_block_bytes(self, width: usize) -> usize {
        match self {
            Self::F64 => width * KEY_BLOCK * 8,
            Self::F32 => width * KEY_BLOCK * 4,
            Self::F16 => width * KEY_BLOCK * 2,
            Self::Q8_0 => width / 32 * KEY_GROUP,
        }
    }

    /// Bytes of the value of one position.
    pub fn value_bytes(self, width: usize) -> usize {
        match self {
            Self::F64 => width.next_multiple_of(16) * 8,
            Self::F32 => width.next_multiple_of(16) * 4,
            Self::F16 => width.next_multiple_of(16) * 2,
            Self::Q8_0 => width.div_ceil(32) * VALUE_GROUP,
        }
    }

    /// Writes a key as position `lane` of a block.
    pub fn write_key<R: Real>(self, block: &mut [u8], lane: usize, key: &[R]) {
        match self {
            Self::F64 => {
                for (x, at) in key.iter().zip(block.as_chunks_mut::<128>().0) {
                    at[8 * lane..][..8].copy_from_slice(&x.to_f64().to_le_bytes());
                }
            }
            Self::F32 => {
                for (x, at) in key.iter().zip(block.as_chunks_mut::<64>().0) {
                    at[4 * lane..][..4].copy_from_slice(&x.to_f32().to_le_bytes());
                }
            }
            Self::F16 => {
                for (x, at) in key.iter().zip(block.as_chunks_mut::<32>().0) {
                    at[2 * lane..][..2].copy_from_slice(&f16::from_f32(x.to_f32()).to_le_bytes());
                }
            }
            Self::Q8_0 => {
                for (x, at) in key
                    .as_chunks::<32>()
                    .0
                    .iter()
                    .zip(block.chunks_exact_mut(KEY_GROUP))
                {
                    let (scale, quants) = quantise(&x.map(R::to_f32));
                    let (scales, rows) = at.split_at_mut(KEY_BLOCK * SCALE);
                    scales[SCALE * lane..][..SCALE].copy_from_slice(&scale.to_le_bytes());
                    for (quant, row) in quants.iter().zip(rows.chunks_exact_mut(KEY_BLOCK)) {
                        row[lane] = quant.cast_unsigned();
                    }
                }
            }
        }
    }

    /// Reads the key of position `lane` of a block.
    pub fn read_key<R: Real>(self, block: &[u8], lane: usize, width: usize) -> Vec<R> {
        let single = |d: usize| match self {
            Self::F64 => unreachable!("doubles are read as doubles"),
            Self::F32 => f32::from_le_bytes(block.as_chunks().0[d * KEY_BLOCK + lane]),
            Self::F16 => f16::from_le_bytes(block.as_chunks().0[d * KEY_BLOCK + lane]).to_f32(),
            Self::Q8_0 => {
                let (scales, quants) = block[d / 32 * KEY_GROUP..].split_at(KEY_BLOCK * SCALE);
                let scale = f32::from_le_bytes(scales.as_chunks().0[lane]);
                f32::from(quants[d % 32 * KEY_BLOCK + lane].cast_signed()) * scale
            }
        };
        let double = |d: usize| {
            R::of(f64::from_le_bytes(
                block.as_chunks().0[d * KEY_BLOCK + lane],
            ))
        };
        match self {
            Self::F64 => (0..width).map(double).collect(),
            _ => (0..width).map(|d| R::exactly(single(d))).collect(),
        }
    }

    /// Writes the value of one position.
    pub fn write_value<R: Real>(self, row: &mut [u8], value: &[R]) {
        match self {
            Self::F64 => {
                for (x, at) in value.iter().zip(row.as_chunks_mut::<8>().0) {
                    *at = x.to_f64().to_le_bytes();
                }
            }
            Self::F32 => {
                for (x, at) in value.iter().zip(row.as_chunks_mut::<4>().0) {
                    *at = x.to_f32().to_le_bytes();
                }
            }
            Self::F16 => {
                for (x, at) in value.iter().zip(row.as_chunks_mut::<2>().0) {
                    *at = f16::from_f32(x.to_f32()).to_le_bytes();
                }
            }
            Self::Q8_0 => {
                for (x, at) in value.chunks(32).zip(row.chunks_exact_mut(VALUE_GROUP)) {
                    let mut padded = [0.0; 32];
                    for (to, from) in padded.iter_mut().zip(x) {
                        *to = from.to_f32();
                    }
                    let (scale, quants) = quantise(&padded);
                    at[..SCALE].copy_from_slice(&scale.to_le_bytes());
                    for (quant, at) in quants.iter().zip(&mut at[SCALE..]) {
                        *at = quant.cast_unsigned();
                    }
                }
            }
        }
    }
}

/// 32 values as bytes and a scale, by the rule of the activations.
fn quantise(values: &[f32; 32]) -> (f32, [i8; 32]) {
    let group = crate::input::InputGroup::quantise(values);
    (group.scale, group.quants)
}

//! What every block format is read as.

use crate::Format;

/// 32 consecutive weights of a row.
///
/// `weight[i] = scale · (halves[i / 16] · quants[i]) − min · min_halves[i / 16]`
///
/// `halves` are 1 in formats that have one scale per 32, `min` is 0 in formats without a minimum.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Group {
    /// The integers.
    pub quants: [i8; 32],
    /// The scale of all 32.
    pub scale: f32,
    /// What the scale is multiplied with, per 16 weights.
    pub halves: [f32; 2],
    /// What is subtracted from all 32.
    pub min: f32,
    /// What the minimum is multiplied with, per 16 weights.
    pub min_halves: [f32; 2],
}

impl Group {
    /// A group with one scale and no minimum.
    pub fn plain(quants: [i8; 32], scale: f32) -> Self {
        Self {
            quants,
            scale,
            halves: [1.0; 2],
            min: 0.0,
            min_halves: [1.0; 2],
        }
    }

    /// The weights, each rounded once to `f32` where the product is not exact.
    pub fn values(&self) -> [f32; 32] {
        std::array::from_fn(|i| {
            let value = self.scale * (self.halves[i / 16] * f32::from(self.quants[i]));
            if self.min == 0.0 {
                value
            } else {
                value - self.min * self.min_halves[i / 16]
            }
        })
    }
}

/// A block format.
pub trait Layout: 'static {
    /// The format's name and sizes.
    const FORMAT: Format;
    /// Whether [`Group::halves`] are in use.
    const HALVES: bool = false;
    /// Whether [`Group::min`] is in use.
    const MIN: bool = false;
    /// Groups of 32 in a block.
    const GROUPS: usize;

    /// Group `index` of a block of exactly `Self::FORMAT.block_bytes()` bytes.
    fn group(block: &[u8], index: usize) -> Group;
}

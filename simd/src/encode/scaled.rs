//! Blocks brought to magnitudes near one, and scales as they will be stored.

use crate::half_bits::half_to_f32;
use half::f16;

/// Values times a power of two that brings the largest magnitude to between 1 and 2.
///
/// The sums of squares below then neither overflow nor vanish.
pub(super) struct Scaled<const N: usize> {
    /// The values divided by `unit`.
    pub values: [f32; N],
    /// The power of two.
    pub unit: f32,
}

/// A number as it is stored and the number that is read back, in a block's units.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Stored {
    /// The half's bits.
    pub bits: u16,
    /// Its value divided by the unit.
    pub value: f32,
}

impl Stored {
    /// The same with the other sign.
    pub(super) fn negated(self) -> Self {
        Self {
            bits: self.bits ^ 0x8000,
            value: -self.value,
        }
    }
}

/// The magnitude below which a value is nothing to any format: a quarter of the smallest half.
const NOTHING: f32 = 1.0 / 67_108_864.0;

impl<const N: usize> Scaled<N> {
    /// None if all values are nothing to a format whose scales are halves.
    #[inline(always)]
    pub(super) fn new(values: &[f32]) -> Option<Self> {
        let largest = values
            .iter()
            .fold(0.0, |m, x| if x.abs() > m { x.abs() } else { m });
        if largest < NOTHING {
            return None;
        }
        let unit = f32::from_bits(largest.to_bits() & 0x7f80_0000);
        let inverse = 1.0 / unit;
        let mut scaled = [0.0; N];
        for (scaled, x) in scaled.iter_mut().zip(values) {
            *scaled = x * inverse;
        }
        Some(Self {
            values: scaled,
            unit,
        })
    }

    /// The half nearest to `x` units.
    pub(super) fn stored(&self, x: f32) -> Stored {
        let largest = f16::MAX.to_f32_const();
        let bits = f16::from_f32_const((x * self.unit).clamp(-largest, largest)).to_bits();
        self.read(bits)
    }

    /// The half nearest to `x` units, but not zero unless `x` is: a scale of 0 loses every value.
    pub(super) fn stored_scale(&self, x: f32) -> Stored {
        let stored = self.stored(x);
        if stored.value == 0.0 && x != 0.0 {
            let least = self.read(1);
            return if x < 0.0 { least.negated() } else { least };
        }
        stored
    }

    /// Halves worth trying for a scale of `x` units: the nearest, and the one on the other side of
    /// `x` if they are subnormal, where a step may be a large part of them.
    pub(super) fn scales_near(&self, x: f32) -> impl Iterator<Item = Stored> + Clone {
        let nearest = self.stored_scale(x);
        let magnitude = nearest.bits & 0x7fff;
        let other = (0..0x0400).contains(&magnitude).then(|| {
            if nearest.value.abs() < x.abs() {
                self.read(nearest.bits + 1)
            } else {
                self.read(nearest.bits - u16::from(magnitude > 1))
            }
        });
        let other = other.filter(|other| other.bits != nearest.bits);
        [Some(nearest), other].into_iter().flatten()
    }

    fn read(&self, bits: u16) -> Stored {
        Stored {
            bits,
            value: half_to_f32(bits) / self.unit,
        }
    }
}

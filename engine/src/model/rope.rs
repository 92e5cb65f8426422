//! How far each pair of a head is turned per position.
//!
//! ```text
//! frequency[i] = base^(−2 i / rotated) / factor[i] / stretch        radians per position
//! ```
//!
//! `factor` comes from a tensor of the file (Llama 3, Phi 3), `stretch` from linear scaling. YaRN mixes the stretched and the
//! original frequency: pairs that turn often within the original context keep theirs, slow ones are stretched, with a ramp
//! between.

use super::ModelError;
use super::keys::Keys;
use crate::graph::{Pairing, Rope};
use std::f64::consts::PI;

/// How the heads of one kind of layer are turned. `{a}` stands for the architecture's name.
#[derive(Clone, Debug, PartialEq)]
pub struct RopeConfig {
    /// `{a}.rope.freq_base`; absent: 10,000. Pair `i` turns by `base^(−2 i / rotated)` radians per position, before factors and scaling.
    pub base: f32,
    /// `{a}.rope.dimension_count`: elements of a head that are turned; absent: all of a key.
    pub rotated: usize,
    /// `{a}.rope.scaling.original_context_length`: positions trained for before scaling; absent: `{a}.context_length`.
    pub original: usize,
    /// `{a}.rope.scaling.attn_factor`: sines and cosines are multiplied with it, besides what the scaling itself asks for.
    pub magnitude: Option<f32>,
    /// `{a}.rope.scaling.type` and what belongs to it.
    pub scaling: Scaling,
}

/// How angles are changed for contexts longer than the original.
#[derive(Clone, Debug, PartialEq)]
pub enum Scaling {
    /// Not, or by a tensor of factors alone.
    None,
    /// Every angle is divided by `{a}.rope.scaling.factor`, or the older `{a}.rope.scale_linear`.
    Linear(f32),
    /// See [`Yarn`].
    Yarn(Yarn),
}

/// YaRN: slow pairs are stretched, fast ones are not.
#[derive(Clone, Debug, PartialEq)]
pub struct Yarn {
    /// `{a}.rope.scaling.factor`: how much longer the context became.
    pub stretch: f32,
    /// `{a}.rope.scaling.yarn_ext_factor`: how much of its original angle a fast pair keeps; absent: 1.
    pub keep: f32,
    /// `{a}.rope.scaling.yarn_beta_fast`: pairs that turn so often within the original context are fast; absent: 32.
    pub fast: f32,
    /// `{a}.rope.scaling.yarn_beta_slow`: pairs that turn so rarely within the original context are slow; absent: 1.
    pub slow: f32,
    /// `{a}.rope.scaling.yarn_attn_factor`: sines and cosines are multiplied with it; absent: `m(1) / m(l)` with
    /// `m(x) = 1 + x ln(stretch) / 10` and `l` from `{a}.rope.scaling.yarn_log_multiplier`, absent: 0.
    pub magnitude: f64,
}

impl RopeConfig {
    /// Reads the keys; `head` is the elements of a key, `context` the positions trained for.
    pub(super) fn read(
        keys: &Keys<'_, '_>,
        head: usize,
        context: usize,
    ) -> Result<Self, ModelError> {
        let dimensions = "rope.dimension_count";
        let rotated = keys.count(dimensions)?.unwrap_or(head);
        if rotated % 2 != 0 || rotated > head {
            let wanted = "it must be even and at most a key's length";
            return Err(keys.impossible(dimensions, rotated, wanted));
        }
        Ok(Self {
            base: keys.positive("rope.freq_base")?.unwrap_or(10_000.0),
            rotated,
            original: keys
                .count("rope.scaling.original_context_length")?
                .unwrap_or(context),
            magnitude: keys.positive("rope.scaling.attn_factor")?,
            scaling: Scaling::read(keys)?,
        })
    }

    /// The table of these angles; `factors` holds a divisor for each pair.
    pub(super) fn table(&self, pairing: Pairing, factors: Option<&[f64]>) -> Rope {
        let frequencies = (0..self.rotated / 2)
            .map(|pair| {
                let exponent = -2.0 * pair as f64 / self.rotated as f64;
                let factor = factors.map_or(1.0, |factors| factors[pair]);
                let original = libm::pow(self.base.into(), exponent) / factor;
                self.scaled(original, pair)
            })
            .collect();
        let own = match &self.scaling {
            Scaling::Yarn(yarn) => yarn.magnitude,
            _ => 1.0,
        };
        Rope {
            frequencies,
            magnitude: own * f64::from(self.magnitude.unwrap_or(1.0)),
            pairing,
        }
    }

    fn scaled(&self, original: f64, pair: usize) -> f64 {
        match &self.scaling {
            Scaling::None => original,
            Scaling::Linear(stretch) => original / f64::from(*stretch),
            Scaling::Yarn(yarn) => {
                let kept = f64::from(yarn.keep) * self.kept(yarn, pair);
                original / f64::from(yarn.stretch) * (1.0 - kept) + original * kept
            }
        }
    }

    /// How much of a pair's original angle YaRN keeps: 1 for fast pairs, 0 for slow ones.
    fn kept(&self, yarn: &Yarn, pair: usize) -> f64 {
        let first = libm::floor(self.pair_of(yarn.fast)).max(0.0);
        let last = libm::ceil(self.pair_of(yarn.slow)).min(self.rotated as f64 - 1.0);
        let along = (pair as f64 - first) / (last - first).max(0.001);
        1.0 - along.clamp(0.0, 1.0)
    }

    /// The (fractional) pair that turns so often within the original context.
    fn pair_of(&self, turns: f32) -> f64 {
        let radians = f64::from(turns) * 2.0 * PI;
        let exponent = libm::log(self.original as f64 / radians) / libm::log(self.base.into());
        exponent * self.rotated as f64 / 2.0
    }
}

impl Scaling {
    fn read(keys: &Keys<'_, '_>) -> Result<Self, ModelError> {
        let stretch = match keys.positive_or_zero("rope.scaling.factor")? {
            None => keys.positive_or_zero("rope.scale_linear")?,
            stretch => stretch,
        };
        let kind = "rope.scaling.type";
        match (keys.text(kind)?, stretch) {
            (Some("none" | "longrope"), _) | (None | Some("linear"), None) => Ok(Self::None),
            // Before the type was written, a factor alone meant linear scaling.
            (None | Some("linear"), Some(stretch)) => Ok(Self::Linear(stretch)),
            (Some("yarn"), Some(stretch)) => Ok(Self::Yarn(Yarn::read(keys, stretch)?)),
            (Some("yarn"), None) => Err(keys.missing("rope.scaling.factor")),
            (Some(other), _) => {
                let wanted = "only none, linear, yarn and longrope are known";
                Err(keys.impossible(kind, other, wanted))
            }
        }
    }
}

impl Yarn {
    fn read(keys: &Keys<'_, '_>, stretch: f32) -> Result<Self, ModelError> {
        // A base of 1 turns all pairs equally fast: none is faster than another.
        let base = "rope.freq_base";
        if keys.positive(base)?.is_some_and(|base| base <= 1.0) {
            let found = keys.positive(base)?.unwrap_or_default();
            return Err(keys.impossible(base, found, "with YaRN it must be above 1"));
        }
        let log = libm::log(stretch.max(1.0).into());
        let growth = |x: f64| 1.0 + 0.1 * x * log;
        let multiplier = keys.positive_or_zero("rope.scaling.yarn_log_multiplier")?;
        let magnitude = match keys.positive("rope.scaling.yarn_attn_factor")? {
            Some(magnitude) => magnitude.into(),
            None => growth(1.0) / growth(multiplier.unwrap_or(0.0).into()),
        };
        let number = |key, absent| keys.positive(key).map(|found| found.unwrap_or(absent));
        Ok(Self {
            stretch,
            keep: number("rope.scaling.yarn_ext_factor", 1.0)?,
            fast: number("rope.scaling.yarn_beta_fast", 32.0)?,
            slow: number("rope.scaling.yarn_beta_slow", 1.0)?,
            magnitude,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(base: f32, rotated: usize, original: usize, scaling: Scaling) -> RopeConfig {
        RopeConfig {
            base,
            rotated,
            original,
            magnitude: None,
            scaling,
        }
    }

    fn assert_close(found: &[f64], wanted: &[f64]) {
        assert_eq!(found.len(), wanted.len());
        for (pair, (found, wanted)) in found.iter().zip(wanted).enumerate() {
            let error = (found - wanted).abs() / wanted;
            assert!(error < 1e-12, "pair {pair}: {found} is not {wanted}");
        }
    }

    #[test]
    fn frequencies_fall_by_powers_of_the_base() {
        let rope = config(10_000.0, 8, 1, Scaling::None).table(Pairing::Halves, None);
        assert_close(&rope.frequencies, &[1.0, 0.1, 0.01, 0.001]);
        assert_eq!(rope.magnitude, 1.0);
    }

    #[test]
    fn factors_and_linear_scaling_divide() {
        let rope = config(10_000.0, 8, 1, Scaling::Linear(8.0));
        let rope = rope.table(Pairing::Halves, Some(&[1.0, 2.0, 4.0, 0.5]));
        assert_close(&rope.frequencies, &[0.125, 0.00625, 0.000_312_5, 0.000_25]);
    }

    // The expected numbers are the published formula's, computed apart in Python for Qwen 2.5 with four times its context.
    #[test]
    fn yarn_keeps_fast_pairs_and_stretches_slow_ones() {
        let yarn = Yarn {
            stretch: 4.0,
            keep: 1.0,
            fast: 32.0,
            slow: 1.0,
            magnitude: 1.138_629_436_111_989,
        };
        let rope = config(1e6, 128, 32_768, Scaling::Yarn(yarn)).table(Pairing::Halves, None);
        let found = [0, 1, 23, 24, 30, 39, 40, 50, 63].map(|pair| rope.frequencies[pair]);
        assert_close(
            &found,
            &[
                1.0,
                0.805_842_187_761_481_9,
                0.006_978_305_848_598_663,
                0.005_375_321_490_790_102,
                0.001_064_360_981_247_001_7,
                6.490_394_320_837_028e-5,
                4.445_698_525_097_307e-5,
                5.133_812_566_142_866e-6,
                3.102_344_401_879_299e-7,
            ],
        );
        assert_eq!(rope.magnitude, 1.138_629_436_111_989);
    }
}

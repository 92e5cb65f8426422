//! The levels of aarch64.

use super::neon::{FourTimes, Neon, Pairs, TwoByTwo};
use super::portable::Portable;
#[cfg(feature = "scalar")]
use super::scalar::Scalar;
use crate::Kernel;

/// A SIMD level that this machine can run.
#[derive(Clone, Copy, Debug)]
pub enum Level {
    /// Plain loops; what every other level is compared with.
    #[cfg(feature = "scalar")]
    Scalar(Scalar),
    /// 128-bit vectors by what all machines share.
    Portable(Portable),
    /// 128-bit vectors by this machine's own instructions.
    Neon(Neon<Pairs>),
    /// The same, with four byte products per lane and instruction.
    NeonDot(Neon<FourTimes>),
    /// The same, with the products of two rows and two tokens in one instruction.
    NeonI8mm(Neon<TwoByTwo>),
}

impl Level {
    /// Every level this machine can run, from the slowest to the fastest.
    pub fn available() -> Vec<Self> {
        let mut levels = vec![
            #[cfg(feature = "scalar")]
            Self::Scalar(Scalar),
            Self::Portable(Portable),
            Self::Neon(Neon::BASELINE),
        ];
        levels.extend(Neon::<FourTimes>::detect().map(Self::NeonDot));
        levels.extend(Neon::<TwoByTwo>::detect().map(Self::NeonI8mm));
        levels
    }

    /// The level's name, as the environment variable and `--level` spell it.
    pub fn name(self) -> &'static str {
        match self {
            #[cfg(feature = "scalar")]
            Self::Scalar(_) => "scalar",
            Self::Portable(_) => "portable",
            Self::Neon(_) => "neon",
            Self::NeonDot(_) => "neondot",
            Self::NeonI8mm(_) => "neoni8mm",
        }
    }

    /// Runs `kernel` on the level.
    #[inline]
    pub fn run<K: Kernel>(self, kernel: K) -> K::Output {
        match self {
            #[cfg(feature = "scalar")]
            Self::Scalar(isa) => kernel.run(isa),
            Self::Portable(isa) => kernel.run(isa),
            Self::Neon(isa) => kernel.run(isa),
            Self::NeonDot(isa) => isa.enter(kernel),
            Self::NeonI8mm(isa) => isa.enter(kernel),
        }
    }
}

//! The levels of machines without one of their own.

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
    /// 128-bit vectors where the target has them, as WebAssembly's simd128.
    Portable(Portable),
}

impl Level {
    /// Every level this machine can run, from the slowest to the fastest.
    pub fn available() -> Vec<Self> {
        vec![
            #[cfg(feature = "scalar")]
            Self::Scalar(Scalar),
            Self::Portable(Portable),
        ]
    }

    /// The level's name, as the environment variable and `--level` spell it.
    pub fn name(self) -> &'static str {
        match self {
            #[cfg(feature = "scalar")]
            Self::Scalar(_) => "scalar",
            Self::Portable(_) => "portable",
        }
    }

    /// Runs `kernel` on the level.
    #[inline]
    pub fn run<K: Kernel>(self, kernel: K) -> K::Output {
        match self {
            #[cfg(feature = "scalar")]
            Self::Scalar(isa) => kernel.run(isa),
            Self::Portable(isa) => kernel.run(isa),
        }
    }
}

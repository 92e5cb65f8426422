//! The levels of x86-64.

use super::portable::Portable;
#[cfg(feature = "scalar")]
use super::scalar::Scalar;
use super::x86::Avx2;
#[cfg(feature = "avx512")]
use super::x86::Avx512Vnni;
use crate::Kernel;

/// A SIMD level that this machine can run.
#[derive(Clone, Copy, Debug)]
pub enum Level {
    /// Plain loops; what every other level is compared with.
    #[cfg(feature = "scalar")]
    Scalar(Scalar),
    /// SSE2.
    Portable(Portable),
    /// 256-bit integers and floats.
    Avx2(Avx2),
    /// 512-bit vectors, four byte products per lane and instruction.
    #[cfg(feature = "avx512")]
    Avx512Vnni(Avx512Vnni),
}

impl Level {
    /// Every level this machine can run, from the slowest to the fastest.
    pub fn available() -> Vec<Self> {
        let mut levels = vec![
            #[cfg(feature = "scalar")]
            Self::Scalar(Scalar),
            Self::Portable(Portable),
        ];
        levels.extend(Avx2::detect().map(Self::Avx2));
        #[cfg(feature = "avx512")]
        levels.extend(Avx512Vnni::detect().map(Self::Avx512Vnni));
        levels
    }

    /// The level's name, as the environment variable and `--level` spell it.
    pub fn name(self) -> &'static str {
        match self {
            #[cfg(feature = "scalar")]
            Self::Scalar(_) => "scalar",
            Self::Portable(_) => "portable",
            Self::Avx2(_) => "avx2",
            #[cfg(feature = "avx512")]
            Self::Avx512Vnni(_) => "avx512vnni",
        }
    }

    /// Runs `kernel` on the level.
    #[inline]
    pub fn run<K: Kernel>(self, kernel: K) -> K::Output {
        match self {
            #[cfg(feature = "scalar")]
            Self::Scalar(isa) => kernel.run(isa),
            Self::Portable(isa) => kernel.run(isa),
            Self::Avx2(isa) => isa.enter(kernel),
            #[cfg(feature = "avx512")]
            Self::Avx512Vnni(isa) => isa.enter(kernel),
        }
    }
}

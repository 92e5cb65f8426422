//! The levels of x86-64.

use super::portable::Portable;
use super::scalar::Scalar;
use super::x86::{Avx2, Avx512Vnni};
use crate::Kernel;

/// A SIMD level that this machine can run.
#[derive(Clone, Copy, Debug)]
pub enum Level {
    /// Plain loops; what every other level is compared with.
    Scalar(Scalar),
    /// SSE2.
    Portable(Portable),
    /// 256-bit integers and floats.
    Avx2(Avx2),
    /// 512-bit vectors, four byte products per lane and instruction.
    Avx512Vnni(Avx512Vnni),
}

impl Level {
    /// Every level this machine can run, from the slowest to the fastest.
    pub fn available() -> Vec<Self> {
        let mut levels = vec![Self::Scalar(Scalar), Self::Portable(Portable)];
        levels.extend(Avx2::detect().map(Self::Avx2));
        levels.extend(Avx512Vnni::detect().map(Self::Avx512Vnni));
        levels
    }

    /// The level's name, as the environment variable and `--level` spell it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Scalar(_) => "scalar",
            Self::Portable(_) => "portable",
            Self::Avx2(_) => "avx2",
            Self::Avx512Vnni(_) => "avx512vnni",
        }
    }

    /// Runs `kernel` on the level.
    #[inline]
    pub fn run<K: Kernel>(self, kernel: K) -> K::Output {
        match self {
            Self::Scalar(isa) => kernel.run(isa),
            Self::Portable(isa) => kernel.run(isa),
            Self::Avx2(isa) => isa.enter(kernel),
            Self::Avx512Vnni(isa) => isa.enter(kernel),
        }
    }
}

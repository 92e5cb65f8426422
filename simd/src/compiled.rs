//! The large kernels, compiled here and nowhere else.
//!
//! A generic function is compiled in every crate that uses it; these have one version per format and level.

use crate::Level;
use crate::attend::Attend;
use crate::dense::{Dense, Dequantise};

/// What [`Real`](crate::Real) types bring along.
#[doc(hidden)]
pub trait Compiled: Sized {
    fn attend(level: Level, kernel: Attend<'_, '_, Self>);
    fn dense(level: Level, kernel: Dense<'_, Self>);
    fn dequantise(level: Level, kernel: Dequantise<'_, Self>);
}

macro_rules! compiled {
    ($($Real:ty)*) => {$(
        impl Compiled for $Real {
            #[inline(never)]
            fn attend(level: Level, kernel: Attend<'_, '_, Self>) {
                level.run(kernel);
            }
            #[inline(never)]
            fn dense(level: Level, kernel: Dense<'_, Self>) {
                level.run(kernel);
            }
            #[inline(never)]
            fn dequantise(level: Level, kernel: Dequantise<'_, Self>) {
                level.run(kernel);
            }
        }
    )*};
}
compiled!(f32 f64);

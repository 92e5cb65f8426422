//! The levels of x86-64 above its baseline.

mod avx2;
#[cfg(feature = "avx512")]
mod avx512;

pub(super) use avx2::Avx2;
#[cfg(feature = "avx512")]
pub(super) use avx512::Avx512Vnni;

/// Declares a level from the one list of features that is both looked for and enabled.
macro_rules! level {
    ($(#[$doc:meta])* $Level:ident, [$($feature:tt),+ $(,)?]) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug)]
        pub struct $Level(());

        impl $Level {
            /// The level, if this CPU has all of its features.
            pub fn detect() -> Option<Self> {
                ($(is_x86_feature_detected!($feature))&&+).then_some(Self(()))
            }

            /// Runs `kernel` compiled with this level's features.
            #[inline]
            pub fn enter<K: $crate::Kernel>(self, kernel: K) -> K::Output {
                $(#[target_feature(enable = $feature)])+
                #[inline(never)]
                fn entered<K: $crate::Kernel>(isa: $Level, kernel: K) -> K::Output {
                    kernel.run(isa)
                }
                // SAFETY: `self` exists, so `detect` found every feature that `entered` enables.
                unsafe { entered(self, kernel) }
            }
        }
    };
}
use level;

//! The block formats: how groups of 32 weights come out of a file's bytes.
//!
//! A format says one thing, [`Layout::group`]; decoding, dot products and panels follow from it.
//! [`Layout::unpack`] says the same for 16 rows at a time.

mod group;
mod in_place;
mod iq4_nl;
mod iq4_xs;
mod mxfp4;
mod q2_k;
mod q3_k;
mod q4_0;
mod q4_1;
mod q4_k;
mod q5_0;
mod q5_1;
mod q5_k;
mod q6_k;
mod q8_0;
pub(crate) mod read;

pub use group::{Factors, Group, Layout, Panel};
pub use iq4_nl::Iq4Nl;
pub use iq4_xs::Iq4Xs;
pub use mxfp4::Mxfp4;
pub use q2_k::Q2K;
pub use q3_k::Q3K;
pub use q4_0::Q4_0;
pub use q4_1::Q4_1;
pub use q4_k::Q4K;
pub use q5_0::Q5_0;
pub use q5_1::Q5_1;
pub use q5_k::Q5K;
pub use q6_k::Q6K;
pub use q8_0::Q8_0;

mod grid;
mod iq1_m;
mod iq1_s;
mod iq2_s;
mod iq2_xs;
mod iq2_xxs;
mod iq3_s;
mod iq3_xxs;
mod nvfp4;
mod tq1_0;
mod tq2_0;

pub use iq1_m::Iq1M;
pub use iq1_s::Iq1S;
pub use iq2_s::Iq2S;
pub use iq2_xs::Iq2Xs;
pub use iq2_xxs::Iq2Xxs;
pub use iq3_s::Iq3S;
pub use iq3_xxs::Iq3Xxs;
pub use nvfp4::Nvfp4;
pub use tq1_0::Tq1_0;
pub use tq2_0::Tq2_0;

/// Runs `$body` with `$L` standing for the block format of `$format`; `$float` for float formats.
///
/// ```
/// use fidelis_simd::{Format, quant::Layout, with_layout};
/// let groups = with_layout!(Format::Q4_K, L => L::GROUPS, float => 0);
/// assert_eq!(groups, 8);
/// ```
#[macro_export]
macro_rules! with_layout {
    ($format:expr, $L:ident => $body:expr, float => $float:expr) => {
        $crate::with_layout!(@ $format, $L, $body, $float,
            Q4_0 Q4_0, Q4_1 Q4_1, Q5_0 Q5_0, Q5_1 Q5_1, Q8_0 Q8_0, Q2_K Q2K, Q3_K Q3K, Q4_K Q4K, Q5_K Q5K, Q6_K Q6K,
            IQ4_NL Iq4Nl, IQ4_XS Iq4Xs, MXFP4 Mxfp4, IQ1_S Iq1S, IQ1_M Iq1M, IQ2_XXS Iq2Xxs, IQ2_XS Iq2Xs, IQ2_S Iq2S,
            IQ3_XXS Iq3Xxs, IQ3_S Iq3S, TQ1_0 Tq1_0, TQ2_0 Tq2_0, NVFP4 Nvfp4)
    };
    (@ $format:expr, $L:ident, $body:expr, $float:expr, $($name:ident $Type:ident),+) => {
        match $format {
            $($crate::Format::$name => { type $L = $crate::quant::$Type; $body })+
            _ => $float,
        }
    };
}

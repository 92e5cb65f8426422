//! Halves to floats without the run-time feature test of `half`'s conversion.

/// The value of an IEEE half.
///
/// The exponent and mantissa are placed in a float whose exponent is too small by 112 and
/// multiplied up, which normalises subnormal halves; infinities and NaNs get the full exponent.
#[inline(always)]
pub(crate) fn half_to_f32(bits: u16) -> f32 {
    let magnitude = u32::from(bits & 0x7fff) << 13;
    let scaled = f32::from_bits(magnitude) * f32::from_bits((254 - 15) << 23);
    let special = u32::from(bits & 0x7c00 == 0x7c00) * 0x7f80_0000;
    f32::from_bits(scaled.to_bits() | special | u32::from(bits & 0x8000) << 16)
}

#[cfg(test)]
mod tests {
    use super::half_to_f32;

    #[test]
    fn every_half_converts_as_in_the_half_crate() {
        for bits in 0..=u16::MAX {
            let expected = half::f16::from_bits(bits).to_f32_const();
            let found = half_to_f32(bits);
            assert!(
                found.to_bits() == expected.to_bits() || found.is_nan() && expected.is_nan(),
                "{bits:#06x}: {found} for {expected}"
            );
        }
    }
}

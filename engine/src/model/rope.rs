//! Frequencies of the rotary embedding.

/// `base^(−2 i / rotated) / (linear · factors[i])` radians per position, one for each pair.
pub(super) fn frequencies(
    rotated: usize,
    base: f64,
    linear: f64,
    factors: Option<&[f64]>,
) -> Vec<f64> {
    (0..rotated / 2)
        .map(|i| {
            let frequency = libm::pow(base, -2.0 * i as f64 / rotated as f64);
            frequency / linear / factors.map_or(1.0, |factors| factors[i])
        })
        .collect()
}

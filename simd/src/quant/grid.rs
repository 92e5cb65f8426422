//! The code books: lattice points that some formats store by index.
//!
//! A point has 8 coordinates of 2 bits or 4 coordinates of 3 bits, each an index into a few levels.
//! Coordinates of the `IQ2` and `IQ3` formats are magnitudes, their signs stored apart.

pub(super) mod iq1;
pub(super) mod iq2_s;
pub(super) mod iq2_xs;
pub(super) mod iq2_xxs;
pub(super) mod iq3_s;
pub(super) mod iq3_xxs;

/// The magnitudes of the `IQ2` formats; no point has a field of 3.
const IQ2_LEVELS: [i8; 4] = [8, 25, 43, 0];

/// The eight magnitudes of a point of an `IQ2` format.
pub(super) fn iq2_point(packed: u16) -> [i8; 8] {
    std::array::from_fn(|i| IQ2_LEVELS[usize::from(packed >> (2 * i) & 3)])
}

/// The four magnitudes of a point of an `IQ3` format.
pub(super) fn iq3_point(packed: u16, levels: &[i8; 8]) -> [i8; 4] {
    std::array::from_fn(|i| levels[usize::from(packed >> (3 * i) & 7)])
}

/// The eight weights of a ternary point, −1 to 1.
pub(super) fn ternary_point(packed: u16) -> [i8; 8] {
    std::array::from_fn(|i| [-1, 0, 1, 0][usize::from(packed >> (2 * i) & 3)])
}

/// `magnitudes`, negative where bit `i` of `signs` is set.
pub(super) fn signed(magnitudes: [i8; 8], signs: u8) -> [i8; 8] {
    std::array::from_fn(|i| {
        if signs >> i & 1 == 1 {
            -magnitudes[i]
        } else {
            magnitudes[i]
        }
    })
}

/// Eight signs from the lowest seven bits: the eighth makes the number of negative ones even.
pub(super) fn even_signs(bits: u32) -> u8 {
    let seven = (bits & 127).to_le_bytes()[0];
    let odd = seven.count_ones() % 2 == 1;
    seven | u8::from(odd) << 7
}

/// `N` parts of `M` weights, one after the other, as a group's 32.
pub(super) fn concat<const N: usize, const M: usize>(parts: [[i8; M]; N]) -> [i8; 32] {
    const { assert!(N * M == 32) }
    std::array::from_fn(|i| parts[i / M][i % M])
}

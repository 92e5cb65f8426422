//! The generator behind every draw.

/// PCG-XSH-RR 64/32 (O'Neill, 2014), seeded as its reference implementation does, on stream 54.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pcg32 {
    state: u64,
}

const MULTIPLIER: u64 = 6_364_136_223_846_793_005;
const STREAM: u64 = 54 << 1 | 1;

impl Pcg32 {
    /// The generator with this seed.
    pub fn new(seed: u64) -> Self {
        let mut new = Self {
            state: STREAM.wrapping_add(seed),
        };
        new.step();
        new
    }

    /// The generator in this state.
    pub(super) fn at(state: u64) -> Self {
        Self { state }
    }

    /// Its state.
    pub(super) fn state(&self) -> u64 {
        self.state
    }

    fn step(&mut self) {
        self.state = self.state.wrapping_mul(MULTIPLIER).wrapping_add(STREAM);
    }

    /// The next 32 bits.
    pub fn next_u32(&mut self) -> u32 {
        let old = self.state;
        self.step();
        let shifted = ((old >> 18 ^ old) >> 27) as u32;
        shifted.rotate_right((old >> 59) as u32)
    }

    /// A number from 0 up to but not including 1, of 53 bits.
    pub fn unit(&mut self) -> f64 {
        let (a, b) = (u64::from(self.next_u32()), u64::from(self.next_u32()));
        (a << 21 | b >> 11) as f64 / (1_u64 << 53) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::Pcg32;

    // The first round of the reference implementation's demonstration program, seed 42, stream 54.
    #[test]
    fn the_outputs_are_those_of_the_reference() {
        let mut random = Pcg32::new(42);
        let found: Vec<u32> = (0..6).map(|_| random.next_u32()).collect();
        assert_eq!(
            found,
            [
                0xa15c_02b7,
                0x7b47_f409,
                0xba1d_3330,
                0x83d2_f293,
                0xbfa4_784b,
                0xcbed_606e
            ]
        );
    }

    #[test]
    fn a_unit_number_takes_21_and_11_bits_apart() {
        let expected =
            ((0xa15c_02b7_u64 << 21 | 0x7b47_f409 >> 11) as f64) / 9_007_199_254_740_992.0;
        assert_eq!(Pcg32::new(42).unit(), expected);
    }
}

//! Kernels that do nothing but reach a limit of the machine.

use crate::{Isa, Kernel};

/// Reads memory: the sum of all words, wrapping.
pub struct Sum<'a> {
    /// What is read.
    pub words: &'a [u64],
}

impl Kernel for Sum<'_> {
    type Output = u64;

    #[inline(always)]
    fn run<I: Isa>(self, _: I) -> u64 {
        let mut sums = [0_u64; 32];
        for words in self.words.as_chunks::<32>().0 {
            for (sum, word) in sums.iter_mut().zip(words) {
                *sum = sum.wrapping_add(*word);
            }
        }
        sums.iter().fold(0, |all, sum| all.wrapping_add(*sum))
    }
}

/// Multiplies bytes in registers, as many as the level can at a time.
pub struct Multiply {
    /// Rounds of [`Multiply::OPERATIONS`].
    pub rounds: usize,
}

impl Multiply {
    /// Multiplications and additions of a round: 4 times 12 sums of 16 lanes of 4 products.
    pub const OPERATIONS: usize = 4 * 12 * 16 * 4 * 2;
}

impl Kernel for Multiply {
    type Output = f32;

    #[inline(always)]
    fn run<I: Isa>(self, isa: I) -> f32 {
        let mut sums = [isa.splat_word(0); 12];
        let mut w = isa.splat_word(std::hint::black_box(0x0102_0301));
        let x = isa.splat_word(std::hint::black_box(0x0001_0100));
        for _ in 0..self.rounds {
            for _ in 0..4 {
                for sum in &mut sums {
                    *sum = isa.dot_unsigned(*sum, w, x);
                }
            }
            // Every round depends on the one before, or the loop would be multiplied out.
            w = isa.and(w, isa.or(sums[0], w));
        }
        let mut total = isa.splat(0.0);
        for sum in sums {
            total = isa.add(total, isa.to_reals(sum));
        }
        <f32 as crate::Real>::sum(isa, total)
    }
}

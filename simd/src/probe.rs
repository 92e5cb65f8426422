//! Kernels that do nothing but reach a limit of the machine.

use crate::{Isa, Kernel};

/// Bytes that are read at a time.
const LINE: usize = 64;

/// Reads memory in `S` long streams, up to 16: the bits that are set in any 32-bit word. How many are read fastest depends on the machine.
///
/// A last part of less than `64 · S` bytes is left out.
pub struct Read<'a, const S: usize> {
    /// What is read.
    pub bytes: &'a [u8],
}

impl<const S: usize> Kernel for Read<'_, S> {
    type Output = u32;

    #[inline(always)]
    fn run<I: Isa>(self, isa: I) -> u32 {
        let lines = self.bytes.as_chunks::<LINE>().0;
        let run = lines.len() / S;
        let mut all = [isa.splat_word(0); S];
        for step in 0..run {
            for (stream, all) in all.iter_mut().enumerate() {
                let line = &lines[stream * run + step];
                *all = isa.or(*all, isa.to_bits(isa.load_floats(line)));
            }
        }
        let mut words = [0; 16];
        all.iter().fold(0, |bits, &line| {
            isa.store_words(line, &mut words);
            words.iter().fold(bits, |bits, word| bits | word)
        })
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

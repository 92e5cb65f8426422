//! The products of two tokens at once, on every level: the exact integers.

use fidelis_simd::{Isa, Kernel, Level};
use rand_core::Rng;
use rand_pcg::Pcg64Mcg;

/// Random cases of a kind, and extreme ones; Miri, which looks at every access, takes a thousand times as long.
const CASES: [usize; 2] = if cfg!(miri) { [4, 2] } else { [100, 20] };

/// Eight bytes of 16 rows and of two tokens, and sums to add the products to.
struct Case {
    /// `[row][byte]`.
    weights: [[i8; 8]; 16],
    tokens: [[i8; 8]; 2],
    /// `[token][row]`.
    sums: [[i32; 16]; 2],
}

impl Case {
    fn random(
        random: &mut Pcg64Mcg,
        weight: impl Fn(u32) -> i8,
        token: impl Fn(u32) -> i8,
    ) -> Self {
        let mut draw = || random.next_u32();
        Self {
            weights: std::array::from_fn(|_| std::array::from_fn(|_| weight(draw()))),
            tokens: std::array::from_fn(|_| std::array::from_fn(|_| token(draw()))),
            sums: std::array::from_fn(|_| std::array::from_fn(|_| draw().cast_signed() >> 8)),
        }
    }

    /// By the definition; `bias` is added to every weight.
    fn expected(&self, bias: i32) -> [[i32; 16]; 2] {
        std::array::from_fn(|token| {
            std::array::from_fn(|row| {
                let products = self.weights[row].iter().zip(&self.tokens[token]);
                let products = products.map(|(&w, &x)| (i32::from(w) + bias) * i32::from(x));
                self.sums[token][row] + products.sum::<i32>()
            })
        })
    }

    /// Bytes `4 word .. 4 word + 4` of every row.
    fn words(&self, word: usize) -> [u32; 16] {
        self.weights.map(|row| {
            let [a, b, c, d] = row.as_chunks().0[word];
            u32::from_le_bytes([a, b, c, d].map(i8::cast_unsigned))
        })
    }
}

/// The sums by the level, and what signed weights were raised by.
struct ByTwo<'a> {
    case: &'a Case,
    signed: bool,
}

impl Kernel for ByTwo<'_> {
    type Output = ([[i32; 16]; 2], i32);

    #[inline(always)]
    fn run<I: Isa>(self, isa: I) -> Self::Output {
        let sums = self.case.sums.map(
            #[inline(always)]
            |sums| isa.load_words(&sums.map(i32::cast_unsigned)),
        );
        let words = [0, 1].map(
            #[inline(always)]
            |word| isa.load_words(&self.case.words(word)),
        );
        let [a, b] = &self.case.tokens;
        let sums = isa.interleave(sums);
        let (sums, bias) = if self.signed {
            let words = words.map(
                #[inline(always)]
                |words| isa.signed_operand(words),
            );
            let w = isa.interleave(words);
            (isa.dot_signed_by_two(sums, w, [a, b]), I::SIGNED_BIAS)
        } else {
            let w = isa.interleave(words);
            (isa.dot_unsigned_by_two(sums, w, [a, b]), 0)
        };
        let sums = isa.separate(sums).map(
            #[inline(always)]
            |words| {
                let mut lanes = [0; 16];
                isa.store_words(words, &mut lanes);
                lanes.map(u32::cast_signed)
            },
        );
        (sums, bias)
    }
}

#[test]
fn every_level_multiplies_two_tokens_exactly() {
    let mut random = Pcg64Mcg::new(1);
    let any = |bits: u32| (bits >> 24) as i8;
    let token = |bits: u32| any(bits).max(-127);
    let extreme = |bits: u32| if bits.is_multiple_of(2) { -128 } else { 127 };
    let mut cases: Vec<(bool, Case)> = Vec::new();
    for _ in 0..CASES[0] {
        cases.push((true, Case::random(&mut random, any, token)));
        cases.push((
            false,
            Case::random(&mut random, |bits| any(bits) & 127, token),
        ));
    }
    for _ in 0..CASES[1] {
        let ends = |bits| extreme(bits).max(-127);
        cases.push((true, Case::random(&mut random, extreme, ends)));
        cases.push((false, Case::random(&mut random, |_| 127, ends)));
        cases.push((true, Case::random(&mut random, |_| -128, |_| 127)));
    }
    for level in Level::available() {
        for (number, (signed, case)) in cases.iter().enumerate() {
            let (found, bias) = level.run(ByTwo {
                case,
                signed: *signed,
            });
            assert_eq!(
                found,
                case.expected(bias),
                "{}, case {number}, signed: {signed}",
                level.name()
            );
        }
    }
}

//! What a level must be able to do.

use crate::level::Scalar;

/// The operations of one SIMD level, on vectors of one logical shape: 16 lanes of 32 bits.
///
/// A value of an implementing type is a proof: it exists only where the CPU has the level's
/// features. That is what makes every method safe to call.
///
/// Lanes are output rows in the integer kernels and elements in the float kernels. A level with
/// narrower registers holds the 16 lanes in several; since no operation crosses
/// lanes, the width of a register never shows in a result.
///
/// Methods are `#[inline(always)]`: they must end up inside the one function that carries the
/// level's `#[target_feature]`, or each becomes a call.
pub trait Isa: Copy + Send + Sync + 'static {
    /// 16 × 32 bits: integers, or four bytes in each lane.
    type Words: Copy;
    /// 16 × `f32`.
    type Reals: Copy;
    /// 16 × `f64`.
    type Doubles: Copy;

    /// Whether a register holds all 16 lanes and there are 32 registers.
    const WIDE: bool;
    /// What signed weights are raised by in [`Isa::signed_operand`].
    const SIGNED_BIAS: i32;
    /// Whether two tokens are best multiplied together, by [`Isa::dot_signed_by_two`]; not with [`Isa::WIDE`].
    const BY_TWO: bool = false;
    /// Whether one token is best multiplied with rows as they lie, products being brought into rows' lanes, rather than bytes.
    const IN_PLACE: bool = false;

    /// Runs a kernel that asks nothing of its level, out of line: it is compiled once for all levels that have about the same instructions.
    #[inline(always)]
    fn outline<K: Kernel>(self, kernel: K) -> K::Output {
        baseline(kernel)
    }

    /// Runs a kernel of this level out of line: an inner loop that has all registers to itself.
    #[inline(always)]
    fn apart<K: Kernel>(self, kernel: K) -> K::Output {
        apart(self, kernel)
    }

    /// Lane `r` of result `c` is bytes `4 c .. 4 c + 4` of row `r`.
    fn columns(self, rows: [&[u8; 16]; 16]) -> [Self::Words; 4];
    /// The first two of [`Isa::columns`].
    #[inline(always)]
    fn two_columns(self, rows: [&[u8; 16]; 16]) -> [Self::Words; 2] {
        let [first, second, ..] = self.columns(rows);
        [first, second]
    }
    /// Reads 16 words.
    fn load_words(self, words: &[u32; 16]) -> Self::Words;
    /// Writes 16 words.
    fn store_words(self, words: Self::Words, to: &mut [u32; 16]);
    /// `x` in every lane.
    fn splat_word(self, x: u32) -> Self::Words;
    /// `a & b`.
    fn and(self, a: Self::Words, b: Self::Words) -> Self::Words;
    /// `a | b`.
    fn or(self, a: Self::Words, b: Self::Words) -> Self::Words;
    /// Every lane shifted right by `N` bits, zeros entering.
    fn shift_right<const N: i32>(self, a: Self::Words) -> Self::Words;
    /// Every lane shifted right by `N` bits, copies of the sign entering.
    fn shift_right_signed<const N: i32>(self, a: Self::Words) -> Self::Words;
    /// `base | 16` in byte `b` of every lane whose bit `4 · W + b` in `bits` is set; `W` below 8.
    fn fifth_bits<const W: i32>(self, base: Self::Words, bits: Self::Words) -> Self::Words;
    /// Every lane shifted left by `N` bits.
    fn shift_left<const N: i32>(self, a: Self::Words) -> Self::Words;
    /// `table[byte & 15]` for every byte, all below 16.
    fn lookup(self, table: &[u8; 16], bytes: Self::Words) -> Self::Words;

    /// Signed bytes as [`Isa::dot_signed`] wants them.
    fn signed_operand(self, bytes: Self::Words) -> Self::Words;
    /// `sum + Σ w · x` over the four bytes of every lane; `w` unsigned and at most 127, `x` signed and above −128.
    fn dot_unsigned(self, sum: Self::Words, w: Self::Words, x: Self::Words) -> Self::Words;
    /// `sum + Σ (w + SIGNED_BIAS) · x` over the four bytes of every lane; `w` from
    /// [`Isa::signed_operand`], `x` signed and above −128.
    fn dot_signed(self, sum: Self::Words, w: Self::Words, x: Self::Words) -> Self::Words;
    /// Two vectors as one of twice the length, in the level's own order: words `2 k` and `2 k + 1` of weights, or
    /// the sums of two tokens, for [`Isa::dot_signed_by_two`].
    #[inline(always)]
    fn interleave(self, both: [Self::Words; 2]) -> [Self::Words; 2] {
        both
    }
    /// What [`Isa::interleave`] was given.
    #[inline(always)]
    fn separate(self, both: [Self::Words; 2]) -> [Self::Words; 2] {
        both
    }
    /// [`Isa::dot_unsigned`] of eight bytes a row and of two tokens; `sums` and `w` are interleaved.
    #[inline(always)]
    fn dot_unsigned_by_two(
        self,
        mut sums: [Self::Words; 2],
        w: [Self::Words; 2],
        x: [&[i8; 8]; 2],
    ) -> [Self::Words; 2] {
        for (sum, x) in sums.iter_mut().zip(x) {
            let [first, second] = halves_in_every_lane(self, x);
            *sum = self.dot_unsigned(self.dot_unsigned(*sum, w[0], first), w[1], second);
        }
        sums
    }
    /// [`Isa::dot_signed`] of eight bytes a row and of two tokens; `sums` and `w` are interleaved.
    #[inline(always)]
    fn dot_signed_by_two(
        self,
        mut sums: [Self::Words; 2],
        w: [Self::Words; 2],
        x: [&[i8; 8]; 2],
    ) -> [Self::Words; 2] {
        for (sum, x) in sums.iter_mut().zip(x) {
            let [first, second] = halves_in_every_lane(self, x);
            *sum = self.dot_signed(self.dot_signed(*sum, w[0], first), w[1], second);
        }
        sums
    }
    /// Signed integers to floats, rounded to nearest.
    fn to_reals(self, ints: Self::Words) -> Self::Reals;
    /// The low 16 bits of every lane, read as an IEEE half.
    fn halves_to_reals(self, words: Self::Words) -> Self::Reals;

    /// Reads 16 floats.
    fn load(self, floats: &[f32; 16]) -> Self::Reals;
    /// Writes 16 floats.
    fn store(self, reals: Self::Reals, to: &mut [f32; 16]);
    /// Reads 16 little-endian floats.
    fn load_floats(self, bytes: &[u8; 64]) -> Self::Reals;
    /// Reads 16 little-endian IEEE halves.
    fn load_halves(self, bytes: &[u8; 32]) -> Self::Reals;
    /// Reads 16 little-endian upper halves of floats.
    fn load_bf16(self, bytes: &[u8; 32]) -> Self::Reals;
    /// Reads 16 signed bytes as floats.
    fn load_signed(self, bytes: &[i8; 16]) -> Self::Reals;
    /// `x` in every lane.
    fn splat(self, x: f32) -> Self::Reals;
    /// `a + b`.
    fn add(self, a: Self::Reals, b: Self::Reals) -> Self::Reals;
    /// `a − b`.
    fn sub(self, a: Self::Reals, b: Self::Reals) -> Self::Reals;
    /// `a × b`.
    fn mul(self, a: Self::Reals, b: Self::Reals) -> Self::Reals;
    /// The bits of the lanes.
    fn to_bits(self, reals: Self::Reals) -> Self::Words;
    /// Lanes of these bits.
    fn from_bits(self, words: Self::Words) -> Self::Reals;
    /// Reads 16 doubles.
    fn load_doubles(self, doubles: &[f64; 16]) -> Self::Doubles;
    /// Writes 16 doubles.
    fn store_doubles(self, doubles: Self::Doubles, to: &mut [f64; 16]);
    /// `x` in every lane.
    fn splat_double(self, x: f64) -> Self::Doubles;
    /// `a + b`.
    fn add_doubles(self, a: Self::Doubles, b: Self::Doubles) -> Self::Doubles;
    /// `a × b`.
    fn mul_doubles(self, a: Self::Doubles, b: Self::Doubles) -> Self::Doubles;
    /// Every lane as a double, exactly.
    fn widen(self, reals: Self::Reals) -> Self::Doubles;

    // What follows is for rows as they lie: a row's bytes, or products with them, in the lanes of one vector.

    /// The bytes of two pieces of a row, one in lanes 0 to 7 and one in lanes 8 to 15.
    #[inline(always)]
    fn load_two(self, pieces: [&[u8; 32]; 2]) -> Self::Words {
        let mut words = [0; 16];
        for (word, bytes) in words
            .iter_mut()
            .zip(pieces.iter().flat_map(|piece| piece.as_chunks::<4>().0))
        {
            *word = u32::from_le_bytes(*bytes);
        }
        self.load_words(&words)
    }
    /// `a − b`, wrapping.
    #[inline(always)]
    fn sub_words(self, a: Self::Words, b: Self::Words) -> Self::Words {
        let (mut a, b) = (lanes(self, a), lanes(self, b));
        for (a, b) in a.iter_mut().zip(b) {
            *a = a.wrapping_sub(b);
        }
        self.load_words(&a)
    }
    /// Lanes 0 to 7 shifted left by `A` bits and lanes 8 to 15 by `B`, zeros entering.
    #[inline(always)]
    fn shift_two_left<const A: u32, const B: u32>(self, a: Self::Words) -> Self::Words {
        let mut words = lanes(self, a);
        for (lane, word) in words.iter_mut().enumerate() {
            *word <<= if lane < 8 { A } else { B };
        }
        self.load_words(&words)
    }
    /// Lanes 0 to 7 shifted right by `A` bits and lanes 8 to 15 by `B`, zeros entering.
    #[inline(always)]
    fn shift_two_right<const A: u32, const B: u32>(self, a: Self::Words) -> Self::Words {
        let mut words = lanes(self, a);
        for (lane, word) in words.iter_mut().enumerate() {
            *word >>= if lane < 8 { A } else { B };
        }
        self.load_words(&words)
    }
    /// Lane `4 j + r` of the result is the sum of lanes `4 j .. 4 j + 4` of row `r`; every lane is between −16,383 and 16,383.
    #[inline(always)]
    fn fold(self, rows: [Self::Words; 4]) -> Self::Words {
        let mut folded = [0_u32; 16];
        for (r, &row) in rows.iter().enumerate() {
            for (j, four) in lanes(self, row).as_chunks::<4>().0.iter().enumerate() {
                folded[4 * j + r] = four.iter().fold(0, |sum, &lane| sum.wrapping_add(lane));
            }
        }
        self.load_words(&folded)
    }
    /// From four times four folded rows, 16 rows: lane `4 f + r` of result `h` is the sum of lanes `8 h + r` and `8 h + 4 + r` of `folded[f]`.
    #[inline(always)]
    fn join_two(self, folded: [Self::Words; 4]) -> [Self::Words; 2] {
        let mut joined = [[0_u32; 16]; 2];
        for (f, &four) in folded.iter().enumerate() {
            let four = lanes(self, four);
            for (lane, &sum) in four.iter().enumerate() {
                let joined = &mut joined[lane / 8][4 * f + lane % 4];
                *joined = joined.wrapping_add(sum);
            }
        }
        [self.load_words(&joined[0]), self.load_words(&joined[1])]
    }
    /// From four times four folded rows, 16 rows: lane `4 f + r` of result `j` is lane `4 j + r` of `folded[f]`.
    #[inline(always)]
    fn join_four(self, folded: [Self::Words; 4]) -> [Self::Words; 4] {
        let mut joined = [[0_u32; 16]; 4];
        for (f, &four) in folded.iter().enumerate() {
            for (lane, &sum) in lanes(self, four).iter().enumerate() {
                joined[lane / 4][4 * f + lane % 4] = sum;
            }
        }
        let [a, b, c, d] = &joined;
        [
            self.load_words(a),
            self.load_words(b),
            self.load_words(c),
            self.load_words(d),
        ]
    }
}

/// Runs a kernel on a level that needs no features to be enabled.
#[inline(never)]
fn apart<I: Isa, K: Kernel>(isa: I, kernel: K) -> K::Output {
    kernel.run(isa)
}

/// Runs a kernel with the instructions that every machine of this kind has.
#[inline(never)]
pub(crate) fn baseline<K: Kernel>(kernel: K) -> K::Output {
    kernel.run(Scalar)
}

/// The lanes of words.
#[inline(always)]
fn lanes<I: Isa>(isa: I, words: I::Words) -> [u32; 16] {
    let mut lanes = [0; 16];
    isa.store_words(words, &mut lanes);
    lanes
}

/// Four bytes in every lane, and the other four.
#[inline(always)]
fn halves_in_every_lane<I: Isa>(isa: I, x: &[i8; 8]) -> [I::Words; 2] {
    let [a, b, c, d, e, f, g, h] = x.map(i8::cast_unsigned);
    let [first, second] = [[a, b, c, d], [e, f, g, h]].map(u32::from_le_bytes);
    [isa.splat_word(first), isa.splat_word(second)]
}

/// A computation that can run on any level.
///
/// Implementations mark `run` `#[inline(always)]`, and so every function that `run` calls and that
/// takes the level. A closure handed to a thread pool leaves the level's features behind: split
/// the work first and run one kernel per part.
pub trait Kernel {
    /// What running the kernel gives.
    type Output;
    /// Runs the kernel on `isa`.
    fn run<I: Isa>(self, isa: I) -> Self::Output;
}

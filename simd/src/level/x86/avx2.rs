//! 256-bit integers and floats, two registers to a vector.

use super::level;
use crate::isa::{Isa, Kernel};
use std::arch::x86_64::*;

level! {
    /// 256-bit integers and floats (Haswell, Zen and later).
    Avx2, ["avx2", "f16c"]
}

/// Runs intrinsics of the level.
macro_rules! with_level {
    ($($body:tt)*) => {
        // SAFETY: a value of the level exists, so the CPU has its features; references are as long as their types say.
        unsafe { $($body)* }
    };
}

type Words = [__m256i; 2];
type Reals = [__m256; 2];
type Doubles = [__m256d; 4];

/// The same for both registers: `both!(|a, b| a + b)`.
macro_rules! both {
    (|$($name:ident),+| $body:expr) => {
        with_level! { [{ $(let $name = $name[0];)+ $body }, { $(let $name = $name[1];)+ $body }] }
    };
}

impl Avx2 {
    /// Rows `j` and `j + 4` in the halves of a register.
    #[inline(always)]
    fn two_rows(self, rows: [&[u8; 16]; 16], j: usize) -> __m256i {
        with_level! {
            let low = _mm256_castsi128_si256(_mm_loadu_si128(rows[j].as_ptr().cast()));
            _mm256_inserti128_si256::<1>(low, _mm_loadu_si128(rows[j + 4].as_ptr().cast()))
        }
    }

    /// The columns of the eight rows from `first`.
    #[inline(always)]
    fn eight_columns(self, rows: [&[u8; 16]; 16], first: usize) -> [__m256i; 4] {
        let [a, b] = [self.two_rows(rows, first), self.two_rows(rows, first + 1)];
        let [c, d] = [
            self.two_rows(rows, first + 2),
            self.two_rows(rows, first + 3),
        ];
        with_level! {
            let [ab, cd] = [_mm256_unpacklo_epi32(a, b), _mm256_unpacklo_epi32(c, d)];
            let [ab_high, cd_high] = [_mm256_unpackhi_epi32(a, b), _mm256_unpackhi_epi32(c, d)];
            [
                _mm256_unpacklo_epi64(ab, cd),
                _mm256_unpackhi_epi64(ab, cd),
                _mm256_unpacklo_epi64(ab_high, cd_high),
                _mm256_unpackhi_epi64(ab_high, cd_high),
            ]
        }
    }

    /// The sum of a register's halves, for both registers.
    #[inline(always)]
    fn add_halves(self, a: __m256i, b: __m256i) -> __m256i {
        with_level! {
            _mm256_add_epi32(_mm256_permute2x128_si256::<0x20>(a, b), _mm256_permute2x128_si256::<0x31>(a, b))
        }
    }

    /// Pairs of 16-bit sums, widened and added to `sum`.
    #[inline(always)]
    fn widen_add(self, sum: __m256i, pairs: __m256i) -> __m256i {
        with_level! { _mm256_add_epi32(sum, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1))) }
    }
}

impl Isa for Avx2 {
    type Words = Words;
    type Reals = Reals;
    type Doubles = Doubles;

    const WIDE: bool = false;
    const SIGNED_BIAS: i32 = 0;
    const IN_PLACE: bool = true;

    #[inline(always)]
    fn apart<K: Kernel>(self, kernel: K) -> K::Output {
        self.enter(kernel)
    }
    #[inline(always)]
    fn outline<K: Kernel>(self, kernel: K) -> K::Output {
        self.enter(kernel)
    }
    #[inline(always)]
    fn columns(self, rows: [&[u8; 16]; 16]) -> [Words; 4] {
        let [low, high] = [self.eight_columns(rows, 0), self.eight_columns(rows, 8)];
        [
            [low[0], high[0]],
            [low[1], high[1]],
            [low[2], high[2]],
            [low[3], high[3]],
        ]
    }
    #[inline(always)]
    fn load_words(self, words: &[u32; 16]) -> Words {
        with_level! { [_mm256_loadu_si256(words.as_ptr().cast()), _mm256_loadu_si256(words[8..].as_ptr().cast())] }
    }
    #[inline(always)]
    fn store_words(self, words: Words, to: &mut [u32; 16]) {
        with_level! {
            _mm256_storeu_si256(to.as_mut_ptr().cast(), words[0]);
            _mm256_storeu_si256(to[8..].as_mut_ptr().cast(), words[1]);
        }
    }
    #[inline(always)]
    fn splat_word(self, x: u32) -> Words {
        with_level! { [_mm256_set1_epi32(x.cast_signed()); 2] }
    }
    #[inline(always)]
    fn and(self, a: Words, b: Words) -> Words {
        both!(|a, b| _mm256_and_si256(a, b))
    }
    #[inline(always)]
    fn or(self, a: Words, b: Words) -> Words {
        both!(|a, b| _mm256_or_si256(a, b))
    }
    #[inline(always)]
    fn shift_right<const N: i32>(self, a: Words) -> Words {
        both!(|a| _mm256_srli_epi32::<N>(a))
    }
    #[inline(always)]
    fn shift_right_signed<const N: i32>(self, a: Words) -> Words {
        both!(|a| _mm256_srai_epi32::<N>(a))
    }
    #[inline(always)]
    fn fifth_bits<const W: i32>(self, base: Words, bits: Words) -> Words {
        both!(|base, bits| {
            let lanes = _mm256_set_epi32(
                0x0c0c_0c0c,
                0x0808_0808,
                0x0404_0404,
                0,
                0x0c0c_0c0c,
                0x0808_0808,
                0x0404_0404,
                0,
            );
            let copies = _mm256_shuffle_epi8(
                bits,
                _mm256_add_epi8(lanes, _mm256_set1_epi8((W / 2) as i8)),
            );
            let mask = _mm256_set1_epi32(if W % 2 == 0 {
                0x0804_0201
            } else {
                0x8040_2010_u32.cast_signed()
            });
            let set = _mm256_cmpeq_epi8(_mm256_and_si256(copies, mask), mask);
            _mm256_or_si256(base, _mm256_and_si256(set, _mm256_set1_epi8(16)))
        })
    }
    #[inline(always)]
    fn shift_left<const N: i32>(self, a: Words) -> Words {
        both!(|a| _mm256_slli_epi32::<N>(a))
    }
    #[inline(always)]
    fn lookup(self, table: &[u8; 16], bytes: Words) -> Words {
        with_level! {
            let table = _mm256_broadcastsi128_si256(_mm_loadu_si128(table.as_ptr().cast()));
            [_mm256_shuffle_epi8(table, bytes[0]), _mm256_shuffle_epi8(table, bytes[1])]
        }
    }
    #[inline(always)]
    fn signed_operand(self, bytes: Words) -> Words {
        bytes
    }
    #[inline(always)]
    fn dot_unsigned(self, sum: Words, w: Words, x: Words) -> Words {
        both!(|sum, w, x| self.widen_add(sum, _mm256_maddubs_epi16(w, x)))
    }
    #[inline(always)]
    fn dot_signed(self, sum: Words, w: Words, x: Words) -> Words {
        // |w| × (x with the sign of w) is w × x, and 2 · 128 · 127 fits 16 bits.
        both!(|sum, w, x| self.widen_add(
            sum,
            _mm256_maddubs_epi16(_mm256_abs_epi8(w), _mm256_sign_epi8(x, w))
        ))
    }
    #[inline(always)]
    fn to_reals(self, ints: Words) -> Reals {
        both!(|ints| _mm256_cvtepi32_ps(ints))
    }
    #[inline(always)]
    fn halves_to_reals(self, words: Words) -> Reals {
        // Low halves packed within each 128 bits, then brought together.
        both!(|words| {
            let low = _mm256_and_si256(words, _mm256_set1_epi32(0xffff));
            let packed = _mm256_permute4x64_epi64::<0b1000>(_mm256_packus_epi32(low, low));
            _mm256_cvtph_ps(_mm256_castsi256_si128(packed))
        })
    }
    #[inline(always)]
    fn load(self, floats: &[f32; 16]) -> Reals {
        with_level! { [_mm256_loadu_ps(floats.as_ptr()), _mm256_loadu_ps(floats[8..].as_ptr())] }
    }
    #[inline(always)]
    fn store(self, reals: Reals, to: &mut [f32; 16]) {
        with_level! {
            _mm256_storeu_ps(to.as_mut_ptr(), reals[0]);
            _mm256_storeu_ps(to[8..].as_mut_ptr(), reals[1]);
        }
    }
    #[inline(always)]
    fn load_floats(self, bytes: &[u8; 64]) -> Reals {
        with_level! { [_mm256_loadu_ps(bytes.as_ptr().cast()), _mm256_loadu_ps(bytes[32..].as_ptr().cast())] }
    }
    #[inline(always)]
    fn load_halves(self, bytes: &[u8; 32]) -> Reals {
        with_level! {
            [
                _mm256_cvtph_ps(_mm_loadu_si128(bytes.as_ptr().cast())),
                _mm256_cvtph_ps(_mm_loadu_si128(bytes[16..].as_ptr().cast())),
            ]
        }
    }
    #[inline(always)]
    fn load_bf16(self, bytes: &[u8; 32]) -> Reals {
        let halves = with_level! { [_mm_loadu_si128(bytes.as_ptr().cast()), _mm_loadu_si128(bytes[16..].as_ptr().cast())] };
        both!(|halves| _mm256_castsi256_ps(_mm256_slli_epi32::<16>(_mm256_cvtepu16_epi32(halves))))
    }
    #[inline(always)]
    fn load_signed(self, bytes: &[i8; 16]) -> Reals {
        with_level! {
            let all = _mm_loadu_si128(bytes.as_ptr().cast());
            [
                _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(all)),
                _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_unpackhi_epi64(all, all))),
            ]
        }
    }
    #[inline(always)]
    fn splat(self, x: f32) -> Reals {
        with_level! { [_mm256_set1_ps(x); 2] }
    }
    #[inline(always)]
    fn add(self, a: Reals, b: Reals) -> Reals {
        both!(|a, b| _mm256_add_ps(a, b))
    }
    #[inline(always)]
    fn sub(self, a: Reals, b: Reals) -> Reals {
        both!(|a, b| _mm256_sub_ps(a, b))
    }
    #[inline(always)]
    fn mul(self, a: Reals, b: Reals) -> Reals {
        both!(|a, b| _mm256_mul_ps(a, b))
    }
    #[inline(always)]
    fn to_bits(self, reals: Reals) -> Words {
        both!(|reals| _mm256_castps_si256(reals))
    }
    #[inline(always)]
    fn from_bits(self, words: Words) -> Reals {
        both!(|words| _mm256_castsi256_ps(words))
    }
    #[inline(always)]
    fn load_doubles(self, doubles: &[f64; 16]) -> Doubles {
        let quarter = |i: usize| doubles[4 * i..].as_ptr();
        with_level! {
            [
                _mm256_loadu_pd(quarter(0)),
                _mm256_loadu_pd(quarter(1)),
                _mm256_loadu_pd(quarter(2)),
                _mm256_loadu_pd(quarter(3)),
            ]
        }
    }
    #[inline(always)]
    fn store_doubles(self, doubles: Doubles, to: &mut [f64; 16]) {
        with_level! {
            _mm256_storeu_pd(to.as_mut_ptr(), doubles[0]);
            _mm256_storeu_pd(to[4..].as_mut_ptr(), doubles[1]);
            _mm256_storeu_pd(to[8..].as_mut_ptr(), doubles[2]);
            _mm256_storeu_pd(to[12..].as_mut_ptr(), doubles[3]);
        }
    }
    #[inline(always)]
    fn splat_double(self, x: f64) -> Doubles {
        with_level! { [_mm256_set1_pd(x); 4] }
    }
    #[inline(always)]
    fn add_doubles(self, mut a: Doubles, b: Doubles) -> Doubles {
        for i in 0..4 {
            a[i] = with_level! { _mm256_add_pd(a[i], b[i]) };
        }
        a
    }
    #[inline(always)]
    fn mul_doubles(self, mut a: Doubles, b: Doubles) -> Doubles {
        for i in 0..4 {
            a[i] = with_level! { _mm256_mul_pd(a[i], b[i]) };
        }
        a
    }
    #[inline(always)]
    fn widen(self, [low, high]: Reals) -> Doubles {
        with_level! {
            [
                _mm256_cvtps_pd(_mm256_castps256_ps128(low)),
                _mm256_cvtps_pd(_mm256_extractf128_ps::<1>(low)),
                _mm256_cvtps_pd(_mm256_castps256_ps128(high)),
                _mm256_cvtps_pd(_mm256_extractf128_ps::<1>(high)),
            ]
        }
    }

    #[inline(always)]
    fn load_two(self, [a, b]: [&[u8; 32]; 2]) -> Words {
        with_level! { [_mm256_loadu_si256(a.as_ptr().cast()), _mm256_loadu_si256(b.as_ptr().cast())] }
    }
    #[inline(always)]
    fn shift_two_left<const A: u32, const B: u32>(self, [a, b]: Words) -> Words {
        let [low, high] = [A.cast_signed(), B.cast_signed()];
        with_level! { [_mm256_sll_epi32(a, _mm_cvtsi32_si128(low)), _mm256_sll_epi32(b, _mm_cvtsi32_si128(high))] }
    }
    #[inline(always)]
    fn fold(self, [a, b, c, d]: [Words; 4]) -> Words {
        both!(|a, b, c, d| {
            // Sums of two such lanes still fit 16 bits, so packing loses nothing.
            let ones = _mm256_set1_epi16(1);
            let ab = _mm256_madd_epi16(_mm256_packs_epi32(a, b), ones);
            let cd = _mm256_madd_epi16(_mm256_packs_epi32(c, d), ones);
            _mm256_madd_epi16(_mm256_packs_epi32(ab, cd), ones)
        })
    }
    #[inline(always)]
    fn join_two(self, [a, b, c, d]: [Words; 4]) -> [Words; 2] {
        [
            [self.add_halves(a[0], b[0]), self.add_halves(c[0], d[0])],
            [self.add_halves(a[1], b[1]), self.add_halves(c[1], d[1])],
        ]
    }
}

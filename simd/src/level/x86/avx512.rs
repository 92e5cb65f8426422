//! 512-bit vectors with the byte dot product.

use super::{Avx2, level};
use crate::isa::{Isa, Kernel, baseline};
use crate::level::scalar::spread;
use std::arch::x86_64::*;

level! {
    /// 512-bit vectors with the byte dot product (Ice Lake, Zen 4 and later).
    Avx512Vnni, ["avx2", "f16c", "avx512f", "avx512bw", "avx512vl", "avx512vnni"]
}

/// Runs intrinsics of the level.
macro_rules! with_level {
    ($($body:tt)*) => {
        // SAFETY: a value of the level exists, so the CPU has its features; references are as long as their types say.
        unsafe { $($body)* }
    };
}

/// For each four bits, 16 in the bytes of those that are set.
static SIXTEENS: [u32; 16] = {
    let mut words = [0; 16];
    let mut nibble = 0;
    while nibble < 16 {
        words[nibble as usize] = spread(nibble) << 4;
        nibble += 1;
    }
    words
};

impl Avx512Vnni {
    /// `A` in lanes 0 to 7 and `B` in lanes 8 to 15.
    #[inline(always)]
    fn two<const A: u32, const B: u32>(self) -> __m512i {
        let [a, b] = [A.cast_signed(), B.cast_signed()];
        with_level! { _mm512_setr_epi32(a, a, a, a, a, a, a, a, b, b, b, b, b, b, b, b) }
    }

    /// The first eight bytes of rows `j` to `j + 7`, in order.
    #[inline(always)]
    fn eight_starts(self, rows: [&[u8; 16]; 16], j: usize) -> __m512d {
        with_level! {
            let two = |i: usize| {
                let low = _mm_castsi128_pd(_mm_loadl_epi64(rows[i].as_ptr().cast()));
                _mm_loadh_pd(low, rows[i + 1].as_ptr().cast())
            };
            let four = |i: usize| _mm256_insertf128_pd::<1>(_mm256_castpd128_pd256(two(i)), two(i + 2));
            _mm512_insertf64x4::<1>(_mm512_castpd256_pd512(four(j)), four(j + 4))
        }
    }

    /// Rows `j`, `j + 4`, `j + 8`, `j + 12` in the quarters of a register: 4 × 4 transposes within
    /// quarters then leave the rows in order.
    #[inline(always)]
    fn every_fourth(self, rows: [&[u8; 16]; 16], j: usize) -> __m512i {
        with_level! {
            let two = |i: usize| {
                let low = _mm256_castsi128_si256(_mm_loadu_si128(rows[i].as_ptr().cast()));
                _mm256_inserti128_si256::<1>(low, _mm_loadu_si128(rows[i + 4].as_ptr().cast()))
            };
            _mm512_inserti64x4::<1>(_mm512_castsi256_si512(two(j)), two(j + 8))
        }
    }
}

impl Isa for Avx512Vnni {
    type Words = __m512i;
    type Reals = __m512;
    type Doubles = [__m512d; 2];

    const WIDE: bool = true;
    const SIGNED_BIAS: i32 = 128;
    const IN_PLACE: bool = true;

    #[inline(always)]
    fn apart<K: Kernel>(self, kernel: K) -> K::Output {
        self.enter(kernel)
    }
    #[inline(always)]
    fn outline<K: Kernel>(self, kernel: K) -> K::Output {
        match Avx2::detect() {
            Some(narrower) => narrower.enter(kernel),
            None => baseline(kernel),
        }
    }
    #[inline(always)]
    fn columns(self, rows: [&[u8; 16]; 16]) -> [__m512i; 4] {
        let [a, b] = [self.every_fourth(rows, 0), self.every_fourth(rows, 1)];
        let [c, d] = [self.every_fourth(rows, 2), self.every_fourth(rows, 3)];
        with_level! {
            let [ab, cd] = [_mm512_unpacklo_epi32(a, b), _mm512_unpacklo_epi32(c, d)];
            let [ab_high, cd_high] = [_mm512_unpackhi_epi32(a, b), _mm512_unpackhi_epi32(c, d)];
            [
                _mm512_unpacklo_epi64(ab, cd),
                _mm512_unpackhi_epi64(ab, cd),
                _mm512_unpacklo_epi64(ab_high, cd_high),
                _mm512_unpackhi_epi64(ab_high, cd_high),
            ]
        }
    }
    #[inline(always)]
    fn two_columns(self, rows: [&[u8; 16]; 16]) -> [__m512i; 2] {
        let [a, b] = [self.eight_starts(rows, 0), self.eight_starts(rows, 8)];
        with_level! {
            let [a, b] = [_mm512_castpd_si512(a), _mm512_castpd_si512(b)];
            let even = _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
            let odd = _mm512_or_si512(even, _mm512_set1_epi32(1));
            [_mm512_permutex2var_epi32(a, even, b), _mm512_permutex2var_epi32(a, odd, b)]
        }
    }
    #[inline(always)]
    fn load_words(self, words: &[u32; 16]) -> __m512i {
        with_level! { _mm512_loadu_si512(words.as_ptr().cast()) }
    }
    #[inline(always)]
    fn store_words(self, words: __m512i, to: &mut [u32; 16]) {
        with_level! { _mm512_storeu_si512(to.as_mut_ptr().cast(), words) }
    }
    #[inline(always)]
    fn splat_word(self, x: u32) -> __m512i {
        with_level! { _mm512_set1_epi32(x.cast_signed()) }
    }
    #[inline(always)]
    fn and(self, a: __m512i, b: __m512i) -> __m512i {
        with_level! { _mm512_and_si512(a, b) }
    }
    #[inline(always)]
    fn or(self, a: __m512i, b: __m512i) -> __m512i {
        with_level! { _mm512_or_si512(a, b) }
    }
    #[inline(always)]
    fn shift_right<const N: i32>(self, a: __m512i) -> __m512i {
        with_level! { _mm512_srl_epi32(a, _mm_cvtsi32_si128(N)) }
    }
    #[inline(always)]
    fn shift_right_signed<const N: i32>(self, a: __m512i) -> __m512i {
        with_level! { _mm512_sra_epi32(a, _mm_cvtsi32_si128(N)) }
    }
    #[inline(always)]
    fn fifth_bits<const W: i32>(self, base: __m512i, bits: __m512i) -> __m512i {
        with_level! {
            let table = _mm512_loadu_si512(SIXTEENS.as_ptr().cast());
            // A lane's index is its lowest four bits.
            let index = _mm512_srl_epi32(bits, _mm_cvtsi32_si128(4 * W));
            _mm512_or_si512(base, _mm512_permutexvar_epi32(index, table))
        }
    }
    #[inline(always)]
    fn shift_left<const N: i32>(self, a: __m512i) -> __m512i {
        with_level! { _mm512_sll_epi32(a, _mm_cvtsi32_si128(N)) }
    }
    #[inline(always)]
    fn lookup(self, table: &[u8; 16], bytes: __m512i) -> __m512i {
        with_level! {
            let table = _mm512_broadcast_i32x4(_mm_loadu_si128(table.as_ptr().cast()));
            _mm512_shuffle_epi8(table, bytes)
        }
    }
    #[inline(always)]
    fn signed_operand(self, bytes: __m512i) -> __m512i {
        // Flipping the top bit adds 128 to a signed byte and makes it unsigned.
        with_level! { _mm512_xor_si512(bytes, _mm512_set1_epi8(-128)) }
    }
    #[inline(always)]
    fn dot_unsigned(self, sum: __m512i, w: __m512i, x: __m512i) -> __m512i {
        with_level! { _mm512_dpbusd_epi32(sum, w, x) }
    }
    #[inline(always)]
    fn dot_signed(self, sum: __m512i, w: __m512i, x: __m512i) -> __m512i {
        with_level! { _mm512_dpbusd_epi32(sum, w, x) }
    }
    #[inline(always)]
    fn to_reals(self, ints: __m512i) -> __m512 {
        with_level! { _mm512_cvtepi32_ps(ints) }
    }
    #[inline(always)]
    fn halves_to_reals(self, words: __m512i) -> __m512 {
        with_level! { _mm512_cvtph_ps(_mm512_cvtepi32_epi16(words)) }
    }
    #[inline(always)]
    fn load(self, floats: &[f32; 16]) -> __m512 {
        with_level! { _mm512_loadu_ps(floats.as_ptr()) }
    }
    #[inline(always)]
    fn store(self, reals: __m512, to: &mut [f32; 16]) {
        with_level! { _mm512_storeu_ps(to.as_mut_ptr(), reals) }
    }
    #[inline(always)]
    fn load_floats(self, bytes: &[u8; 64]) -> __m512 {
        with_level! { _mm512_loadu_ps(bytes.as_ptr().cast()) }
    }
    #[inline(always)]
    fn load_halves(self, bytes: &[u8; 32]) -> __m512 {
        with_level! { _mm512_cvtph_ps(_mm256_loadu_si256(bytes.as_ptr().cast())) }
    }
    #[inline(always)]
    fn load_bf16(self, bytes: &[u8; 32]) -> __m512 {
        with_level! {
            let words = _mm512_cvtepu16_epi32(_mm256_loadu_si256(bytes.as_ptr().cast()));
            _mm512_castsi512_ps(_mm512_slli_epi32::<16>(words))
        }
    }
    #[inline(always)]
    fn load_signed(self, bytes: &[i8; 16]) -> __m512 {
        with_level! { _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_loadu_si128(bytes.as_ptr().cast()))) }
    }
    #[inline(always)]
    fn splat(self, x: f32) -> __m512 {
        with_level! { _mm512_set1_ps(x) }
    }
    #[inline(always)]
    fn add(self, a: __m512, b: __m512) -> __m512 {
        with_level! { _mm512_add_ps(a, b) }
    }
    #[inline(always)]
    fn sub(self, a: __m512, b: __m512) -> __m512 {
        with_level! { _mm512_sub_ps(a, b) }
    }
    #[inline(always)]
    fn mul(self, a: __m512, b: __m512) -> __m512 {
        with_level! { _mm512_mul_ps(a, b) }
    }
    #[inline(always)]
    fn to_bits(self, reals: __m512) -> __m512i {
        with_level! { _mm512_castps_si512(reals) }
    }
    #[inline(always)]
    fn from_bits(self, words: __m512i) -> __m512 {
        with_level! { _mm512_castsi512_ps(words) }
    }
    #[inline(always)]
    fn load_doubles(self, doubles: &[f64; 16]) -> [__m512d; 2] {
        with_level! { [_mm512_loadu_pd(doubles.as_ptr()), _mm512_loadu_pd(doubles[8..].as_ptr())] }
    }
    #[inline(always)]
    fn store_doubles(self, doubles: [__m512d; 2], to: &mut [f64; 16]) {
        with_level! {
            _mm512_storeu_pd(to.as_mut_ptr(), doubles[0]);
            _mm512_storeu_pd(to[8..].as_mut_ptr(), doubles[1]);
        }
    }
    #[inline(always)]
    fn splat_double(self, x: f64) -> [__m512d; 2] {
        with_level! { [_mm512_set1_pd(x); 2] }
    }
    #[inline(always)]
    fn add_doubles(self, a: [__m512d; 2], b: [__m512d; 2]) -> [__m512d; 2] {
        with_level! { [_mm512_add_pd(a[0], b[0]), _mm512_add_pd(a[1], b[1])] }
    }
    #[inline(always)]
    fn mul_doubles(self, a: [__m512d; 2], b: [__m512d; 2]) -> [__m512d; 2] {
        with_level! { [_mm512_mul_pd(a[0], b[0]), _mm512_mul_pd(a[1], b[1])] }
    }
    #[inline(always)]
    fn widen(self, reals: __m512) -> [__m512d; 2] {
        with_level! {
            let high = _mm512_shuffle_f32x4::<0b11_10_11_10>(reals, reals);
            [
                _mm512_cvtps_pd(_mm512_castps512_ps256(reals)),
                _mm512_cvtps_pd(_mm512_castps512_ps256(high)),
            ]
        }
    }

    #[inline(always)]
    fn load_two(self, [a, b]: [&[u8; 32]; 2]) -> __m512i {
        with_level! {
            let low = _mm512_castsi256_si512(_mm256_loadu_si256(a.as_ptr().cast()));
            _mm512_inserti64x4::<1>(low, _mm256_loadu_si256(b.as_ptr().cast()))
        }
    }
    #[inline(always)]
    fn sub_words(self, a: __m512i, b: __m512i) -> __m512i {
        with_level! { _mm512_sub_epi32(a, b) }
    }
    #[inline(always)]
    fn shift_two_left<const A: u32, const B: u32>(self, a: __m512i) -> __m512i {
        with_level! { _mm512_sllv_epi32(a, self.two::<A, B>()) }
    }
    #[inline(always)]
    fn shift_two_right<const A: u32, const B: u32>(self, a: __m512i) -> __m512i {
        with_level! { _mm512_srlv_epi32(a, self.two::<A, B>()) }
    }
    #[inline(always)]
    fn fold(self, [a, b, c, d]: [__m512i; 4]) -> __m512i {
        with_level! {
            // Sums of two such lanes still fit 16 bits, so packing loses nothing.
            let ones = _mm512_set1_epi16(1);
            let ab = _mm512_madd_epi16(_mm512_packs_epi32(a, b), ones);
            let cd = _mm512_madd_epi16(_mm512_packs_epi32(c, d), ones);
            _mm512_madd_epi16(_mm512_packs_epi32(ab, cd), ones)
        }
    }
    #[inline(always)]
    fn join_two(self, [a, b, c, d]: [__m512i; 4]) -> [__m512i; 2] {
        const EVEN: i32 = 0b10_00_10_00;
        const ODD: i32 = 0b11_01_11_01;
        with_level! {
            let ab = _mm512_add_epi32(_mm512_shuffle_i32x4::<EVEN>(a, b), _mm512_shuffle_i32x4::<ODD>(a, b));
            let cd = _mm512_add_epi32(_mm512_shuffle_i32x4::<EVEN>(c, d), _mm512_shuffle_i32x4::<ODD>(c, d));
            [_mm512_shuffle_i32x4::<EVEN>(ab, cd), _mm512_shuffle_i32x4::<ODD>(ab, cd)]
        }
    }
    #[inline(always)]
    fn join_four(self, [a, b, c, d]: [__m512i; 4]) -> [__m512i; 4] {
        const LOW: i32 = 0b01_00_01_00;
        const HIGH: i32 = 0b11_10_11_10;
        const EVEN: i32 = 0b10_00_10_00;
        const ODD: i32 = 0b11_01_11_01;
        with_level! {
            let [ab, cd] = [_mm512_shuffle_i32x4::<LOW>(a, b), _mm512_shuffle_i32x4::<LOW>(c, d)];
            let [ab_high, cd_high] = [_mm512_shuffle_i32x4::<HIGH>(a, b), _mm512_shuffle_i32x4::<HIGH>(c, d)];
            [
                _mm512_shuffle_i32x4::<EVEN>(ab, cd),
                _mm512_shuffle_i32x4::<ODD>(ab, cd),
                _mm512_shuffle_i32x4::<EVEN>(ab_high, cd_high),
                _mm512_shuffle_i32x4::<ODD>(ab_high, cd_high),
            ]
        }
    }
}

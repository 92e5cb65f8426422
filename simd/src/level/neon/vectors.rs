//! What the levels do alike: everything but the products of bytes.

use super::{Neon, Products};
use crate::isa::Isa;
use std::arch::aarch64::*;

type Words = [uint32x4_t; 4];
type Reals = [float32x4_t; 4];
type Doubles = [float64x2_t; 8];

/// Runs intrinsics of the baseline.
macro_rules! neon {
    ($($body:tt)*) => {
        // SAFETY: NEON is in the baseline of aarch64; references are as long as their types say.
        unsafe { $($body)* }
    };
}

/// The same for all four registers: `each!(|a, b| a + b)`.
macro_rules! each {
    (|$($name:ident),+| $body:expr) => {
        neon! {
            [
                { $(let $name = $name[0];)+ $body },
                { $(let $name = $name[1];)+ $body },
                { $(let $name = $name[2];)+ $body },
                { $(let $name = $name[3];)+ $body },
            ]
        }
    };
}

/// The columns of four rows.
#[inline(always)]
fn four_columns(rows: &[&[u8; 16]]) -> [uint32x4_t; 4] {
    neon! {
        let row = |i: usize| vreinterpretq_u32_u8(vld1q_u8(rows[i].as_ptr()));
        let [even_ab, odd_ab] = [vtrn1q_u32(row(0), row(1)), vtrn2q_u32(row(0), row(1))];
        let [even_cd, odd_cd] = [vtrn1q_u32(row(2), row(3)), vtrn2q_u32(row(2), row(3))];
        let low = |ab, cd| vreinterpretq_u32_u64(vtrn1q_u64(vreinterpretq_u64_u32(ab), vreinterpretq_u64_u32(cd)));
        let high = |ab, cd| vreinterpretq_u32_u64(vtrn2q_u64(vreinterpretq_u64_u32(ab), vreinterpretq_u64_u32(cd)));
        [low(even_ab, even_cd), low(odd_ab, odd_cd), high(even_ab, even_cd), high(odd_ab, odd_cd)]
    }
}

/// Eight IEEE halves as floats.
#[inline(always)]
fn widen_halves(halves: uint16x8_t) -> [float32x4_t; 2] {
    neon! {
        let halves = vreinterpretq_f16_u16(halves);
        [vcvt_f32_f16(vget_low_f16(halves)), vcvt_high_f32_f16(halves)]
    }
}

/// Eight upper halves of floats as floats.
#[inline(always)]
fn widen_bf16(halves: uint16x8_t) -> [float32x4_t; 2] {
    neon! {
        [
            vreinterpretq_f32_u32(vshll_n_u16::<16>(vget_low_u16(halves))),
            vreinterpretq_f32_u32(vshll_high_n_u16::<16>(halves)),
        ]
    }
}

/// Reads 16 little-endian 16-bit integers.
#[inline(always)]
fn load_shorts(bytes: &[u8; 32]) -> [uint16x8_t; 2] {
    neon! {
        [
            vreinterpretq_u16_u8(vld1q_u8(bytes.as_ptr())),
            vreinterpretq_u16_u8(vld1q_u8(bytes[16..].as_ptr())),
        ]
    }
}

impl<P: Products> Isa for Neon<P> {
    type Words = Words;
    type Reals = Reals;
    type Doubles = Doubles;

    const WIDE: bool = false;
    const SIGNED_BIAS: i32 = 0;
    const BY_TWO: bool = P::MATRIX;

    #[inline(always)]
    fn columns(self, rows: [&[u8; 16]; 16]) -> [Words; 4] {
        let [a, b] = [four_columns(&rows[..4]), four_columns(&rows[4..8])];
        let [c, d] = [four_columns(&rows[8..12]), four_columns(&rows[12..])];
        [
            [a[0], b[0], c[0], d[0]],
            [a[1], b[1], c[1], d[1]],
            [a[2], b[2], c[2], d[2]],
            [a[3], b[3], c[3], d[3]],
        ]
    }
    #[inline(always)]
    fn load_words(self, words: &[u32; 16]) -> Words {
        let [a, b, c, d] = [&words[..4], &words[4..8], &words[8..12], &words[12..]];
        neon! { [vld1q_u32(a.as_ptr()), vld1q_u32(b.as_ptr()), vld1q_u32(c.as_ptr()), vld1q_u32(d.as_ptr())] }
    }
    #[inline(always)]
    fn store_words(self, words: Words, to: &mut [u32; 16]) {
        for (to, words) in to.as_chunks_mut::<4>().0.iter_mut().zip(words) {
            neon! { vst1q_u32(to.as_mut_ptr(), words) }
        }
    }
    #[inline(always)]
    fn splat_word(self, x: u32) -> Words {
        neon! { [vdupq_n_u32(x); 4] }
    }
    #[inline(always)]
    fn and(self, a: Words, b: Words) -> Words {
        each!(|a, b| vandq_u32(a, b))
    }
    #[inline(always)]
    fn or(self, a: Words, b: Words) -> Words {
        each!(|a, b| vorrq_u32(a, b))
    }
    // Shifts by a register become shifts by a constant, and unlike the intrinsics for those they allow 0.
    #[inline(always)]
    fn shift_right<const N: i32>(self, a: Words) -> Words {
        each!(|a| vshlq_u32(a, vdupq_n_s32(-N)))
    }
    #[inline(always)]
    fn shift_right_signed<const N: i32>(self, a: Words) -> Words {
        each!(|a| vreinterpretq_u32_s32(vshlq_s32(vreinterpretq_s32_u32(a), vdupq_n_s32(-N))))
    }
    #[inline(always)]
    fn fifth_bits<const W: i32>(self, base: Words, bits: Words) -> Words {
        // Four copies of the byte that has the bits, then one bit of each.
        let [copy, bit] = const {
            let mut tables = [[0; 16]; 2];
            let mut byte = 0;
            while byte < 16 {
                tables[0][byte] = (byte / 4 * 4) as u8 + (W / 2) as u8;
                tables[1][byte] = 1 << (byte % 4 + if W % 2 == 0 { 0 } else { 4 });
                byte += 1;
            }
            tables
        };
        each!(|base, bits| {
            let copies = vqtbl1q_u8(vreinterpretq_u8_u32(bits), vld1q_u8(copy.as_ptr()));
            let set = vtstq_u8(copies, vld1q_u8(bit.as_ptr()));
            let sixteen = vandq_u8(set, vdupq_n_u8(16));
            vorrq_u32(base, vreinterpretq_u32_u8(sixteen))
        })
    }
    #[inline(always)]
    fn shift_left<const N: i32>(self, a: Words) -> Words {
        each!(|a| vshlq_u32(a, vdupq_n_s32(N)))
    }
    #[inline(always)]
    fn lookup(self, table: &[u8; 16], bytes: Words) -> Words {
        each!(|bytes| {
            let found = vqtbl1q_u8(vld1q_u8(table.as_ptr()), vreinterpretq_u8_u32(bytes));
            vreinterpretq_u32_u8(found)
        })
    }
    #[inline(always)]
    fn signed_operand(self, bytes: Words) -> Words {
        bytes
    }
    #[inline(always)]
    fn dot_unsigned(self, sum: Words, w: Words, x: Words) -> Words {
        // At most 127: the same bits as signed bytes.
        self.dot_signed(sum, w, x)
    }
    #[inline(always)]
    fn dot_signed(self, sum: Words, w: Words, x: Words) -> Words {
        each!(|sum, w, x| vreinterpretq_u32_s32(self.0.dot(
            vreinterpretq_s32_u32(sum),
            vreinterpretq_s8_u32(w),
            vreinterpretq_s8_u32(x)
        )))
    }
    // Lanes of the one and of the other in turn: two rows of eight weights, or two rows of sums of two tokens.
    #[inline(always)]
    fn interleave(self, [a, b]: [Words; 2]) -> [Words; 2] {
        [
            each!(|a, b| vzip1q_u32(a, b)),
            each!(|a, b| vzip2q_u32(a, b)),
        ]
    }
    #[inline(always)]
    fn separate(self, [a, b]: [Words; 2]) -> [Words; 2] {
        [
            each!(|a, b| vuzp1q_u32(a, b)),
            each!(|a, b| vuzp2q_u32(a, b)),
        ]
    }
    #[inline(always)]
    fn dot_unsigned_by_two(self, sums: [Words; 2], w: [Words; 2], x: [&[i8; 8]; 2]) -> [Words; 2] {
        self.dot_signed_by_two(sums, w, x)
    }
    #[inline(always)]
    fn dot_signed_by_two(
        self,
        mut sums: [Words; 2],
        w: [Words; 2],
        [x0, x1]: [&[i8; 8]; 2],
    ) -> [Words; 2] {
        let x = neon! { vcombine_s8(vld1_s8(x0.as_ptr()), vld1_s8(x1.as_ptr())) };
        // What an iterator is given may end up outside the function that has the level's features.
        for i in 0..2 {
            let (both, rows) = (sums[i], w[i]);
            sums[i] = each!(|both, rows| vreinterpretq_u32_s32(self.0.matrix(
                vreinterpretq_s32_u32(both),
                vreinterpretq_s8_u32(rows),
                x
            )));
        }
        sums
    }
    #[inline(always)]
    fn to_reals(self, ints: Words) -> Reals {
        each!(|ints| vcvtq_f32_s32(vreinterpretq_s32_u32(ints)))
    }
    #[inline(always)]
    fn halves_to_reals(self, words: Words) -> Reals {
        each!(|words| vcvt_f32_f16(vreinterpret_f16_u16(vmovn_u32(words))))
    }
    #[inline(always)]
    fn load(self, floats: &[f32; 16]) -> Reals {
        let [a, b, c, d] = [&floats[..4], &floats[4..8], &floats[8..12], &floats[12..]];
        neon! { [vld1q_f32(a.as_ptr()), vld1q_f32(b.as_ptr()), vld1q_f32(c.as_ptr()), vld1q_f32(d.as_ptr())] }
    }
    #[inline(always)]
    fn store(self, reals: Reals, to: &mut [f32; 16]) {
        for (to, reals) in to.as_chunks_mut::<4>().0.iter_mut().zip(reals) {
            neon! { vst1q_f32(to.as_mut_ptr(), reals) }
        }
    }
    #[inline(always)]
    fn load_floats(self, bytes: &[u8; 64]) -> Reals {
        let [a, b, c, d] = [&bytes[..16], &bytes[16..32], &bytes[32..48], &bytes[48..]];
        let quarters = neon! { [vld1q_u8(a.as_ptr()), vld1q_u8(b.as_ptr()), vld1q_u8(c.as_ptr()), vld1q_u8(d.as_ptr())] };
        each!(|quarters| vreinterpretq_f32_u8(quarters))
    }
    #[inline(always)]
    fn load_halves(self, bytes: &[u8; 32]) -> Reals {
        let [[a, b], [c, d]] = load_shorts(bytes).map(widen_halves);
        [a, b, c, d]
    }
    #[inline(always)]
    fn load_bf16(self, bytes: &[u8; 32]) -> Reals {
        let [[a, b], [c, d]] = load_shorts(bytes).map(widen_bf16);
        [a, b, c, d]
    }
    #[inline(always)]
    fn load_signed(self, bytes: &[i8; 16]) -> Reals {
        neon! {
            let bytes = vld1q_s8(bytes.as_ptr());
            let [low, high] = [vmovl_s8(vget_low_s8(bytes)), vmovl_high_s8(bytes)];
            [
                vcvtq_f32_s32(vmovl_s16(vget_low_s16(low))),
                vcvtq_f32_s32(vmovl_high_s16(low)),
                vcvtq_f32_s32(vmovl_s16(vget_low_s16(high))),
                vcvtq_f32_s32(vmovl_high_s16(high)),
            ]
        }
    }
    #[inline(always)]
    fn splat(self, x: f32) -> Reals {
        neon! { [vdupq_n_f32(x); 4] }
    }
    #[inline(always)]
    fn add(self, a: Reals, b: Reals) -> Reals {
        each!(|a, b| vaddq_f32(a, b))
    }
    #[inline(always)]
    fn sub(self, a: Reals, b: Reals) -> Reals {
        each!(|a, b| vsubq_f32(a, b))
    }
    #[inline(always)]
    fn mul(self, a: Reals, b: Reals) -> Reals {
        each!(|a, b| vmulq_f32(a, b))
    }
    #[inline(always)]
    fn to_bits(self, reals: Reals) -> Words {
        each!(|reals| vreinterpretq_u32_f32(reals))
    }
    #[inline(always)]
    fn from_bits(self, words: Words) -> Reals {
        each!(|words| vreinterpretq_f32_u32(words))
    }
    #[inline(always)]
    fn load_doubles(self, doubles: &[f64; 16]) -> Doubles {
        let mut all = self.splat_double(0.0);
        for (pair, doubles) in all.iter_mut().zip(doubles.as_chunks::<2>().0) {
            *pair = neon! { vld1q_f64(doubles.as_ptr()) };
        }
        all
    }
    #[inline(always)]
    fn store_doubles(self, doubles: Doubles, to: &mut [f64; 16]) {
        for (to, pair) in to.as_chunks_mut::<2>().0.iter_mut().zip(doubles) {
            neon! { vst1q_f64(to.as_mut_ptr(), pair) }
        }
    }
    #[inline(always)]
    fn splat_double(self, x: f64) -> Doubles {
        neon! { [vdupq_n_f64(x); 8] }
    }
    #[inline(always)]
    fn add_doubles(self, mut a: Doubles, b: Doubles) -> Doubles {
        for i in 0..8 {
            a[i] = neon! { vaddq_f64(a[i], b[i]) };
        }
        a
    }
    #[inline(always)]
    fn mul_doubles(self, mut a: Doubles, b: Doubles) -> Doubles {
        for i in 0..8 {
            a[i] = neon! { vmulq_f64(a[i], b[i]) };
        }
        a
    }
    #[inline(always)]
    fn widen(self, reals: Reals) -> Doubles {
        let low = each!(|reals| vcvt_f64_f32(vget_low_f32(reals)));
        let high = each!(|reals| vcvt_high_f64_f32(reals));
        [
            low[0], high[0], low[1], high[1], low[2], high[2], low[3], high[3],
        ]
    }
}

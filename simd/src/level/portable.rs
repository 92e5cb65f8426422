//! The 128-bit baseline of the target through `wide`: SSE2, NEON or WebAssembly's simd128.

use crate::half_bits::half_to_f32;
use crate::isa::Isa;
use bytemuck::cast;
use wide::{f32x4, f64x2, i16x8, i32x4, u32x4};

/// The level that every machine has.
#[derive(Clone, Copy, Debug)]
pub struct Portable;

type Words = [u32x4; 4];
type Reals = [f32x4; 4];
type Doubles = [f64x2; 8];

/// The even and the odd bytes of every 16 bits, widened with their sign.
#[inline(always)]
fn widen_signed(bytes: u32x4) -> [i16x8; 2] {
    let pairs: i16x8 = cast(bytes);
    [(pairs << 8_i32) >> 8_i32, pairs >> 8_i32]
}

/// The even and the odd bytes of every 16 bits, widened with zeros.
#[inline(always)]
fn widen_unsigned(bytes: u32x4) -> [i16x8; 2] {
    let low = u32x4::splat(0x00ff_00ff);
    [cast(bytes & low), cast((bytes >> 8_i32) & low)]
}

#[inline(always)]
fn dot(sum: u32x4, w: [i16x8; 2], x: u32x4) -> u32x4 {
    let x = widen_signed(x);
    let products: i32x4 = w[0].dot(x[0]) + w[1].dot(x[1]);
    sum + cast::<i32x4, u32x4>(products)
}

#[inline(always)]
fn each<T: Copy, U: Copy, V>(a: [T; 4], b: [U; 4], f: impl Fn(T, U) -> V) -> [V; 4] {
    std::array::from_fn(
        #[inline(always)]
        |i| f(a[i], b[i]),
    )
}

impl Isa for Portable {
    type Words = Words;
    type Reals = Reals;
    type Doubles = Doubles;

    const WIDE: bool = false;
    const SIGNED_BIAS: i32 = 0;

    #[inline(always)]
    fn columns(self, rows: [&[u8; 16]; 16]) -> [Words; 4] {
        std::array::from_fn(|c| {
            cast::<[u32; 16], Words>(rows.map(|row| u32::from_le_bytes(row.as_chunks().0[c])))
        })
    }
    #[inline(always)]
    fn load_words(self, words: &[u32; 16]) -> Words {
        cast(*words)
    }
    #[inline(always)]
    fn store_words(self, words: Words, to: &mut [u32; 16]) {
        *to = cast(words);
    }
    #[inline(always)]
    fn splat_word(self, x: u32) -> Words {
        [u32x4::splat(x); 4]
    }
    #[inline(always)]
    fn and(self, a: Words, b: Words) -> Words {
        each(a, b, |a, b| a & b)
    }
    #[inline(always)]
    fn or(self, a: Words, b: Words) -> Words {
        each(a, b, |a, b| a | b)
    }
    #[inline(always)]
    fn shift_right<const N: i32>(self, a: Words) -> Words {
        a.map(|a| a >> N)
    }
    #[inline(always)]
    fn shift_right_signed<const N: i32>(self, a: Words) -> Words {
        a.map(|a| cast(cast::<u32x4, i32x4>(a) >> N))
    }
    #[inline(always)]
    fn fifth_bits<const W: i32>(self, base: Words, bits: Words) -> Words {
        each(base, bits, |base, bits| {
            // Shifts for a multiplication, which SSE2 lacks: the products do not overlap.
            let nibble = (bits >> (4 * W)) & u32x4::splat(15);
            let spread = nibble | nibble << 7_i32 | nibble << 14_i32 | nibble << 21_i32;
            base | (spread & u32x4::splat(0x0101_0101)) << 4_i32
        })
    }
    #[inline(always)]
    fn shift_left<const N: i32>(self, a: Words) -> Words {
        a.map(|a| a << N)
    }
    #[inline(always)]
    fn lookup(self, table: &[u8; 16], bytes: Words) -> Words {
        let table = wide::u8x16::new(*table);
        bytes.map(|bytes| cast(table.shuffle_zeroing(cast(bytes))))
    }
    #[inline(always)]
    fn signed_operand(self, bytes: Words) -> Words {
        bytes
    }
    #[inline(always)]
    fn dot_unsigned(self, sum: Words, w: Words, x: Words) -> Words {
        std::array::from_fn(|i| dot(sum[i], widen_unsigned(w[i]), x[i]))
    }
    #[inline(always)]
    fn dot_signed(self, sum: Words, w: Words, x: Words) -> Words {
        std::array::from_fn(|i| dot(sum[i], widen_signed(w[i]), x[i]))
    }
    #[inline(always)]
    fn to_reals(self, ints: Words) -> Reals {
        ints.map(|ints| f32x4::from_i32x4(cast(ints)))
    }
    #[inline(always)]
    fn halves_to_reals(self, words: Words) -> Reals {
        let words: [u32; 16] = cast(words);
        cast(words.map(|word| half_to_f32(word as u16)))
    }
    #[inline(always)]
    fn load(self, floats: &[f32; 16]) -> Reals {
        cast(*floats)
    }
    #[inline(always)]
    fn store(self, reals: Reals, to: &mut [f32; 16]) {
        *to = cast(reals);
    }
    #[inline(always)]
    fn load_floats(self, bytes: &[u8; 64]) -> Reals {
        cast(std::array::from_fn::<f32, 16, _>(|i| {
            f32::from_le_bytes(bytes.as_chunks().0[i])
        }))
    }
    #[inline(always)]
    fn load_halves(self, bytes: &[u8; 32]) -> Reals {
        cast(std::array::from_fn::<f32, 16, _>(|i| {
            half_to_f32(u16::from_le_bytes(bytes.as_chunks().0[i]))
        }))
    }
    #[inline(always)]
    fn load_bf16(self, bytes: &[u8; 32]) -> Reals {
        let widen = |i| f32::from_bits(u32::from(u16::from_le_bytes(bytes.as_chunks().0[i])) << 16);
        cast(std::array::from_fn::<f32, 16, _>(widen))
    }
    #[inline(always)]
    fn load_signed(self, bytes: &[i8; 16]) -> Reals {
        cast(bytes.map(f32::from))
    }
    #[inline(always)]
    fn splat(self, x: f32) -> Reals {
        [f32x4::splat(x); 4]
    }
    #[inline(always)]
    fn add(self, a: Reals, b: Reals) -> Reals {
        each(a, b, |a, b| a + b)
    }
    #[inline(always)]
    fn sub(self, a: Reals, b: Reals) -> Reals {
        each(a, b, |a, b| a - b)
    }
    #[inline(always)]
    fn mul(self, a: Reals, b: Reals) -> Reals {
        each(a, b, |a, b| a * b)
    }
    #[inline(always)]
    fn to_bits(self, reals: Reals) -> Words {
        cast(reals)
    }
    #[inline(always)]
    fn from_bits(self, words: Words) -> Reals {
        cast(words)
    }
    #[inline(always)]
    fn load_doubles(self, doubles: &[f64; 16]) -> Doubles {
        cast(*doubles)
    }
    #[inline(always)]
    fn store_doubles(self, doubles: Doubles, to: &mut [f64; 16]) {
        *to = cast(doubles);
    }
    #[inline(always)]
    fn splat_double(self, x: f64) -> Doubles {
        [f64x2::splat(x); 8]
    }
    #[inline(always)]
    fn add_doubles(self, mut a: Doubles, b: Doubles) -> Doubles {
        for i in 0..8 {
            a[i] += b[i];
        }
        a
    }
    #[inline(always)]
    fn mul_doubles(self, mut a: Doubles, b: Doubles) -> Doubles {
        for i in 0..8 {
            a[i] *= b[i];
        }
        a
    }
    #[inline(always)]
    fn widen(self, reals: Reals) -> Doubles {
        let reals: [f32; 16] = cast(reals);
        let mut doubles = [0.0; 16];
        for i in 0..16 {
            doubles[i] = f64::from(reals[i]);
        }
        cast(doubles)
    }
}

//! Plain loops: the contract that every other level is compared with.

use crate::half_bits::half_to_f32;
use crate::isa::Isa;

/// The level without SIMD.
///
/// It has no features to keep together, and nobody waits for it: what is long is called, so that kernels stay small.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(
    not(feature = "scalar"),
    expect(unreachable_pub, reason = "it is seen as a level alone")
)]
pub struct Scalar;

/// Bit `b` of a nibble as the lowest bit of byte `b`.
#[inline(always)]
pub(crate) const fn spread(nibble: u32) -> u32 {
    (nibble * 0x0020_4081) & 0x0101_0101
}

#[inline(always)]
fn each<T: Copy, U: Copy, V: Default + Copy>(
    a: [T; 16],
    b: [U; 16],
    f: impl Fn(T, U) -> V,
) -> [V; 16] {
    std::array::from_fn(|i| f(a[i], b[i]))
}

#[inline(always)]
fn signed(word: u32) -> [i32; 4] {
    word.to_le_bytes().map(|byte| i32::from(byte.cast_signed()))
}

impl Isa for Scalar {
    type Words = [u32; 16];
    type Reals = [f32; 16];
    type Doubles = [f64; 16];

    const WIDE: bool = false;
    const SIGNED_BIAS: i32 = 0;

    #[inline(never)]
    fn columns(self, rows: [&[u8; 16]; 16]) -> [[u32; 16]; 4] {
        std::array::from_fn(|c| rows.map(|row| u32::from_le_bytes(row.as_chunks().0[c])))
    }
    #[inline(always)]
    fn load_words(self, words: &[u32; 16]) -> [u32; 16] {
        *words
    }
    #[inline(always)]
    fn store_words(self, words: [u32; 16], to: &mut [u32; 16]) {
        *to = words;
    }
    #[inline(always)]
    fn splat_word(self, x: u32) -> [u32; 16] {
        [x; 16]
    }
    #[inline(always)]
    fn and(self, a: [u32; 16], b: [u32; 16]) -> [u32; 16] {
        each(a, b, |a, b| a & b)
    }
    #[inline(always)]
    fn or(self, a: [u32; 16], b: [u32; 16]) -> [u32; 16] {
        each(a, b, |a, b| a | b)
    }
    #[inline(always)]
    fn shift_right<const N: i32>(self, a: [u32; 16]) -> [u32; 16] {
        a.map(|a| a >> N)
    }
    #[inline(always)]
    fn shift_right_signed<const N: i32>(self, a: [u32; 16]) -> [u32; 16] {
        a.map(|a| (a.cast_signed() >> N).cast_unsigned())
    }
    #[inline(never)]
    fn fifth_bits<const W: i32>(self, base: [u32; 16], bits: [u32; 16]) -> [u32; 16] {
        each(base, bits, |base, bits| {
            base | spread(bits >> (4 * W) & 15) << 4
        })
    }
    #[inline(always)]
    fn shift_left<const N: i32>(self, a: [u32; 16]) -> [u32; 16] {
        a.map(|a| a << N)
    }
    #[inline(never)]
    fn lookup(self, table: &[u8; 16], bytes: [u32; 16]) -> [u32; 16] {
        bytes.map(|word| {
            u32::from_le_bytes(word.to_le_bytes().map(|byte| table[usize::from(byte & 15)]))
        })
    }
    #[inline(always)]
    fn signed_operand(self, bytes: [u32; 16]) -> [u32; 16] {
        bytes
    }
    #[inline(never)]
    fn dot_unsigned(self, sum: [u32; 16], w: [u32; 16], x: [u32; 16]) -> [u32; 16] {
        std::array::from_fn(|i| {
            let products = w[i]
                .to_le_bytes()
                .into_iter()
                .zip(signed(x[i]))
                .map(|(w, x)| i32::from(w) * x);
            (sum[i].cast_signed() + products.sum::<i32>()).cast_unsigned()
        })
    }
    #[inline(never)]
    fn dot_signed(self, sum: [u32; 16], w: [u32; 16], x: [u32; 16]) -> [u32; 16] {
        std::array::from_fn(|i| {
            let products = signed(w[i])
                .into_iter()
                .zip(signed(x[i]))
                .map(|(w, x)| w * x);
            (sum[i].cast_signed() + products.sum::<i32>()).cast_unsigned()
        })
    }
    #[inline(always)]
    fn to_reals(self, ints: [u32; 16]) -> [f32; 16] {
        ints.map(|int| int.cast_signed() as f32)
    }
    #[inline(never)]
    fn halves_to_reals(self, words: [u32; 16]) -> [f32; 16] {
        words.map(|word| half_to_f32(word as u16))
    }
    #[inline(always)]
    fn load(self, floats: &[f32; 16]) -> [f32; 16] {
        *floats
    }
    #[inline(always)]
    fn store(self, reals: [f32; 16], to: &mut [f32; 16]) {
        *to = reals;
    }
    #[inline(always)]
    fn load_floats(self, bytes: &[u8; 64]) -> [f32; 16] {
        std::array::from_fn::<f32, 16, _>(|i| f32::from_le_bytes(bytes.as_chunks().0[i]))
    }
    #[inline(never)]
    fn load_halves(self, bytes: &[u8; 32]) -> [f32; 16] {
        std::array::from_fn::<f32, 16, _>(|i| {
            half_to_f32(u16::from_le_bytes(bytes.as_chunks().0[i]))
        })
    }
    #[inline(never)]
    fn load_bf16(self, bytes: &[u8; 32]) -> [f32; 16] {
        let widen = |i| f32::from_bits(u32::from(u16::from_le_bytes(bytes.as_chunks().0[i])) << 16);
        std::array::from_fn::<f32, 16, _>(widen)
    }
    #[inline(always)]
    fn load_signed(self, bytes: &[i8; 16]) -> [f32; 16] {
        bytes.map(f32::from)
    }
    #[inline(always)]
    fn splat(self, x: f32) -> [f32; 16] {
        [x; 16]
    }
    #[inline(always)]
    fn add(self, a: [f32; 16], b: [f32; 16]) -> [f32; 16] {
        each(a, b, |a, b| a + b)
    }
    #[inline(always)]
    fn sub(self, a: [f32; 16], b: [f32; 16]) -> [f32; 16] {
        each(a, b, |a, b| a - b)
    }
    #[inline(always)]
    fn mul(self, a: [f32; 16], b: [f32; 16]) -> [f32; 16] {
        each(a, b, |a, b| a * b)
    }
    #[inline(always)]
    fn to_bits(self, reals: [f32; 16]) -> [u32; 16] {
        reals.map(f32::to_bits)
    }
    #[inline(always)]
    fn from_bits(self, words: [u32; 16]) -> [f32; 16] {
        words.map(f32::from_bits)
    }
    #[inline(always)]
    fn load_doubles(self, doubles: &[f64; 16]) -> [f64; 16] {
        *doubles
    }
    #[inline(always)]
    fn store_doubles(self, doubles: [f64; 16], to: &mut [f64; 16]) {
        *to = doubles;
    }
    #[inline(always)]
    fn splat_double(self, x: f64) -> [f64; 16] {
        [x; 16]
    }
    #[inline(always)]
    fn add_doubles(self, a: [f64; 16], b: [f64; 16]) -> [f64; 16] {
        each(a, b, |a, b| a + b)
    }
    #[inline(always)]
    fn mul_doubles(self, a: [f64; 16], b: [f64; 16]) -> [f64; 16] {
        each(a, b, |a, b| a * b)
    }
    #[inline(always)]
    fn widen(self, reals: [f32; 16]) -> [f64; 16] {
        reals.map(f64::from)
    }
}

//! Every operation of every level gives the scalar level's bits, and a few tell that those are right.

use fidelis_simd::{Isa, Kernel, Level};
use rand_core::Rng;
use rand_pcg::Pcg64Mcg;

/// Makes a kernel of a block, because a closure cannot be generic over levels:
/// `kernel!(Sum, (a: Words) -> Bits, |isa| { … });`.
macro_rules! kernel {
    ($Name:ident, ($($argument:ident: $Type:ty),*) -> $Output:ty, |$isa:ident| $body:block) => {
        struct $Name<'a> {
            $($argument: &'a $Type,)*
        }
        impl Kernel for $Name<'_> {
            type Output = $Output;
            #[inline(always)]
            fn run<I: Isa>(self, $isa: I) -> $Output {
                let Self { $($argument),* } = self;
                $body
            }
        }
    };
}

/// Random cases of each test; Miri, which looks at every access, takes a thousand times as long.
const CASES: usize = if cfg!(miri) { 6 } else { 2000 };

type Bits = Vec<u32>;
type Words = [u32; 16];

/// The lanes of words, one vector after another.
fn read<I: Isa>(isa: I, vectors: impl IntoIterator<Item = I::Words>) -> Bits {
    let mut bits = Bits::new();
    for words in vectors {
        let mut lanes = [0; 16];
        isa.store_words(words, &mut lanes);
        bits.extend(lanes);
    }
    bits
}

kernel!(Columns, (rows: [[u8; 16]; 16]) -> Bits, |isa| {
    read(isa, isa.columns(rows.each_ref()))
});

kernel!(Integers, (a: Words, b: Words) -> Bits, |isa| {
    let [a, b] = [isa.load_words(a), isa.load_words(b)];
    let nibbles = isa.and(a, isa.splat_word(0x0f0f_0f0f));
    read(isa, [
        isa.and(a, b),
        isa.or(a, b),
        isa.shift_right::<0>(a),
        isa.shift_right::<1>(a),
        isa.shift_right::<31>(a),
        isa.shift_right_signed::<0>(a),
        isa.shift_right_signed::<24>(a),
        isa.shift_right_signed::<31>(a),
        isa.shift_left::<0>(a),
        isa.shift_left::<7>(a),
        isa.shift_left::<31>(a),
        isa.fifth_bits::<0>(nibbles, b),
        isa.fifth_bits::<1>(nibbles, b),
        isa.fifth_bits::<2>(nibbles, b),
        isa.fifth_bits::<3>(nibbles, b),
        isa.fifth_bits::<4>(nibbles, b),
        isa.fifth_bits::<5>(nibbles, b),
        isa.fifth_bits::<6>(nibbles, b),
        isa.fifth_bits::<7>(nibbles, b),
        isa.lookup(b"\x00\xff\x7f\x80fidelis-simd", nibbles),
        isa.to_bits(isa.to_reals(a)),
    ])
});

// The two dot products; what `signed_operand` adds to the weights is taken off again.
kernel!(Dots, (sum: Words, w: Words, x: Words) -> [Bits; 2], |isa| {
    let [sum, w, x] = [isa.load_words(sum), isa.load_words(w), isa.load_words(x)];
    let positive = isa.and(w, isa.splat_word(0x7f7f_7f7f));
    let unsigned = isa.dot_unsigned(sum, positive, x);
    let ones = isa.splat_word(0x0101_0101);
    let signed = isa.dot_signed(sum, isa.signed_operand(w), x);
    let raised = isa.dot_unsigned(isa.splat_word(0), ones, x);
    let mut signed = read(isa, [signed]);
    for (sum, raised) in signed.iter_mut().zip(read(isa, [raised])) {
        *sum = sum.wrapping_sub(raised.wrapping_mul(I::SIGNED_BIAS.cast_unsigned()));
    }
    [read(isa, [unsigned]), signed]
});

kernel!(Floats, (a: Words, b: Words) -> Bits, |isa| {
    let [x, y] = [a, b].map(|bits| isa.from_bits(isa.load_words(bits)));
    let mut stored = [0.0; 16];
    isa.store(x, &mut stored);
    let shown = [
        isa.add(x, y),
        isa.sub(x, y),
        isa.mul(x, y),
        isa.add(isa.mul(x, y), x),
        isa.load(&stored),
        isa.splat(stored[3]),
    ];
    read(isa, shown.map(|reals| isa.to_bits(reals)))
});

kernel!(Loads, (bytes: [u8; 64]) -> Bits, |isa| {
    let (halves, _) = bytes.split_first_chunk().expect("64 bytes");
    let signed = std::array::from_fn(|i| bytes[i].cast_signed());
    let loads = [isa.load_floats(bytes), isa.load_halves(halves), isa.load_bf16(halves), isa.load_signed(&signed)];
    read(isa, loads.map(|reals| isa.to_bits(reals)))
});

kernel!(Halves, (words: Words) -> Bits, |isa| {
    let reals = isa.halves_to_reals(isa.load_words(words));
    let mut low = [0; 32];
    for (low, word) in low.as_chunks_mut::<2>().0.iter_mut().zip(words) {
        *low = (*word as u16).to_le_bytes();
    }
    read(isa, [isa.to_bits(reals), isa.to_bits(isa.load_halves(&low))])
});

kernel!(Rows, (pieces: [[u8; 32]; 2], rows: [Words; 4], bits: Words) -> Bits, |isa| {
    let [a, b] = pieces;
    let words = isa.load_words(&rows[0]);
    let loaded: [I::Words; 4] = std::array::from_fn(|i| isa.load_words(&rows[i]));
    // 14 bits and a sign.
    let small = loaded.map(|row| isa.shift_right_signed::<17>(row));
    let [two_a, two_b] = isa.join_two(loaded);
    let [four_a, four_b, four_c, four_d] = isa.join_four(loaded);
    read(isa, [
        isa.load_two([a, b]),
        isa.sub_words(words, isa.load_words(bits)),
        isa.shift_two_left::<4, 2>(words),
        isa.shift_two_left::<0, 31>(words),
        isa.shift_two_right::<0, 2>(words),
        isa.shift_two_right::<31, 1>(words),
        isa.fold(small),
        two_a, two_b, four_a, four_b, four_c, four_d,
    ])
});

kernel!(Doubles, (x: [f64; 16], y: [f64; 16], reals: Words) -> Vec<u64>, |isa| {
    let [a, b] = [isa.load_doubles(x), isa.load_doubles(y)];
    let vectors = [
        isa.add_doubles(a, b),
        isa.mul_doubles(a, b),
        isa.add_doubles(isa.mul_doubles(a, b), a),
        isa.splat_double(x[5]),
        isa.widen(isa.from_bits(isa.load_words(reals))),
    ];
    let lanes = vectors.map(|doubles| {
        let mut lanes = [0.0; 16];
        isa.store_doubles(doubles, &mut lanes);
        lanes
    });
    lanes.as_flattened().iter().map(|x| one_nan(*x)).collect()
});

/// The bits of a double, the same for every NaN.
fn one_nan(x: f64) -> u64 {
    if x.is_nan() { f64::NAN } else { x }.to_bits()
}

/// The bits of floats, the same for every NaN.
fn one_nan_each(bits: Bits) -> Bits {
    let one = |bits: u32| {
        let nan = f32::from_bits(bits).is_nan();
        if nan { f32::NAN.to_bits() } else { bits }
    };
    bits.into_iter().map(one).collect()
}

fn words(random: &mut Pcg64Mcg) -> Words {
    std::array::from_fn(|_| random.next_u32())
}

/// Floats near 1, of any size, and those with meanings of their own.
fn floats(random: &mut Pcg64Mcg) -> Words {
    const SPECIAL: [u32; 10] = [
        0,
        0x8000_0000,
        1,
        0x807f_ffff,
        0x0080_0000,
        0x7f7f_ffff,
        0x7f80_0000,
        0xff80_0000,
        0x7fc0_0000,
        0x3f80_0001,
    ];
    std::array::from_fn(|_| {
        let bits = random.next_u32();
        match random.next_u32() % 4 {
            0 => SPECIAL[bits as usize % SPECIAL.len()],
            1 => bits,
            _ => bits & 0x80ff_ffff | 0x3f00_0000,
        }
    })
}

/// Bytes of which many are as large as they may be; none is −128.
fn inputs(random: &mut Pcg64Mcg) -> Words {
    std::array::from_fn(|_| {
        u32::from_le_bytes(std::array::from_fn(|_| match random.next_u32() % 4 {
            0 => 127,
            1 => 129,
            _ => (random.next_u32() % 255) as u8 ^ 0x7f,
        }))
    })
}

/// Compares a computation on every level with the scalar level's.
fn agree<T: PartialEq + std::fmt::Debug>(what: &str, run: impl Fn(Level) -> T) {
    let expected = run(Level::named("scalar").expect("always there"));
    for level in Level::available() {
        assert_eq!(run(level), expected, "{what} on {}", level.name());
    }
}

#[test]
fn every_operation_gives_the_scalar_levels_bits() {
    let mut random = Pcg64Mcg::new(1);
    for _ in 0..CASES {
        let [a, b] = [words(&mut random), words(&mut random)];
        agree("integers", |level| level.run(Integers { a: &a, b: &b }));
        let [x, y] = [floats(&mut random), floats(&mut random)];
        agree("floats", |level| {
            one_nan_each(level.run(Floats { a: &x, b: &y }))
        });
        let mut rows = [[0; 16]; 16];
        random.fill_bytes(rows.as_flattened_mut());
        agree("columns", |level| level.run(Columns { rows: &rows }));
        let mut bytes = [0; 64];
        random.fill_bytes(&mut bytes);
        agree("loads", |level| {
            one_nan_each(level.run(Loads { bytes: &bytes }))
        });
        let mut pieces = [[0; 32]; 2];
        random.fill_bytes(pieces.as_flattened_mut());
        let mut rows = [words(&mut random), a, b, words(&mut random)];
        for row in &mut rows {
            // The least number of 14 bits and a sign is one too low for `fold`; the ends come often.
            for lane in row.iter_mut() {
                *lane = match *lane % 4 {
                    0 => 0x3fff << 17,
                    1 => 0x4001 << 17,
                    _ if *lane >> 17 == 0x4000 => 0,
                    _ => *lane,
                };
            }
        }
        agree("rows", |level| {
            level.run(Rows {
                pieces: &pieces,
                rows: &rows,
                bits: &b,
            })
        });
        let [p, q] = [x, y].map(|bits| bits.map(|bits| f64::from(f32::from_bits(bits)) * 1.1));
        agree("doubles", |level| {
            level.run(Doubles {
                x: &p,
                y: &q,
                reals: &a,
            })
        });
    }
}

/// The dot products by plain arithmetic on integers.
fn dot(sum: &Words, w: &Words, x: &Words, mask: u8) -> Bits {
    let lane = |i: usize| {
        let signed = |byte: u8| i32::from(byte.cast_signed());
        let [w, x] = [w[i].to_le_bytes(), x[i].to_le_bytes()];
        (0..4).fold(sum[i].cast_signed(), |sum, b| {
            sum + signed(w[b] & mask) * signed(x[b])
        })
    };
    (0..16).map(|i| lane(i).cast_unsigned()).collect()
}

#[test]
fn byte_products_are_exact_at_the_ends_of_their_ranges() {
    let mut random = Pcg64Mcg::new(2);
    for case in 0..CASES {
        let sum = words(&mut random).map(|word| word >> 12);
        let w = match case {
            0 => [0x8080_8080; 16],
            1 => [0x7f7f_7f7f; 16],
            _ => words(&mut random),
        };
        let x = match case {
            0 => [0x7f7f_7f7f; 16],
            1 => [0x8181_8181; 16],
            _ => inputs(&mut random),
        };
        let expected = [dot(&sum, &w, &x, 0x7f), dot(&sum, &w, &x, 0xff)];
        for level in Level::available() {
            let found = level.run(Dots {
                sum: &sum,
                w: &w,
                x: &x,
            });
            assert_eq!(found, expected, "{}, case {case}", level.name());
        }
    }
}

#[test]
fn every_half_is_widened_as_the_half_crate_does() {
    for first in (0..=u16::MAX).step_by(if cfg!(miri) { 4096 } else { 16 }) {
        // What lies above a half must not matter.
        let words: Words = std::array::from_fn(|i| 0xabcd_0000 | (u32::from(first) + i as u32));
        let one = words.map(|word| half::f16::from_bits(word as u16).to_f32_const().to_bits());
        let expected = one_nan_each([one, one].concat());
        for level in Level::available() {
            let found = one_nan_each(level.run(Halves { words: &words }));
            assert_eq!(found, expected, "{}: from {first:#06x}", level.name());
        }
    }
}

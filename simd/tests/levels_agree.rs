//! Every level gives the scalar level's bits, and reading a batch gives those of one token at a time.

use fidelis_simd::fast::{Decode, Order, Prefill, Scratch};
use fidelis_simd::input::{InputGroup, Quantise};
use fidelis_simd::quant::Layout;
use fidelis_simd::{Format, Level, with_layout};
use rand_core::Rng;
use rand_pcg::Pcg64Mcg;

// Sweeps are short under Miri, which looks at every access and takes a thousand times as long.

/// Blocks per row.
const BLOCKS: &[usize] = if cfg!(miri) { &[1] } else { &[1, 2, 3, 7] };
/// Rows.
const HEIGHTS: &[usize] = if cfg!(miri) {
    &[2]
} else {
    &[1, 15, 16, 17, 33, 150]
};
/// Under Miri with and without minima, with and without halves.
const FORMATS: &[Format] = if cfg!(miri) {
    &[Format::Q4_K, Format::Q6_K, Format::Q2_K, Format::Q8_0]
} else {
    Format::ALL
};
/// Tokens to multiply.
const TOKENS: usize = if cfg!(miri) { 1 } else { 11 };

/// Random rows whose scales are finite.
fn rows(format: Format, width: usize, rows: usize, random: &mut Pcg64Mcg) -> Vec<u8> {
    let mut bytes = vec![0; rows * format.bytes_of(width).expect("whole blocks")];
    for block in bytes.chunks_exact_mut(format.block_bytes()) {
        loop {
            random.fill_bytes(block);
            if finite(format, block) {
                break;
            }
        }
    }
    bytes
}

fn finite(format: Format, block: &[u8]) -> bool {
    with_layout!(format, L => (0..L::GROUPS).all(|g| L::group(block, g).values::<f32>().iter().all(|x| x.abs() < 1e6)), float => true)
}

fn inputs(len: usize, random: &mut Pcg64Mcg) -> Vec<InputGroup> {
    let values: Vec<f32> = (0..len)
        .map(|_| (random.next_u32() as f32 / 4e9 - 0.5) * 8.0)
        .collect();
    let mut groups = vec![InputGroup::default(); len / 32];
    Level::named("scalar")
        .expect("always there")
        .run(Quantise {
            values: &values,
            groups: &mut groups,
        })
        .expect("finite");
    groups
}

fn decode<L: Layout>(
    level: Level,
    order: Order,
    rows: &[u8],
    input: &[InputGroup],
    out: &mut [f32],
) {
    Decode {
        format: L::FORMAT,
        rows,
        input,
        order,
        out,
    }
    .on(level);
}

fn prefill<L: Layout>(
    level: Level,
    rows: &[u8],
    width: usize,
    inputs: &[InputGroup],
    height: usize,
) -> Vec<f32> {
    let mut out = vec![f32::NAN; inputs.len() / (width / 32) * height];
    let mut emit = |token: usize, first: usize, values: &[f32]| {
        out[token * height + first..][..values.len()].copy_from_slice(values);
    };
    Prefill {
        format: L::FORMAT,
        rows,
        width,
        inputs,
        scratch: &mut Scratch::default(),
        emit: &mut emit,
    }
    .on(level);
    out
}

/// The rule of the crate's docs, written out.
fn by_the_rule<L: Layout>(row: &[u8], input: &[InputGroup]) -> f32 {
    let mut y = 0.0_f32;
    for (block, input) in L::blocks(row).iter().zip(input.chunks_exact(L::GROUPS)) {
        for (index, x) in input.iter().enumerate() {
            let group = L::group(block.as_ref(), index);
            let sum = |range: std::ops::Range<usize>| -> i32 {
                range
                    .map(|i| i32::from(group.quants[i]) * i32::from(x.quants[i]))
                    .sum()
            };
            if L::HALVES {
                let total =
                    sum(0..16) as f32 * group.halves[0] + sum(16..32) as f32 * group.halves[1];
                y += (total * group.scale) * x.scale;
                if L::MIN {
                    let mins = x.sums[0] as f32 * group.min_halves[0]
                        + x.sums[1] as f32 * group.min_halves[1];
                    y -= (mins * group.min) * x.scale;
                }
            } else {
                y += (sum(0..32) as f32 * group.scale) * x.scale;
                if L::MIN {
                    y -= group.min * x.scaled_sum;
                }
            }
        }
    }
    y
}

fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|x| x.to_bits()).collect()
}

fn check<L: Layout>(random: &mut Pcg64Mcg) {
    for &blocks in BLOCKS {
        let width = blocks * L::FORMAT.block_len();
        for &height in HEIGHTS {
            let rows = rows(L::FORMAT, width, height, random);
            let inputs = inputs(TOKENS * width, random);
            let per_token = width / 32;
            let row_bytes = rows.len() / height;
            let expected: Vec<f32> = (0..TOKENS * height)
                .map(|i| {
                    by_the_rule::<L>(
                        &rows[i % height * row_bytes..][..row_bytes],
                        &inputs[i / height * per_token..][..per_token],
                    )
                })
                .collect();
            for level in Level::available() {
                let case = format!(
                    "{} {} {blocks} blocks {height} rows",
                    L::FORMAT,
                    level.name()
                );
                let counts: &[usize] = match height {
                    17 => &[1, 2, 3, 4, 6, 7, TOKENS],
                    _ => &[TOKENS],
                };
                for &tokens in counts.iter().filter(|&&tokens| tokens <= TOKENS) {
                    let inputs = &inputs[..tokens * per_token];
                    assert_eq!(
                        bits(&prefill::<L>(level, &rows, width, inputs, height)),
                        bits(&expected[..tokens * height]),
                        "{case}: prefill of {tokens}"
                    );
                }
                for order in [Order::Neighbours, Order::Streams] {
                    let mut out = vec![f32::NAN; TOKENS * height];
                    for (input, out) in inputs
                        .chunks_exact(per_token)
                        .zip(out.chunks_exact_mut(height))
                    {
                        decode::<L>(level, order, &rows, input, out);
                    }
                    assert_eq!(bits(&out), bits(&expected), "{case}: decode, {order:?}");
                }
            }
        }
    }
}

#[test]
fn every_level_and_both_drivers_give_the_bits_of_the_rule() {
    let mut random = Pcg64Mcg::new(1);
    for &format in FORMATS {
        with_layout!(format, L => check::<L>(&mut random), float => ());
    }
}

#[test]
fn no_level_that_is_required_is_missing() {
    let Ok(required) = std::env::var("FIDELIS_REQUIRE_LEVELS") else {
        return;
    };
    for name in required.split(',').filter(|name| !name.is_empty()) {
        Level::named(name).unwrap_or_else(|error| panic!("{error}"));
    }
}

//! Prints a digest of every kernel's bits on fixed inputs, level by level.
//!
//! The first line says what it was compiled for. `tests/fused.rs` compiles it for processors with and without fused multiply-add: the lines must be equal.

use fidelis_simd::attend::{Attend, AttendScratch, CHUNK, CacheFormat, Column, KeyValues};
use fidelis_simd::dense::{Dense, DenseScratch};
use fidelis_simd::elementwise::{Curve, Gate, Pairs, RmsNorm, Rotate, SoftCap};
use fidelis_simd::fast::{Decode, Order, Prefill, Scratch};
use fidelis_simd::input::{InputGroup, Quantise};
use fidelis_simd::{Format, Level, Real};
use rand_core::Rng;
use rand_pcg::Pcg64Mcg;

/// FNV-1a over the bits of doubles, which hold every `f32` exactly.
fn digest<R: Real>(values: &[R]) -> u64 {
    values
        .iter()
        .flat_map(|value| value.to_f64().to_bits().to_le_bytes())
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        })
}

/// Values between −2 and 2 that use every bit of an `f32`.
fn values(random: &mut Pcg64Mcg, len: usize) -> Vec<f32> {
    (0..len)
        .map(|_| (f64::from(random.next_u32()) / f64::from(1_u32 << 30) - 2.0) as f32)
        .collect()
}

/// Rows of a K-quant with small scales.
fn rows(random: &mut Pcg64Mcg, block: usize, scales: &[usize], blocks: usize) -> Vec<u8> {
    let mut bytes = vec![0; block * blocks];
    random.fill_bytes(&mut bytes);
    for block in bytes.chunks_exact_mut(block) {
        for &at in scales {
            // The high byte of a half near 2⁻⁵.
            block[at + 1] = 0x28;
        }
    }
    bytes
}

fn in_precision<R: Real>(level: Level, random: &mut Pcg64Mcg) -> Vec<(&'static str, u64)> {
    let wide = |values: Vec<f32>| values.into_iter().map(R::exactly).collect::<Vec<R>>();
    let (a, b) = (wide(values(random, 512)), wide(values(random, 512)));
    let mut digests = Vec::new();
    let mut out = vec![R::default(); 512];
    level.run(RmsNorm {
        input: &a,
        weight: &b,
        epsilon: 1e-5,
        out: &mut out,
    });
    digests.push(("norm", digest(&out)));
    level.run(Rotate {
        input: &a,
        width: 64,
        cosines: &b[..32],
        sines: &b[32..64],
        pairs: Pairs::Neighbours,
        out: &mut out,
    });
    digests.push(("rotate", digest(&out)));
    for (name, curve) in [("silu", Curve::Silu), ("gelu", Curve::GeluTanh)] {
        level.run(Gate {
            gate: &a,
            up: &b,
            curve,
            out: &mut out,
        });
        digests.push((name, digest(&out)));
    }
    out.copy_from_slice(&a);
    level.run(SoftCap {
        values: &mut out,
        cap: R::of(1.5),
    });
    digests.push(("soft cap", digest(&out)));
    let bytes = rows(random, 144, &[0, 2], 2 * 20);
    let mut products = Vec::new();
    Dense {
        format: Format::Q4_K,
        rows: &bytes,
        width: 512,
        inputs: &a,
        scratch: &mut DenseScratch::default(),
        emit: &mut |_, _, values: &[R]| products.extend_from_slice(values),
    }
    .on(level);
    digests.push(("product", digest(&products)));
    digests.push(("attention", digest(&attention::<R>(level, random))));
    digests
}

fn attention<R: Real>(level: Level, random: &mut Pcg64Mcg) -> Vec<R> {
    let format = if R::EXACT {
        CacheFormat::F64
    } else {
        CacheFormat::F16
    };
    let (width, positions) = (64, 200_usize);
    let held = positions.next_multiple_of(CHUNK);
    let (block, row) = (format.key_block_bytes(width), format.value_bytes(width));
    let mut keys = vec![0; held / 16 * block];
    let mut rows = vec![0; held * row];
    for p in 0..positions {
        let [key, value] = [values(random, width), values(random, width)];
        format.write_key(&mut keys[p / 16 * block..][..block], p % 16, &key);
        format.write_value(&mut rows[p * row..][..row], &value);
    }
    let query: Vec<R> = values(random, width).into_iter().map(R::exactly).collect();
    let mut out = vec![R::default(); width];
    Attend {
        cache: KeyValues {
            format,
            key_width: width,
            value_width: width,
            positions: held,
            keys: &keys,
            values: &rows,
        },
        scale: R::of(0.125),
        soft_cap: Some(R::of(50.0)),
        columns: &mut [Column {
            query: &query,
            sees: 3..positions,
            out: &mut out,
        }],
        scratch: &mut AttendScratch::default(),
    }
    .on(level);
    out
}

fn fast(level: Level, random: &mut Pcg64Mcg) -> Vec<(&'static str, u64)> {
    let input = values(random, 512);
    let mut groups = vec![InputGroup::default(); 16];
    level
        .run(Quantise {
            values: &input,
            groups: &mut groups,
        })
        .expect("finite");
    let mut one = vec![0.0_f32; 20];
    Decode {
        format: Format::Q4_K,
        rows: &rows(random, 144, &[0, 2], 40),
        input: &groups,
        order: Order::best(),
        out: &mut one,
    }
    .on(level);
    let mut many = Vec::new();
    Prefill {
        format: Format::Q6_K,
        rows: &rows(random, 210, &[208], 40),
        width: 512,
        inputs: &groups.repeat(3),
        scratch: &mut Scratch::default(),
        emit: &mut |_, _, values: &[f32]| many.extend_from_slice(values),
    }
    .on(level);
    vec![("decode", digest(&one)), ("prefill", digest(&many))]
}

fn main() {
    println!("fused multiply-add: {}", cfg!(target_feature = "fma"));
    for level in Level::available() {
        let mut random = Pcg64Mcg::new(7 << 1 | 1);
        let single = in_precision::<f32>(level, &mut random);
        let double = in_precision::<f64>(level, &mut random);
        let fast = fast(level, &mut random);
        for (precision, digests) in [("f32", single), ("f64", double), ("fast", fast)] {
            for (name, digest) in digests {
                println!("{}\t{precision}\t{name}\t{digest:016x}", level.name());
            }
        }
    }
}

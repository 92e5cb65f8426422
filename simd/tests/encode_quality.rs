//! Encoded tensors are no further from the floats than those of `llama-quantize`.

use fidelis_simd::dense::Dequantise;
use fidelis_simd::encode::encode_row;
use fidelis_simd::{Format, Level};

const ROWS: usize = 32;
const WIDTH: usize = 1024;
const LEN: usize = ROWS * WIDTH;

/// The first `count` numbers of 24 bits of the generator splitmix64, from `seed`.
fn draws(seed: u64, count: usize) -> impl Iterator<Item = i64> {
    let mut state = seed;
    (0..count).map(move |_| {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = state;
        z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ z >> 31) >> 40).cast_signed()
    })
}

/// Nearly normal: the sum of twelve numbers from 0 to 1, less 6.
fn normal(seed: u64) -> Vec<f32> {
    let draws: Vec<i64> = draws(seed, 12 * LEN).collect();
    let sums = draws.chunks(12).map(|twelve| twelve.iter().sum::<i64>());
    sums.map(|sum| ((sum - (6 << 24)) as f64 / 16_777_216.0) as f32)
        .collect()
}

fn tensor(kind: &str) -> Vec<f32> {
    let map = |values: Vec<f32>, f: fn(usize, f32) -> f32| -> Vec<f32> {
        values
            .into_iter()
            .enumerate()
            .map(|(i, g)| f(i, g))
            .collect()
    };
    match kind {
        "normal" => map(normal(1), |_, g| g * 0.03125),
        "heavy tails" => map(normal(2), |_, g| g * g * g),
        "outliers" => map(normal(3), |i, g| if i % 97 == 0 { g * 40.0 } else { g }),
        "uniform" => draws(4, LEN)
            .map(|d| ((d - (1 << 23)) as f64 / 8_388_608.0) as f32)
            .collect(),
        "positive" => map(normal(5), |_, g| g.abs()),
        "offset" => map(normal(6), |_, g| g * 0.0625 + 1.0),
        "constant" => vec![0.37; LEN],
        "zeros" => vec![0.0; LEN],
        "tiny" => map(normal(7), |_, g| g / 4_194_304.0),
        "steep" => map(normal(8), |i, g| g / (1 << (i / 16 % 24)) as f32),
        "sparse" => map(normal(9), |i, g| if i % 7 == 0 { g } else { 0.0 }),
        _ => panic!("no kind {kind}"),
    }
}

const KINDS: [&str; 11] = [
    "normal",
    "heavy tails",
    "outliers",
    "uniform",
    "positive",
    "offset",
    "constant",
    "zeros",
    "tiny",
    "steep",
    "sparse",
];

fn rms_error(format: Format, values: &[f32]) -> f64 {
    let mut sum = 0.0;
    for row in values.chunks(WIDTH) {
        let mut bytes = vec![0; format.bytes_of(WIDTH).expect("whole blocks")];
        encode_row(format, row, &mut bytes).expect("a format with an encoder");
        let mut found = vec![f32::NAN; WIDTH];
        Level::best().run(Dequantise {
            format,
            row: &bytes,
            out: &mut found,
        });
        for (x, y) in row.iter().zip(&found) {
            let error = f64::from(*x) - f64::from(*y);
            sum += error * error;
        }
    }
    (sum / values.len() as f64).sqrt()
}

#[test]
fn print_errors() {
    use Format::*;
    for format in [Q4_0, Q4_1, Q5_0, Q5_1, Q8_0, Q4_K, Q5_K, Q6_K, F16, BF16] {
        let start = std::time::Instant::now();
        for kind in KINDS {
            println!(
                "ROW\t{format}\t{kind}\t{:e}",
                rms_error(format, &tensor(kind))
            );
        }
        let values = normal(1);
        let start2 = std::time::Instant::now();
        rms_error(format, &values);
        let t = start2.elapsed().as_secs_f64();
        println!(
            "TIME\t{format}\t{:.1} M/s {:?}",
            LEN as f64 / t / 1e6,
            start.elapsed()
        );
    }
}

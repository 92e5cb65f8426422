//! Encoded tensors are no further from the floats than those of `llama-quantize`.
//!
//! Thirteen kinds of tensors of 32 rows of 1024, made of integers of a stated generator by exact steps
//! so that any language gives the same floats, were written as `F32` files and converted by
//! `llama-quantize --pure` of llama.cpp (ggml 0.25.3); the `gguf` Python package decoded the result.
//! The table holds the root mean square of the errors, summed in 64 bits.

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
        "small" => map(normal(10), |_, g| g / 512.0),
        "slight" => map(normal(11), |_, g| g / 8192.0),
        _ => panic!("no kind {kind}"),
    }
}

const KINDS: [&str; 13] = [
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
    "small",
    "slight",
];

fn rms_error(format: Format, values: &[f32]) -> f64 {
    let mut sum = 0.0;
    for row in values.chunks(WIDTH) {
        let mut bytes = vec![0; format.bytes_of(WIDTH).expect("whole blocks")];
        encode_row(format, row, &mut bytes).expect("a format with an encoder");
        let mut found = vec![f32::NAN; WIDTH];
        Dequantise {
            format,
            row: &bytes,
            out: &mut found,
        }
        .on(Level::best());
        for (x, y) in row.iter().zip(&found) {
            let error = f64::from(*x) - f64::from(*y);
            sum += error * error;
        }
    }
    (sum / values.len() as f64).sqrt()
}

/// What `llama-quantize` gives, in the order of [`KINDS`].
const BOUNDS: [(Format, [f64; 13]); 10] = [
    (
        Format::Q4_0,
        [
            2.65518e-3, 4.02760e-1, 4.49541e-1, 3.76259e-2, 8.23960e-2, 4.01344e-2, 1.17183e-4,
            0.0, 4.81727e-8, 2.26981e-2, 2.02683e-2, 1.64593e-4, 1.02449e-5,
        ],
    ),
    (
        Format::Q4_1,
        [
            2.42529e-3, 4.08073e-1, 4.99765e-1, 3.51826e-2, 4.25662e-2, 4.86960e-3, 1.17183e-4,
            0.0, 9.73301e-8, 2.05556e-2, 4.36888e-2, 1.50598e-4, 9.40602e-6,
        ],
    ),
    (
        Format::Q5_0,
        [
            1.31893e-3, 2.16922e-1, 3.35793e-1, 1.81076e-2, 4.12053e-2, 2.01152e-2, 1.17183e-4,
            0.0, 1.74690e-7, 1.12180e-2, 1.00349e-2, 8.14165e-5, 5.08669e-6,
        ],
    ),
    (
        Format::Q5_1,
        [
            1.17252e-3, 1.99665e-1, 2.22789e-1, 1.69583e-2, 2.07759e-2, 2.34894e-3, 1.17183e-4,
            0.0, 4.47779e-7, 9.84255e-3, 2.18673e-2, 7.27136e-5, 4.57096e-6,
        ],
    ),
    (
        Format::Q8_0,
        [
            1.65475e-4, 3.10823e-2, 5.18880e-2, 2.17933e-3, 5.20089e-3, 2.53977e-3, 1.09792e-4,
            0.0, 2.38482e-7, 1.40501e-3, 1.24609e-3, 1.02848e-5, 1.15781e-6,
        ],
    ),
    (
        Format::Q4_K,
        [
            2.20862e-3, 3.28617e-1, 3.57660e-1, 3.17302e-2, 4.08956e-2, 1.95717e-2, 4.82798e-5,
            0.0, 2.38482e-7, 1.84761e-2, 1.90606e-2, 1.37877e-4, 9.46587e-6,
        ],
    ),
    (
        Format::Q5_K,
        [
            1.11606e-3, 1.80099e-1, 2.11499e-1, 1.59070e-2, 2.00586e-2, 9.85530e-3, 5.57899e-5,
            0.0, 2.38482e-7, 9.12983e-3, 1.37749e-2, 7.00711e-5, 6.19805e-6,
        ],
    ),
    (
        Format::Q6_K,
        [
            5.47811e-4, 8.80495e-2, 1.43465e-1, 7.67006e-3, 1.73304e-2, 8.69219e-3, 9.64403e-5,
            0.0, 2.38482e-7, 4.26903e-3, 2.98275e-3, 3.71133e-5, 1.56983e-5,
        ],
    ),
    (
        Format::F16,
        [
            6.49714e-6, 7.52002e-4, 9.29144e-4, 1.06430e-4, 2.06988e-4, 2.23545e-4, 1.17183e-4,
            0.0, 1.71925e-8, 4.89343e-5, 7.72369e-5, 4.06105e-7, 2.71687e-8,
        ],
    ),
    (
        Format::BF16,
        [
            5.21556e-5,
            6.04917e-3,
            7.14031e-3,
            8.55482e-4,
            1.68570e-3,
            1.77614e-3,
            8.59380e-4,
            0.0,
            3.95801e-10,
            3.89255e-4,
            6.38953e-4,
            3.24373e-6,
            2.03568e-7,
        ],
    ),
];

/// The figures have six digits.
const DIGITS: f64 = 1e-5;

#[test]
fn no_error_exceeds_that_of_llama_quantize() {
    for (format, bounds) in BOUNDS {
        for (kind, bound) in KINDS.into_iter().zip(bounds) {
            let found = rms_error(format, &tensor(kind));
            println!("{format:>5} {kind:12} {found:.5e} {:.4}", found / bound);
            assert!(
                found <= bound * (1.0 + DIGITS),
                "{format}, {kind}: {found:e}, bound {bound:e}"
            );
        }
    }
}

#[test]
fn more_bits_give_smaller_errors() {
    let ladder = [
        Format::Q4_0,
        Format::Q4_K,
        Format::Q5_K,
        Format::Q6_K,
        Format::Q8_0,
        Format::F16,
    ];
    for kind in ["normal", "heavy tails", "uniform", "steep"] {
        let errors = ladder.map(|format| rms_error(format, &tensor(kind)));
        assert!(errors.is_sorted_by(|a, b| a > b), "{kind}: {errors:?}");
    }
}

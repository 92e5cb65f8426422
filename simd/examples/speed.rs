//! Prints what share of the machine's limits the `fast` kernels reach on one core.

use fidelis_simd::fast::{Decode, Order, Prefill, Scratch};
use fidelis_simd::input::{InputGroup, Quantise};
use fidelis_simd::{Format, Level};
use std::hint::black_box;
use std::time::Instant;

/// The median seconds of a few runs.
fn seconds(mut work: impl FnMut()) -> f64 {
    let mut times: Vec<f64> = (0..5)
        .map(|_| {
            let start = Instant::now();
            work();
            start.elapsed().as_secs_f64()
        })
        .collect();
    times.sort_by(f64::total_cmp);
    times[2]
}

fn measure(level: Level, format: Format) {
    let width: usize = std::env::var("WIDTH")
        .ok()
        .and_then(|width| width.parse().ok())
        .unwrap_or(2048);
    let megabytes: usize = std::env::var("MB")
        .ok()
        .and_then(|mb| mb.parse().ok())
        .unwrap_or(256);
    let row_bytes = format.bytes_of(width).unwrap_or(1);
    let rows = (megabytes << 20) / row_bytes / 16 * 16;
    let bytes: Vec<u8> = (0..rows * row_bytes)
        .map(|i| (i as u32).wrapping_mul(2_654_435_761).to_le_bytes()[3] & 0x3b)
        .collect();
    let values: Vec<f32> = (0..512 * width)
        .map(|i| ((i * 37) % 101) as f32 - 50.0)
        .collect();
    let mut inputs = vec![InputGroup::default(); values.len() / 32];
    if level
        .run(Quantise {
            values: &values,
            groups: &mut inputs,
        })
        .is_err()
    {
        return;
    }
    let mut out = vec![0.0; rows];
    let decode = seconds(|| {
        Decode {
            format,
            rows: &bytes,
            input: &inputs[..width / 32],
            order: Order::best(),
            out: &mut out,
        }
        .on(level);
    });
    let some = 512;
    let mut scratch = Scratch::default();
    let prefill = seconds(|| {
        let mut emit = |_: usize, _: usize, values: &[f32]| {
            black_box(values);
        };
        Prefill {
            format,
            rows: &bytes[..some * row_bytes],
            width,
            inputs: &inputs,
            scratch: &mut scratch,
            emit: &mut emit,
        }
        .on(level);
    });
    let operations = 2.0 * (some * width * 512) as f64;
    println!(
        "{:8} {:10} decode {:6.1} GB/s   prefill {:6.3} Tops",
        format,
        level.name(),
        bytes.len() as f64 / decode / 1e9,
        operations / prefill / 1e12
    );
}

fn main() {
    let names: Vec<String> = std::env::args().skip(1).collect();
    for level in Level::available()
        .into_iter()
        .filter(|level| names.is_empty() || names.iter().any(|name| name == level.name()))
    {
        for format in [
            Format::Q4_K,
            Format::Q6_K,
            Format::Q5_0,
            Format::Q8_0,
            Format::Q5_K,
            Format::Q4_0,
            Format::IQ4_XS,
            Format::Q2_K,
            Format::Q3_K,
        ] {
            measure(level, format);
        }
    }
}

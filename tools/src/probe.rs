//! What this machine can do at most, measured.

use fidelis_simd::Level;
use fidelis_simd::probe::Multiply;
use rayon::prelude::*;
use std::hint::black_box;
use std::time::Instant;

/// Bytes that each thread reads; far beyond any cache.
const BYTES: usize = 256 << 20;

/// The memory and products of the machine, at a number of threads.
pub(crate) struct Limits {
    /// Bytes per second that can be read.
    pub(crate) bandwidth: f64,
    /// Byte multiplications and additions per second.
    pub(crate) operations: f64,
}

fn seconds(work: impl Fn()) -> f64 {
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

/// Measures both, medians of five.
pub(crate) fn limits(level: Level, threads: usize) -> anyhow::Result<Limits> {
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .build()?;
    let memory: Vec<Vec<u64>> = (0..threads)
        .map(|thread| vec![thread as u64 + 1; BYTES / 8])
        .collect();
    let read = seconds(|| {
        pool.install(|| {
            memory.par_iter().with_max_len(1).for_each(|part| {
                black_box(level.run(fidelis_simd::probe::Sum { words: part }));
            });
        });
    });
    let rounds = 400_000;
    let multiply = seconds(|| {
        pool.install(|| {
            (0..threads).into_par_iter().with_max_len(1).for_each(|_| {
                black_box(level.run(Multiply { rounds }));
            });
        });
    });
    Ok(Limits {
        bandwidth: (threads * BYTES) as f64 / read,
        operations: (threads * rounds * Multiply::OPERATIONS) as f64 / multiply,
    })
}

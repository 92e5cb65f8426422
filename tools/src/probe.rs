//! What this machine can do at most, measured.

use fidelis_simd::Level;
use fidelis_simd::probe::{Multiply, Read};
use std::hint::black_box;
use std::time::Instant;

/// Bytes that a measurement of reading reads at least.
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

/// What each of `threads` reads: `weights` cut into shares of the same size.
fn shares<'a>(weights: &[&'a [u8]], threads: usize) -> Vec<Vec<&'a [u8]>> {
    let total: usize = weights.iter().map(|weight| weight.len()).sum();
    let each = total.div_ceil(threads).max(1);
    let mut shares = vec![Vec::new(); threads];
    let mut at = 0;
    for weight in weights {
        let mut rest = *weight;
        while !rest.is_empty() {
            let (piece, after) = rest.split_at(rest.len().min(each - at % each));
            shares[at / each].push(piece);
            at += piece.len();
            rest = after;
        }
    }
    shares
}

fn streams<const S: usize>(level: Level, bytes: &[u8]) -> u32 {
    level.run(Read::<S> { bytes })
}

/// Measures both, medians of five; the bandwidth by reading `weights`, the bytes that a model is made of, in the number of streams that is fastest.
pub(crate) fn limits(level: Level, threads: usize, weights: &[&[u8]]) -> anyhow::Result<Limits> {
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .build()?;
    let shares = shares(weights, threads);
    let total: usize = weights.iter().map(|weight| weight.len()).sum();
    let times = BYTES.div_ceil(total.max(1));
    let read = |kernel: fn(Level, &[u8]) -> u32| {
        seconds(|| {
            pool.broadcast(|context| {
                for _ in 0..times {
                    for bytes in &shares[context.index()] {
                        black_box(kernel(level, black_box(bytes)));
                    }
                }
            });
        })
    };
    let read = [read(streams::<1>), read(streams::<4>), read(streams::<16>)];
    let read = read.into_iter().fold(f64::INFINITY, f64::min);
    let rounds = 400_000;
    let multiply = seconds(|| {
        pool.broadcast(|_| {
            black_box(level.run(Multiply { rounds }));
        });
    });
    Ok(Limits {
        bandwidth: (times * total) as f64 / read,
        operations: (threads * rounds * Multiply::OPERATIONS) as f64 / multiply,
    })
}

#[cfg(test)]
mod tests {
    use super::shares;

    #[test]
    fn shares_are_equal_and_lose_nothing() {
        let (a, b) = ([1; 70], [2; 33]);
        for threads in [1, 2, 3, 7] {
            let shares = shares(&[&a, &[], &b], threads);
            let sizes: Vec<usize> = shares.iter().map(|share| share.concat().len()).collect();
            assert_eq!(sizes.iter().sum::<usize>(), 103);
            assert!(
                sizes
                    .iter()
                    .all(|size| size.abs_diff(103 / threads) <= threads)
            );
            assert_eq!(shares.concat().concat(), [&a[..], &b[..]].concat());
        }
    }
}

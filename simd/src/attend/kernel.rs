//! Queries against the chunks of one head's cache.

use super::stored::{Bytes, Floats, Halves, Stored};
use super::{CHUNK, CacheFormat, KEY_BLOCK};
use crate::math::{exp, tanh};
use crate::{Isa, Kernel};
use std::ops::Range;

/// One head's keys and values: a ring of whole chunks.
#[derive(Clone, Copy)]
pub struct KeyValues<'a> {
    /// How they are stored.
    pub format: CacheFormat,
    /// Elements of a key.
    pub key_width: usize,
    /// Elements of a value.
    pub value_width: usize,
    /// Positions the ring holds; a multiple of [`CHUNK`]. Position `p` lies at `p mod positions`.
    pub positions: usize,
    /// Blocks of [`KEY_BLOCK`] positions.
    pub keys: &'a [u8],
    /// Rows, one per position.
    pub values: &'a [u8],
}

impl KeyValues<'_> {
    /// The key of a position that the ring holds.
    pub fn key(&self, position: usize) -> Vec<f32> {
        let slot = position % self.positions;
        let block_bytes = self.format.key_block_bytes(self.key_width);
        let block = &self.keys[slot / KEY_BLOCK * block_bytes..][..block_bytes];
        self.format
            .read_key(block, slot % KEY_BLOCK, self.key_width)
    }
}

/// One query and where its result goes.
pub struct Column<'a> {
    /// As wide as a key.
    pub query: &'a [f32],
    /// The positions it sees; not empty.
    pub sees: Range<usize>,
    /// As wide as a value.
    pub out: &'a mut [f32],
}

/// Memory of the kernel; kept between calls, one per thread.
#[derive(Debug, Default)]
pub struct AttendScratch {
    sums: Vec<[f32; 16]>,
    chunk: Vec<[f32; 16]>,
}

/// Attends with every column.
pub struct Attend<'a, 'c> {
    /// The cache of the head.
    pub cache: KeyValues<'a>,
    /// Multiplies the scores.
    pub scale: f32,
    /// `cap · tanh(score / cap)`, after the scale.
    pub soft_cap: Option<f32>,
    /// The queries; neighbours that see nearly the same positions go together.
    pub columns: &'a mut [Column<'c>],
    /// Working memory.
    pub scratch: &'a mut AttendScratch,
}

impl Kernel for Attend<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn run<I: Isa>(self, isa: I) {
        match self.cache.format {
            CacheFormat::F32 => self.stored::<I, Floats>(isa),
            CacheFormat::F16 => self.stored::<I, Halves>(isa),
            CacheFormat::Q8_0 => self.stored::<I, Bytes>(isa),
        }
    }
}

/// Scores, then weights, of up to four columns in a chunk.
type Scores<const T: usize> = [[[f32; KEY_BLOCK]; CHUNK / KEY_BLOCK]; T];

/// The running maximum and sum of a column.
#[derive(Clone, Copy)]
struct Total {
    max: f32,
    sum: f32,
}

impl Attend<'_, '_> {
    #[inline(always)]
    fn stored<I: Isa, S: Stored>(self, isa: I) {
        let Attend {
            cache,
            scale,
            soft_cap,
            columns,
            scratch,
        } = self;
        let mut rest = columns;
        while !rest.is_empty() {
            let together = if rest.len() >= 4 { 4 } else { 1 };
            let (now, later) = rest.split_at_mut(together);
            let work = Work {
                cache,
                scale,
                soft_cap,
            };
            match now {
                [a, b, c, d] => work.columns::<I, S, 4>(isa, [a, b, c, d], scratch),
                [a] => work.columns::<I, S, 1>(isa, [a], scratch),
                _ => {}
            }
            rest = later;
        }
    }
}

/// What all columns share.
struct Work<'a> {
    cache: KeyValues<'a>,
    scale: f32,
    soft_cap: Option<f32>,
}

impl Work<'_> {
    /// `T` columns through all chunks that any of them sees.
    #[inline(always)]
    fn columns<I: Isa, S: Stored, const T: usize>(
        &self,
        isa: I,
        mut columns: [&mut Column<'_>; T],
        scratch: &mut AttendScratch,
    ) {
        let lanes = self.cache.value_width.div_ceil(16);
        scratch.sums.clear();
        scratch.sums.resize(T * lanes, [0.0; 16]);
        scratch.chunk.clear();
        scratch.chunk.resize(T * lanes, [0.0; 16]);
        let mut totals = [Total {
            max: f32::NEG_INFINITY,
            sum: 0.0,
        }; T];
        let mut first = usize::MAX;
        let mut end = 0;
        let mut queries: [&[f32]; T] = [&[]; T];
        for (query, column) in queries.iter_mut().zip(&columns) {
            first = first.min(column.sees.start);
            end = end.max(column.sees.end);
            *query = column.query;
        }
        for chunk in first / CHUNK..end.div_ceil(CHUNK) {
            let start = chunk * CHUNK;
            let from = first.max(start) - start;
            let to = end.min(start + CHUNK) - start;
            let mut scores: Scores<T> = [[[0.0; KEY_BLOCK]; CHUNK / KEY_BLOCK]; T];
            self.score::<I, S, T>(isa, start, from..to, &queries, &mut scores);
            let mut seen = [Total {
                max: f32::NEG_INFINITY,
                sum: 0.0,
            }; T];
            for t in 0..T {
                let sees = &columns[t].sees;
                let visible = sees.start.max(start)..sees.end.min(start + CHUNK);
                if visible.is_empty() {
                    scores[t] = [[0.0; KEY_BLOCK]; CHUNK / KEY_BLOCK];
                } else {
                    seen[t] = self.weigh(
                        isa,
                        &mut scores[t],
                        visible.start - start..visible.end - start,
                    );
                }
            }
            self.add_values::<I, S, T>(isa, start, from..to, &scores, &mut scratch.chunk);
            let merged = scratch
                .sums
                .chunks_exact_mut(lanes)
                .zip(scratch.chunk.chunks_exact(lanes));
            for ((sums, chunk), (total, seen)) in merged.zip(totals.iter_mut().zip(&seen)) {
                merge(sums, chunk, total, seen);
            }
        }
        for ((column, sums), total) in columns
            .iter_mut()
            .zip(scratch.sums.chunks_exact(lanes))
            .zip(&totals)
        {
            for (out, sum) in column.out.iter_mut().zip(sums.as_flattened()) {
                *out = sum / total.sum;
            }
        }
    }

    /// Products of the queries with the keys of the blocks that hold `range`.
    #[inline(always)]
    fn score<I: Isa, S: Stored, const T: usize>(
        &self,
        isa: I,
        start: usize,
        range: Range<usize>,
        queries: &[&[f32]; T],
        scores: &mut Scores<T>,
    ) {
        let block_bytes = self.cache.format.key_block_bytes(self.cache.key_width);
        let slot = start % self.cache.positions / KEY_BLOCK;
        let mut block = range.start / KEY_BLOCK;
        let last = range.end.div_ceil(KEY_BLOCK);
        // Two blocks at a time, four for a single column: enough sums in flight to hide an addition's latency.
        while block < last {
            let at = |i: usize| {
                &self.cache.keys[(slot + block + i.min(last - 1 - block)) * block_bytes..]
                    [..block_bytes]
            };
            let mut sums = [[isa.splat(0.0); 2]; T];
            let keys = [at(0), at(1)];
            for d in 0..self.cache.key_width {
                let [even, odd] = [S::key(isa, keys[0], d), S::key(isa, keys[1], d)];
                for t in 0..T {
                    let q = isa.splat(queries[t][d]);
                    sums[t][0] = isa.add(sums[t][0], isa.mul(q, even));
                    sums[t][1] = isa.add(sums[t][1], isa.mul(q, odd));
                }
            }
            for t in 0..T {
                isa.store(sums[t][0], &mut scores[t][block]);
                if block + 1 < last {
                    isa.store(sums[t][1], &mut scores[t][block + 1]);
                }
            }
            block += 2;
        }
    }

    /// Turns the scores of the visible positions into exponentials, those of the others into zero.
    #[inline(always)]
    fn weigh<I: Isa>(
        &self,
        isa: I,
        scores: &mut [[f32; KEY_BLOCK]; CHUNK / KEY_BLOCK],
        visible: Range<usize>,
    ) -> Total {
        let flat = scores.as_flattened_mut();
        let mut max = f32::NEG_INFINITY;
        for score in &mut flat[visible.clone()] {
            *score *= self.scale;
            if let Some(cap) = self.soft_cap {
                *score = cap * tanh(*score / cap);
            }
            max = if *score > max { *score } else { max };
        }
        flat[..visible.start].fill(0.0);
        flat[visible.end..].fill(0.0);
        for score in &mut flat[visible] {
            *score = exp(*score - max);
        }
        let mut sum = isa.splat(0.0);
        for block in scores.iter() {
            sum = isa.add(sum, isa.load(block));
        }
        Total {
            max,
            sum: isa.sum(sum),
        }
    }

    /// `out[t] = Σ_p weights[t][p] · value[p]` over the positions of `range`.
    #[inline(always)]
    fn add_values<I: Isa, S: Stored, const T: usize>(
        &self,
        isa: I,
        start: usize,
        range: Range<usize>,
        weights: &Scores<T>,
        out: &mut [[f32; 16]],
    ) {
        let row_bytes = self.cache.format.value_bytes(self.cache.value_width);
        let lanes = self.cache.value_width.div_ceil(16);
        let slot = start % self.cache.positions;
        let rows = &self.cache.values[slot * row_bytes..][..CHUNK * row_bytes];
        for first in (0..lanes).step_by(4) {
            let used = (lanes - first).min(4);
            let mut sums = [[isa.splat(0.0); 4]; T];
            for p in range.clone() {
                let row = &rows[p * row_bytes..][..row_bytes];
                let mut values = [isa.splat(0.0); 4];
                for i in 0..4 {
                    values[i] = S::value(isa, row, first + i.min(used - 1));
                }
                for t in 0..T {
                    let weight = isa.splat(weights[t][p / KEY_BLOCK][p % KEY_BLOCK]);
                    for i in 0..4 {
                        sums[t][i] = isa.add(sums[t][i], isa.mul(weight, values[i]));
                    }
                }
            }
            for t in 0..T {
                for i in 0..4 {
                    if i < used {
                        isa.store(sums[t][i], &mut out[t * lanes + first + i]);
                    }
                }
            }
        }
    }
}

/// Adds a chunk to the running sums by the online-softmax rule.
#[inline(always)]
fn merge(sums: &mut [[f32; 16]], chunk: &[[f32; 16]], total: &mut Total, seen: &Total) {
    if seen.sum == 0.0 && seen.max == f32::NEG_INFINITY {
        return;
    }
    let max = if seen.max > total.max {
        seen.max
    } else {
        total.max
    };
    let (old, new) = (exp(total.max - max), exp(seen.max - max));
    for (sums, chunk) in sums.as_flattened_mut().iter_mut().zip(chunk.as_flattened()) {
        *sums = *sums * old + *chunk * new;
    }
    *total = Total {
        max,
        sum: total.sum * old + seen.sum * new,
    };
}

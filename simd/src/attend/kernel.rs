//! Queries against the chunks of one head's cache.

use super::stored::{Bytes, Doubles, Floats, Halves, Stored};
use super::{CHUNK, CacheFormat, KEY_BLOCK};
use crate::prefetch::Ahead;
use crate::{Isa, Kernel, Level, Real};
use std::marker::PhantomData;
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
    pub fn key<R: Real>(&self, position: usize) -> Vec<R> {
        let slot = position % self.positions;
        let block_bytes = self.format.key_block_bytes(self.key_width);
        let block = &self.keys[slot / KEY_BLOCK * block_bytes..][..block_bytes];
        self.format
            .read_key(block, slot % KEY_BLOCK, self.key_width)
    }
}

/// One query and where its result goes.
#[derive(Default)]
pub struct Column<'a, R> {
    /// As wide as a key.
    pub query: &'a [R],
    /// The positions it sees; not empty.
    pub sees: Range<usize>,
    /// As wide as a value.
    pub out: &'a mut [R],
}

/// Memory of the kernel; kept between calls, one per thread.
#[derive(Debug, Default)]
pub struct AttendScratch<R> {
    sums: Vec<[R; 16]>,
    chunk: Vec<[R; 16]>,
}

/// Bytes by which values are asked for ahead of their use; no other distance was tried.
///
/// With keys and values left to the processor's guess, a Xeon made a tenth fewer tokens a second after 2,000 others.
const AHEAD: usize = 2048;

/// Columns that go through the cache together, at most.
const TOGETHER: usize = 4;

impl<R> AttendScratch<R> {
    /// Memory that need not grow for values of `value_width` elements.
    pub fn new(value_width: usize) -> Self {
        let room = TOGETHER * value_width.div_ceil(16);
        Self {
            sums: Vec::with_capacity(room),
            chunk: Vec::with_capacity(room),
        }
    }

    /// Bytes of a scratch for values of `value_width` elements.
    pub fn bytes_for(value_width: usize) -> usize {
        2 * TOGETHER * value_width.div_ceil(16) * size_of::<[R; 16]>()
    }

    /// Bytes that are held.
    pub fn bytes(&self) -> usize {
        (self.sums.capacity() + self.chunk.capacity()) * size_of::<[R; 16]>()
    }
}

/// Attends with every column.
pub struct Attend<'a, 'c, R> {
    /// The cache of the head.
    pub cache: KeyValues<'a>,
    /// Multiplies the scores.
    pub scale: R,
    /// `cap · tanh(score / cap)`, after the scale.
    pub soft_cap: Option<R>,
    /// The queries; neighbours that see nearly the same positions go together.
    pub columns: &'a mut [Column<'c, R>],
    /// Working memory.
    pub scratch: &'a mut AttendScratch<R>,
}

impl<R: Real> Attend<'_, '_, R> {
    /// Runs on `level`.
    ///
    /// # Panics
    ///
    /// If the cache is [`CacheFormat::F64`] and the queries are not, or the other way round.
    pub fn on(self, level: Level) {
        R::attend(level, self);
    }
}

impl<R: Real> Kernel for Attend<'_, '_, R> {
    type Output = ();

    #[inline(always)]
    fn run<I: Isa>(self, isa: I) {
        match self.cache.format {
            CacheFormat::F64 if R::EXACT => self.stored::<I, Doubles>(isa),
            CacheFormat::F32 if !R::EXACT => self.stored::<I, Floats>(isa),
            CacheFormat::F16 if !R::EXACT => self.stored::<I, Halves>(isa),
            CacheFormat::Q8_0 if !R::EXACT => self.stored::<I, Bytes>(isa),
            format => panic!("a cache of {format} is of another tier than the queries"),
        }
    }
}

/// Scores, then weights, of up to four columns in a chunk.
type Scores<R, const T: usize> = [[[R; KEY_BLOCK]; CHUNK / KEY_BLOCK]; T];

/// The running maximum and sum of a column.
#[derive(Clone, Copy)]
struct Total<R> {
    max: R,
    sum: R,
}

impl<R: Real> Attend<'_, '_, R> {
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
            let together = match rest.len() {
                1 => 1,
                2 | 3 => 2,
                _ => TOGETHER,
            };
            let (now, later) = rest.split_at_mut(together);
            let work = Work {
                cache,
                scale,
                soft_cap,
            };
            match now {
                [a, b, c, d] => work.columns::<I, S, 4, 2>(isa, [a, b, c, d], scratch),
                [a, b] => work.columns::<I, S, 2, 4>(isa, [a, b], scratch),
                [a] => work.columns::<I, S, 1, 8>(isa, [a], scratch),
                _ => {}
            }
            rest = later;
        }
    }
}

/// What all columns share.
struct Work<'a, R> {
    cache: KeyValues<'a>,
    scale: R,
    soft_cap: Option<R>,
}

impl<R: Real> Work<'_, R> {
    /// `T` columns through all chunks that any of them sees, the keys of `B` blocks at a time.
    #[inline(always)]
    fn columns<I: Isa, S: Stored, const T: usize, const B: usize>(
        &self,
        isa: I,
        mut columns: [&mut Column<'_, R>; T],
        scratch: &mut AttendScratch<R>,
    ) {
        let lanes = self.cache.value_width.div_ceil(16);
        scratch.sums.clear();
        scratch.sums.resize(T * lanes, [R::default(); 16]);
        scratch.chunk.clear();
        scratch.chunk.resize(T * lanes, [R::default(); 16]);
        let mut totals = [Total {
            max: R::NEG_INFINITY,
            sum: R::default(),
        }; T];
        let mut first = usize::MAX;
        let mut end = 0;
        let mut queries: [&[R]; T] = [&[]; T];
        for (query, column) in queries.iter_mut().zip(&columns) {
            first = first.min(column.sees.start);
            end = end.max(column.sees.end);
            *query = column.query;
        }
        for chunk in first / CHUNK..end.div_ceil(CHUNK) {
            let start = chunk * CHUNK;
            let from = first.max(start) - start;
            let to = end.min(start + CHUNK) - start;
            let mut scores: Scores<R, T> = [[[R::default(); KEY_BLOCK]; CHUNK / KEY_BLOCK]; T];
            isa.apart(Score::<R, S, T, B> {
                cache: self.cache,
                start,
                range: from..to,
                queries: &queries,
                scores: &mut scores,
                format: PhantomData,
            });
            let mut seen = [Total {
                max: R::NEG_INFINITY,
                sum: R::default(),
            }; T];
            for t in 0..T {
                let sees = &columns[t].sees;
                let visible = sees.start.max(start)..sees.end.min(start + CHUNK);
                if visible.is_empty() {
                    scores[t] = [[R::default(); KEY_BLOCK]; CHUNK / KEY_BLOCK];
                } else {
                    seen[t] = self.weigh(
                        isa,
                        &mut scores[t],
                        visible.start - start..visible.end - start,
                    );
                }
            }
            isa.apart(AddValues::<R, S, T> {
                cache: self.cache,
                start,
                range: from..to,
                weights: &scores,
                out: &mut scratch.chunk,
                format: PhantomData,
            });
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
                *out = *sum / total.sum;
            }
        }
    }

    /// Turns the scores of the visible positions into exponentials, those of the others into zero.
    #[inline(always)]
    fn weigh<I: Isa>(
        &self,
        isa: I,
        scores: &mut [[R; KEY_BLOCK]; CHUNK / KEY_BLOCK],
        visible: Range<usize>,
    ) -> Total<R> {
        let blocks = visible.start / KEY_BLOCK..visible.end.div_ceil(KEY_BLOCK);
        for score in scores[blocks.clone()].as_flattened_mut() {
            *score *= self.scale;
        }
        if let Some(cap) = self.soft_cap {
            for score in scores[blocks.clone()].as_flattened_mut() {
                *score = cap * (*score / cap).tanh();
            }
        }
        let flat = scores.as_flattened_mut();
        flat[..visible.start].fill(R::NEG_INFINITY);
        flat[visible.end..].fill(R::NEG_INFINITY);
        // The largest of the lanes' largest is the largest, so lanes may be compared side by side.
        let mut largest = [R::NEG_INFINITY; KEY_BLOCK];
        for block in &scores[blocks.clone()] {
            for (largest, &score) in largest.iter_mut().zip(block) {
                *largest = if score > *largest { score } else { *largest };
            }
        }
        let max = largest
            .into_iter()
            .fold(R::NEG_INFINITY, |max, x| if x > max { x } else { max });
        for score in scores[blocks].as_flattened_mut() {
            *score = (*score - max).exp();
        }
        let flat = scores.as_flattened_mut();
        flat[..visible.start].fill(R::default());
        flat[visible.end..].fill(R::default());
        let mut sum = R::default().splat(isa);
        for block in scores.iter() {
            sum = R::add_lanes(isa, sum, R::load(isa, block));
        }
        Total {
            max,
            sum: R::sum(isa, sum),
        }
    }
}

/// Products of the queries with the keys of the blocks that hold `range`.
///
/// `B` blocks at a time: enough sums in flight to hide an addition's latency.
struct Score<'a, R, S, const T: usize, const B: usize> {
    cache: KeyValues<'a>,
    /// The chunk's first position.
    start: usize,
    /// Of the chunk.
    range: Range<usize>,
    queries: &'a [&'a [R]; T],
    scores: &'a mut Scores<R, T>,
    format: PhantomData<S>,
}

impl<R: Real, S: Stored, const T: usize, const B: usize> Kernel for Score<'_, R, S, T, B> {
    type Output = ();

    #[inline(always)]
    fn run<I: Isa>(self, isa: I) {
        let cache = self.cache;
        let block_bytes = cache.format.key_block_bytes(cache.key_width);
        let slot = self.start % cache.positions / KEY_BLOCK;
        let last = self.range.end.div_ceil(KEY_BLOCK);
        let mut queries: [&[R]; T] = [&[]; T];
        for (query, whole) in queries.iter_mut().zip(self.queries) {
            *query = &whole[..cache.key_width];
        }
        for block in (self.range.start / KEY_BLOCK..last).step_by(B) {
            let mut keys: [&[u8]; B] = [&[]; B];
            for (i, keys) in keys.iter_mut().enumerate() {
                let at = slot + (block + i).min(last - 1);
                *keys = &cache.keys[at * block_bytes..][..block_bytes];
            }
            let mut ahead = Ahead::behind(keys[0].as_ptr(), B * block_bytes);
            let mut sums = [[R::default().splat(isa); B]; T];
            for d in 0..cache.key_width {
                ahead.ask(B * block_bytes / cache.key_width);
                let mut key = [R::default().splat(isa); B];
                for (key, keys) in key.iter_mut().zip(&keys) {
                    *key = S::key::<I, R>(isa, keys, d);
                }
                for (sums, query) in sums.iter_mut().zip(&queries) {
                    let q = query[d].splat(isa);
                    for (sum, &key) in sums.iter_mut().zip(&key) {
                        *sum = R::add_lanes(isa, *sum, R::mul_lanes(isa, q, key));
                    }
                }
            }
            for (scores, sums) in self.scores.iter_mut().zip(sums) {
                for (score, sum) in scores[block..last].iter_mut().zip(sums) {
                    R::store(isa, sum, score);
                }
            }
        }
    }
}

/// `out[t] = Σ_p weights[t][p] · value[p]` over the positions of `range`.
struct AddValues<'a, R, S, const T: usize> {
    cache: KeyValues<'a>,
    /// The chunk's first position.
    start: usize,
    /// Of the chunk.
    range: Range<usize>,
    weights: &'a Scores<R, T>,
    /// `[T, value_width / 16]`.
    out: &'a mut [[R; 16]],
    format: PhantomData<S>,
}

impl<R: Real, S: Stored, const T: usize> Kernel for AddValues<'_, R, S, T> {
    type Output = ();

    #[inline(always)]
    fn run<I: Isa>(self, isa: I) {
        let cache = self.cache;
        let row_bytes = cache.format.value_bytes(cache.value_width);
        let lanes = cache.value_width.div_ceil(16);
        let slot = self.start % cache.positions;
        let rows = &cache.values[slot * row_bytes..][..CHUNK * row_bytes];
        let mut ahead = Ahead::behind(rows[self.range.start * row_bytes..].as_ptr(), AHEAD);
        for first in (0..lanes).step_by(4) {
            let used = (lanes - first).min(4);
            let mut sums = [[R::default().splat(isa); 4]; T];
            for p in self.range.clone() {
                let row = &rows[p * row_bytes..][..row_bytes];
                if first == 0 {
                    ahead.ask(row_bytes);
                }
                let mut values = [R::default().splat(isa); 4];
                for i in 0..4 {
                    values[i] = S::value::<I, R>(isa, row, first + i.min(used - 1));
                }
                for t in 0..T {
                    let weight = self.weights[t].as_flattened()[p].splat(isa);
                    for i in 0..4 {
                        sums[t][i] =
                            R::add_lanes(isa, sums[t][i], R::mul_lanes(isa, weight, values[i]));
                    }
                }
            }
            for t in 0..T {
                for i in 0..4 {
                    if i < used {
                        R::store(isa, sums[t][i], &mut self.out[t * lanes + first + i]);
                    }
                }
            }
        }
    }
}

/// Adds a chunk to the running sums by the online-softmax rule.
#[inline(always)]
fn merge<R: Real>(sums: &mut [[R; 16]], chunk: &[[R; 16]], total: &mut Total<R>, seen: &Total<R>) {
    if seen.sum == R::default() && seen.max == R::NEG_INFINITY {
        return;
    }
    let max = if seen.max > total.max {
        seen.max
    } else {
        total.max
    };
    let (old, new) = ((total.max - max).exp(), (seen.max - max).exp());
    for (sums, chunk) in sums.as_flattened_mut().iter_mut().zip(chunk.as_flattened()) {
        *sums = *sums * old + *chunk * new;
    }
    *total = Total {
        max,
        sum: total.sum * old + seen.sum * new,
    };
}

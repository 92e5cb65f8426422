//! One step of a batch, walked by every worker.

use super::arena::Arena;
use super::memory::LayerMemory;
use super::plan::{Plan, Stage, TokenWork};
use super::products::{ProductRoom, ProductScratch, Products};
use super::team::{Counters, Member, Take};
use super::tokens;
use crate::backend::Tier;
use crate::gguf::File;
use crate::graph::{Attend, Graph, Op};
use crate::tensor::Tensor;
use fidelis_simd::attend::{Attend as AttendKernel, AttendScratch, Column, KEY_BLOCK};
use fidelis_simd::{Format, Level, Real};
use std::ops::Range;
use std::sync::{Mutex, PoisonError};

/// Queries that one worker takes together.
const QUERIES: usize = 32;

/// What a worker keeps between stages.
pub(super) struct Scratch<R> {
    pub(super) products: ProductScratch<R>,
    attend: AttendScratch<R>,
    queries: Vec<R>,
}

/// What a [`Scratch`] holds without growing.
#[derive(Clone, Copy)]
pub(super) struct ScratchRoom {
    products: ProductRoom,
    /// Elements of the widest value.
    value_width: usize,
    /// Elements of the queries that one worker takes together.
    queries: usize,
}

impl ScratchRoom {
    /// For a graph and up to `batch` tokens.
    pub(super) fn new(graph: &Graph<'_>, tier: Tier, batch: usize) -> Self {
        let queries = graph.ops.iter().filter_map(|op| match op {
            Op::Attend(attend) => {
                let cache = &graph.caches[attend.cache];
                let group = attend.heads / cache.heads;
                Some(tokens_together(group).min(batch) * group * cache.key_width)
            }
            _ => None,
        });
        let values = graph.caches.iter().map(|cache| cache.value_width);
        Self {
            products: ProductRoom::new(graph, |weight| is_fast(tier, weight.format), batch),
            value_width: values.max().unwrap_or(0),
            queries: queries.max().unwrap_or(0),
        }
    }

    /// Bytes of one worker's.
    pub(super) fn bytes<R>(self) -> usize {
        self.products
            .bytes::<R>()
            .saturating_add(AttendScratch::<R>::bytes_for(self.value_width))
            .saturating_add(self.queries * size_of::<R>())
    }
}

impl<R> Scratch<R> {
    pub(super) fn new(room: ScratchRoom) -> Self {
        Self {
            products: ProductScratch::new(room.products),
            attend: AttendScratch::new(room.value_width),
            queries: Vec::with_capacity(room.queries),
        }
    }

    /// Bytes that are held.
    pub(super) fn bytes(&self) -> usize {
        self.products.bytes() + self.attend.bytes() + self.queries.capacity() * size_of::<R>()
    }
}

/// Tokens whose queries one worker takes together, where so many share a key.
fn tokens_together(group: usize) -> usize {
    (QUERIES / group).max(1)
}

/// Whether a weight is multiplied with quantised activations.
pub(super) fn is_fast(tier: Tier, format: Format) -> bool {
    tier == Tier::Fast && !format.is_float()
}

impl<R> Work<'_, '_, R> {
    /// Whether a weight is multiplied with quantised activations.
    pub(super) fn is_fast(&self, weight: &Tensor<'_>) -> bool {
        is_fast(self.tier, weight.format)
    }

    /// Weights that this step does not need again: their pages go, if that is wanted.
    pub(super) fn done_with(&self, weights: &[u8]) {
        if let Some(file) = self.drop_pages {
            file.drop_pages(weights);
        }
    }
}

/// A batch of tokens at work.
pub(super) struct Work<'w, 'a, R> {
    pub(super) graph: &'w Graph<'a>,
    pub(super) plan: &'w Plan,
    pub(super) arena: &'w Arena<R>,
    pub(super) memory: &'w [LayerMemory],
    pub(super) vectors: &'w [Vec<R>],
    pub(super) level: Level,
    pub(super) tier: Tier,
    pub(super) tokens: &'w [u32],
    /// The position of the first token.
    pub(super) position: usize,
    /// The tokens whose logits are wanted.
    pub(super) wanted: Range<usize>,
    /// One per stage.
    pub(super) counters: &'w [Counters],
    /// One per worker.
    pub(super) scratch: &'w [Mutex<Scratch<R>>],
    /// The file whose pages are dropped behind the reader.
    pub(super) drop_pages: Option<&'a File>,
}

impl<R: Real> Work<'_, '_, R> {
    /// All stages; calls `after` at the end of each, also of the one that fails.
    pub(super) fn run(&self, member: &Member<'_>, mut after: impl FnMut(usize, Range<usize>)) {
        let mut scratch = self.scratch[member.index]
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        for (index, stage) in self.plan.stages.iter().enumerate() {
            let rows = if index < self.plan.tail {
                0..self.tokens.len()
            } else {
                self.wanted.clone()
            };
            if rows.is_empty() {
                break;
            }
            let go_on = match stage {
                Stage::Tokens(works) => self.tokens(member, index, works, rows.clone()),
                Stage::Products(products) => Products {
                    work: self,
                    indices: products,
                    tokens: rows.clone(),
                }
                .run(member, &self.counters[index], &mut scratch.products),
                Stage::Attention(op) => match &self.graph.ops[*op] {
                    Op::Attend(attend) => self.attention(member, index, attend, &mut scratch),
                    _ => true,
                },
            };
            after(index, rows);
            if !go_on {
                return;
            }
        }
    }

    /// Rows whose positions share a block of the key cache, block by block: only one worker writes there.
    fn blocks(&self, rows: Range<usize>) -> impl ExactSizeIterator<Item = Range<usize>> + Clone {
        let offset = self.position % KEY_BLOCK;
        let first = (offset + rows.start) / KEY_BLOCK;
        let last = (offset + rows.end).div_ceil(KEY_BLOCK);
        (first..last).map(move |block| {
            let start = (block * KEY_BLOCK).saturating_sub(offset).max(rows.start);
            start..((block + 1) * KEY_BLOCK - offset).min(rows.end)
        })
    }

    fn tokens(
        &self,
        member: &Member<'_>,
        stage: usize,
        works: &[TokenWork],
        rows: Range<usize>,
    ) -> bool {
        let blocks = self.blocks(rows);
        let counters = &self.counters[stage];
        member.share(counters, blocks.len(), Take::One, |taken| {
            let blocks = blocks.clone().skip(taken.start).take(taken.len());
            for row in blocks.flatten() {
                if stage == 0 {
                    tokens::angles(self, row);
                }
                for &work in works {
                    tokens::run(self, member, work, row);
                }
            }
        })
    }

    /// Divides heads and tokens; with one token and few heads, the queries of a head too.
    fn attention(
        &self,
        member: &Member<'_>,
        stage: usize,
        attend: &Attend,
        scratch: &mut Scratch<R>,
    ) -> bool {
        let heads = self.graph.caches[attend.cache].heads;
        let group = attend.heads / heads;
        let per_tile = tokens_together(group);
        let tiles = self.tokens.len().div_ceil(per_tile);
        let splits = if self.tokens.len() == 1 && heads < self.scratch.len() {
            group.min(self.scratch.len())
        } else {
            1
        };
        let count = heads * tiles * splits;
        let counters = &self.counters[stage];
        member.share(
            counters,
            count,
            Take::One,
            |Range { start: part, .. }| {
                let (head, rest) = (part % heads, part / heads);
                let (tile, split) = (rest % tiles, rest / tiles);
                let rows = tile * per_tile..((tile + 1) * per_tile).min(self.tokens.len());
                let queries = group * split / splits..group * (split + 1) / splits;
                self.attend_tile(
                    attend,
                    head,
                    rows,
                    head * group + queries.start..head * group + queries.end,
                    scratch,
                );
            },
        )
    }

    /// The query heads of one key head for some tokens.
    fn attend_tile(
        &self,
        attend: &Attend,
        head: usize,
        rows: Range<usize>,
        heads: Range<usize>,
        scratch: &mut Scratch<R>,
    ) {
        let memory = &self.memory[attend.cache];
        let shape = &self.graph.caches[attend.cache];
        let (key, value) = (shape.key_width, shape.value_width);
        let query_scale = R::of(attend.query_scale);
        scratch.queries.clear();
        for row in rows.clone() {
            // SAFETY: queries were written in an earlier stage, and this stage writes only its output.
            let query = unsafe { self.arena.rows(attend.query, row, 1) };
            scratch.queries.extend(
                query[heads.start * key..heads.end * key]
                    .iter()
                    .map(|&x| x * query_scale),
            );
        }
        let places = rows.flat_map(|row| heads.clone().map(move |head| (row, head)));
        let mut places =
            places
                .zip(scratch.queries.chunks_exact(key))
                .map(|((row, head), query)| Column {
                    query,
                    sees: memory.sees(self.position + row),
                    // SAFETY: this part of the stage is the only one with this row and head.
                    out: unsafe { self.arena.part_mut(attend.out, row, head * value, value) },
                });
        loop {
            let mut columns: [Column<'_, R>; QUERIES] = Default::default();
            let mut count = 0;
            for (column, place) in columns.iter_mut().zip(&mut places) {
                *column = place;
                count += 1;
            }
            if count == 0 {
                return;
            }
            AttendKernel {
                // SAFETY: the cache was written in an earlier stage, and this stage does not write it.
                cache: unsafe { memory.head(head) },
                scale: R::of(attend.score_scale),
                soft_cap: attend.soft_cap.map(R::exactly),
                columns: &mut columns[..count],
                scratch: &mut scratch.attend,
            }
            .on(self.level);
        }
    }
}

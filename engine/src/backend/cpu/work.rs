//! One step of a batch, walked by every worker.

use super::arena::Arena;
use super::memory::LayerMemory;
use super::plan::{Plan, Stage, TokenWork};
use super::products::{ProductScratch, Products};
use super::team::{Counters, Member, Take};
use super::tokens;
use crate::backend::Tier;
use crate::graph::{Attend, Graph, Op};
use fidelis_simd::attend::{Attend as AttendKernel, AttendScratch, Column, KEY_BLOCK};
use fidelis_simd::{Level, Real};
use std::ops::Range;
use std::sync::{Mutex, PoisonError};

/// Queries that one worker takes together.
const QUERIES: usize = 32;

/// What a worker keeps between stages.
#[derive(Default)]
pub(super) struct Scratch<R> {
    pub(super) products: ProductScratch<R>,
    attend: AttendScratch<R>,
    queries: Vec<R>,
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
                Stage::Products(products) => Products::new(self, products, rows.clone()).run(
                    member,
                    &self.counters[index],
                    &mut scratch.products,
                ),
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
    fn blocks(&self, rows: Range<usize>) -> impl Iterator<Item = Range<usize>> {
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
        let blocks: Vec<Range<usize>> = self.blocks(rows).collect();
        let counters = &self.counters[stage];
        member.share(counters, blocks.len(), Take::One, |taken| {
            for row in blocks[taken].iter().cloned().flatten() {
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
        let per_tile = (QUERIES / group).max(1);
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
        let mut columns: Vec<Column<'_, R>> = places
            .zip(scratch.queries.chunks_exact(key))
            .map(|((row, head), query)| Column {
                query,
                sees: memory.sees(self.position + row),
                // SAFETY: this part of the stage is the only one with this row and head.
                out: unsafe { self.arena.part_mut(attend.out, row, head * value, value) },
            })
            .collect();
        AttendKernel {
            // SAFETY: the cache was written in an earlier stage, and this stage does not write it.
            cache: unsafe { memory.head(head) },
            scale: R::of(attend.score_scale),
            soft_cap: attend.soft_cap.map(R::exactly),
            columns: &mut columns,
            scratch: &mut scratch.attend,
        }
        .on(self.level);
    }
}

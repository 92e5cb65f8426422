//! Matrix products of a stage: rows of the weights are divided, tokens are not.

use super::team::{Counters, Member, Take};
use super::work::Work;
use crate::graph::{Graph, Op, TensorId};
use crate::tensor::Tensor;
use fidelis_simd::Real;
use fidelis_simd::dense::{Dense, DenseRoom, DenseScratch};
use fidelis_simd::fast::{Decode, Order, Prefill, Room, Scratch};
use std::ops::Range;

/// The least bytes of weights that a worker takes at a time with one token.
const DECODE_BYTES: usize = 96 << 10;

/// The most rows that a worker takes at a time with many tokens.
const PREFILL_ROWS: usize = 128;

/// Working memory of the kernels.
pub(super) struct ProductScratch<R> {
    panels: Scratch,
    dense: DenseScratch<R>,
}

/// What a [`ProductScratch`] holds without growing.
#[derive(Clone, Copy, Default)]
pub(super) struct ProductRoom {
    panels: Room,
    dense: DenseRoom,
}

impl ProductRoom {
    /// For all products of a graph with up to `batch` tokens; `is_fast` says which weights are multiplied with quantised activations.
    pub(super) fn new<'a>(
        graph: &Graph<'a>,
        is_fast: impl Fn(&Tensor<'a>) -> bool,
        batch: usize,
    ) -> Self {
        let weights = graph.ops.iter().filter_map(|op| match op {
            Op::MatMul { weight, .. } => Some(&graph.weights[weight.0 as usize]),
            _ => None,
        });
        weights.fold(Self::default(), |room, weight| {
            let width = weight.shape.width();
            if !is_fast(weight) {
                let dense = room.dense.or(DenseRoom::new(width, batch));
                Self { dense, ..room }
            } else if batch > 1 {
                let panels = room.panels.or(Room::new(weight.format, width, batch));
                Self { panels, ..room }
            } else {
                room
            }
        })
    }

    /// Bytes of one worker's.
    pub(super) fn bytes<R>(self) -> usize {
        self.panels.bytes().saturating_add(self.dense.bytes::<R>())
    }
}

impl<R> ProductScratch<R> {
    pub(super) fn new(room: ProductRoom) -> Self {
        Self {
            panels: Scratch::new(room.panels),
            dense: DenseScratch::new(room.dense),
        }
    }

    /// Bytes that are held.
    pub(super) fn bytes(&self) -> usize {
        self.panels.bytes() + self.dense.bytes()
    }
}

/// One product of the stage.
struct Product<'p, 'a> {
    input: TensorId,
    weight: &'p Tensor<'a>,
    first: usize,
    out: TensorId,
    /// Rows in all.
    rows: usize,
    /// Rows of a part.
    part: usize,
}

impl Product<'_, '_> {
    /// How many parts there are.
    fn parts(&self) -> usize {
        self.rows.div_ceil(self.part)
    }
}

/// The products of a stage for some tokens.
pub(super) struct Products<'p, 'w, 'a, R> {
    pub(super) work: &'p Work<'w, 'a, R>,
    /// Ops of the graph.
    pub(super) indices: &'p [usize],
    pub(super) tokens: Range<usize>,
}

impl<'p, 'a, R: Real> Products<'p, '_, 'a, R> {
    /// The products, in order.
    fn products(&self) -> impl Iterator<Item = Product<'p, 'a>> {
        self.indices.iter().filter_map(|&index| self.product(index))
    }

    /// The product of an op.
    fn product(&self, index: usize) -> Option<Product<'p, 'a>> {
        let work = self.work;
        let Op::MatMul {
            input,
            weight,
            first,
            out,
        } = &work.graph.ops[index]
        else {
            return None;
        };
        let weight = &work.graph.weights[weight.0 as usize];
        let part = if self.tokens.len() == 1 {
            (DECODE_BYTES / weight.row_bytes()).next_multiple_of(16)
        } else {
            PREFILL_ROWS
        };
        Some(Product {
            input: *input,
            weight,
            first: *first,
            out: *out,
            rows: work.arena.width(*out),
            part: part.max(16),
        })
    }

    /// Does this worker's share; false if the step is to end.
    pub(super) fn run(
        &self,
        member: &Member<'_>,
        counters: &Counters,
        scratch: &mut ProductScratch<R>,
    ) -> bool {
        let take = if self.tokens.len() == 1 {
            Take::Most
        } else {
            Take::One
        };
        let count = self.products().map(|product| product.parts()).sum();
        member.share(counters, count, take, |taken| {
            let mut first = 0;
            for product in self.products() {
                let count = product.parts();
                let parts =
                    taken.start.max(first) - first..taken.end.clamp(first, first + count) - first;
                // Pages that are dropped are dropped part by part, so that few are held.
                let together = match self.work.drop_pages {
                    Some(_) => 1,
                    None => parts.len().max(1),
                };
                for start in parts.clone().step_by(together) {
                    let end = (start + together).min(parts.end) * product.part;
                    let rows = start * product.part..end.min(product.rows);
                    self.part(&product, rows, scratch);
                }
                first += count;
            }
        })
    }

    /// Rows `rows` of a product.
    fn part(&self, product: &Product<'_, '_>, rows: Range<usize>, scratch: &mut ProductScratch<R>) {
        let (work, weight) = (self.work, product.weight);
        let row_bytes = weight.row_bytes();
        let bytes =
            &weight.bytes[(product.first + rows.start) * row_bytes..][..rows.len() * row_bytes];
        if work.plan.quantised[product.input.0 as usize].is_some() && work.is_fast(weight) {
            self.fast(product, bytes, rows, scratch);
            work.done_with(bytes);
            return;
        }
        let mut emit = |token: usize, first: usize, values: &[R]| {
            // SAFETY: this part alone has these rows, and the result lives until they are copied.
            unsafe { self.out(product, token, rows.start + first, values.len()) }
                .copy_from_slice(values);
        };
        // SAFETY: the input is of an earlier stage, and this one writes only outputs.
        let inputs = unsafe {
            work.arena
                .rows(product.input, self.tokens.start, self.tokens.len())
        };
        let kernel = Dense {
            format: weight.format,
            rows: bytes,
            width: weight.shape.width(),
            inputs,
            scratch: &mut scratch.dense,
            emit: &mut emit,
        };
        kernel.on(work.level);
        work.done_with(bytes);
    }

    /// Rows `rows`, whose bytes are `bytes`, times quantised activations.
    fn fast(
        &self,
        product: &Product<'_, '_>,
        bytes: &[u8],
        rows: Range<usize>,
        scratch: &mut ProductScratch<R>,
    ) {
        let (work, weight) = (self.work, product.weight);
        let out = |token: usize, first: usize, len: usize| {
            // SAFETY: this part alone has these rows; outputs live until they are written.
            R::singles_mut(unsafe { self.out(product, token, rows.start + first, len) })
                .expect("the tier `fast` computes in f32")
        };
        // SAFETY: the input is of an earlier stage, and this one writes only outputs.
        let inputs = unsafe {
            work.arena
                .quantised(product.input, self.tokens.start, self.tokens.len())
        };
        if self.tokens.len() == 1 {
            let out = out(0, 0, rows.len());
            let kernel = Decode {
                format: weight.format,
                rows: bytes,
                input: inputs,
                order: Order::best(),
                out,
            };
            kernel.on(work.level);
        } else {
            let mut emit = |token: usize, first: usize, values: &[f32]| {
                out(token, first, values.len()).copy_from_slice(values);
            };
            let kernel = Prefill {
                format: weight.format,
                rows: bytes,
                width: weight.shape.width(),
                inputs,
                scratch: &mut scratch.panels,
                emit: &mut emit,
            };
            kernel.on(work.level);
        }
    }

    /// `len` outputs of a token of the stage, from row `first` of the weights.
    ///
    /// # Safety
    ///
    /// Nobody else uses these outputs while the result lives.
    #[expect(
        clippy::mut_from_ref,
        reason = "the arena allows it; parts of a stage have rows of the weights for themselves"
    )]
    unsafe fn out(
        &self,
        product: &Product<'_, '_>,
        token: usize,
        first: usize,
        len: usize,
    ) -> &mut [R] {
        // SAFETY: the caller's promise.
        unsafe {
            self.work
                .arena
                .part_mut(product.out, self.tokens.start + token, first, len)
        }
    }
}

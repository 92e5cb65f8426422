//! Matrix products of a stage: rows of the weights are divided, tokens are not.

use super::team::{Counters, Member, Take};
use super::work::Work;
use crate::graph::{Op, TensorId};
use crate::tensor::Tensor;
use fidelis_simd::Real;
use fidelis_simd::dense::{Dense, DenseScratch};
use fidelis_simd::fast::{Decode, Prefill, Scratch};
use std::ops::Range;

/// The least bytes of weights that a worker takes at a time with one token.
const DECODE_BYTES: usize = 96 << 10;

/// The most rows that a worker takes at a time with many tokens.
const PREFILL_ROWS: usize = 128;

/// Working memory of the kernels.
#[derive(Default)]
pub(super) struct ProductScratch<R> {
    panels: Scratch,
    dense: DenseScratch<R>,
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

/// The products of a stage for some tokens.
pub(super) struct Products<'p, 'w, 'a, R> {
    work: &'p Work<'w, 'a, R>,
    products: Vec<Product<'p, 'a>>,
    tokens: Range<usize>,
}

impl<'p, 'w, 'a, R: Real> Products<'p, 'w, 'a, R> {
    /// The ops `indices`, for tokens `tokens`.
    pub(super) fn new(work: &'p Work<'w, 'a, R>, indices: &[usize], tokens: Range<usize>) -> Self {
        let product = |&index: &usize| {
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
            let part = if tokens.len() == 1 {
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
        };
        Self {
            work,
            products: indices.iter().filter_map(product).collect(),
            tokens,
        }
    }

    /// Does this worker's share; false if the step is to end.
    pub(super) fn run(
        &self,
        member: &Member<'_>,
        counters: &Counters,
        scratch: &mut ProductScratch<R>,
    ) -> bool {
        let counts: Vec<usize> = self
            .products
            .iter()
            .map(|product| product.rows.div_ceil(product.part))
            .collect();
        let take = if self.tokens.len() == 1 {
            Take::Most
        } else {
            Take::One
        };
        member.share(counters, counts.iter().sum(), take, |taken| {
            let mut first = 0;
            for (product, &count) in self.products.iter().zip(&counts) {
                let parts =
                    taken.start.max(first) - first..taken.end.clamp(first, first + count) - first;
                if !parts.is_empty() {
                    let end = (parts.end * product.part).min(product.rows);
                    self.part(product, parts.start * product.part..end, scratch);
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

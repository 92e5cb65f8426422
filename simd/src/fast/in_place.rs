//! One token on levels that multiply rows as they lie: 16 rows, four of them at a time.
//!
//! The next neighbours, or the next bytes of streams, are asked for evenly while these are worked on. The folded products of 16 rows wait in the first cache until their scales are applied, 16 rows in the lanes.
//! The fewer wait, the better memory is read: with those of whole rows of 22 blocks the cache is full, and a Zen 4 reads a quarter less.

use super::decode::rows_of;
use super::order::Order;
use super::sum::{Of, add_group};
use crate::Isa;
use crate::input::InputGroup;
use crate::prefetch::{Ahead, ask_each};
use crate::quant::Layout;
use crate::quant::read::blocks_at;
use std::marker::PhantomData;

/// Blocks of a row whose products wait together.
///
/// Without the loops over them the compiler mixes the work on four rows with that on the next, which read a tenth more slowly.
const SLICE: usize = 1;

/// Rows of blocks, as they lie.
pub(super) struct InPlace<'a, L> {
    /// One row after another.
    pub(super) bytes: &'a [u8],
    pub(super) row_bytes: usize,
    pub(super) format: PhantomData<L>,
}

impl<L: Layout> InPlace<'_, L> {
    /// `out[r] = row r · input`.
    #[inline(always)]
    pub(super) fn multiply<I: Isa>(
        &self,
        isa: I,
        input: &[InputGroup],
        order: Order,
        out: &mut [f32],
    ) {
        // Of what is asked for with a block of 16 rows, how much while four are folded; the rest while all are joined.
        let all = 16 * L::FORMAT.block_bytes();
        let folding = all / 7;
        let mut folded = [[[isa.splat_word(0); 4]; 4]; SLICE];
        let in_streams = order == Order::Streams;
        let steps = order.steps(out.len());
        for step in 0..steps.steps {
            let rows = rows_of::<L>(self.bytes, self.row_bytes, steps, step);
            let mut ahead = Ahead::behind(rows[0].as_ptr().cast(), 16 * self.row_bytes);
            let mut y = isa.splat(0.0);
            for (slice, x) in input.chunks(SLICE * L::GROUPS).enumerate() {
                let first = slice * SLICE;
                for (four, rows) in rows.as_chunks::<4>().0.iter().enumerate() {
                    for (index, x) in x.chunks_exact(L::GROUPS).enumerate() {
                        let at = first + index;
                        let blocks = [&rows[0][at], &rows[1][at], &rows[2][at], &rows[3][at]];
                        if in_streams {
                            ask_each(rows, at);
                        } else {
                            ahead.ask(folding);
                        }
                        folded[index][four] = L::fold(isa, blocks, x);
                    }
                }
                for (index, x) in x.chunks_exact(L::GROUPS).enumerate() {
                    if !in_streams {
                        ahead.ask(all - 4 * folding);
                    }
                    L::join(
                        isa,
                        blocks_at(&rows, first + index),
                        folded[index],
                        #[inline(always)]
                        |group, sums, factors| {
                            y = add_group::<I, Of<L>>(isa, y, sums, &factors, &x[group]);
                        },
                    );
                }
            }
            let mut lanes = [0.0; 16];
            isa.store(y, &mut lanes);
            steps.write(step, &lanes, out);
        }
    }
}

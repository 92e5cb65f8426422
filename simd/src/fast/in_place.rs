//! One token on levels that multiply rows as they lie: four long streams of rows, one block of each at a time.
//!
//! The next rows of the streams are asked for evenly, while these are worked on. The folded products of 16 rows wait in the first cache until their scales are applied, 16 rows in the lanes.

use super::sum::{Of, add_group};
use crate::Isa;
use crate::input::InputGroup;
use crate::prefetch::{LINE, fetch};
use crate::quant::Layout;
use crate::quant::read::blocks_at;
use std::marker::PhantomData;

/// Blocks of a row whose products wait together.
const SLICE: usize = 24;

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
    pub(super) fn multiply<I: Isa>(&self, isa: I, input: &[InputGroup], out: &mut [f32]) {
        let count = out.len();
        // Lines of a block of 16 rows, and how many of them are asked for while four are folded and while all are joined.
        let lines = (16 * L::FORMAT.block_bytes()).div_ceil(LINE);
        let folding = lines / 7;
        let joining = lines - 4 * folding;
        // Stream `s` reads rows `s · run ..` onwards, four of them a step.
        let run = count.div_ceil(16) * 4;
        let mut folded = [[[isa.splat_word(0); 4]; 4]; SLICE];
        for step in (0..run).step_by(4) {
            let mut rows: [&[L::Block]; 16] = [&[]; 16];
            for (lane, row) in rows.iter_mut().enumerate() {
                let index = (lane % 4 * run + step + lane / 4).min(count - 1);
                *row = L::blocks(&self.bytes[index * self.row_bytes..][..self.row_bytes]);
            }
            let mut ahead = Ahead {
                streams: [0, 1, 2, 3].map(|stream| rows[stream].as_ptr().cast::<u8>()),
                start: 4 * self.row_bytes,
                line: 0,
            };
            let mut y = isa.splat(0.0);
            for (slice, x) in input.chunks(SLICE * L::GROUPS).enumerate() {
                let first = slice * SLICE;
                for (four, rows) in rows.as_chunks::<4>().0.iter().enumerate() {
                    for (index, x) in x.chunks_exact(L::GROUPS).enumerate() {
                        let at = first + index;
                        let blocks = [&rows[0][at], &rows[1][at], &rows[2][at], &rows[3][at]];
                        ahead.fetch(folding);
                        folded[index][four] = L::fold(isa, blocks, x);
                    }
                }
                for (index, x) in x.chunks_exact(L::GROUPS).enumerate() {
                    ahead.fetch(joining);
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
            for (lane, value) in lanes.into_iter().enumerate() {
                let index = lane % 4 * run + step + lane / 4;
                if let Some(out) = out.get_mut(index) {
                    *out = value;
                }
            }
        }
    }
}

/// Where the streams go on.
struct Ahead {
    /// Where each is.
    streams: [*const u8; 4],
    /// Bytes from there to the next rows.
    start: usize,
    /// Lines asked for, in turn from each stream.
    line: usize,
}

impl Ahead {
    /// Asks for the next lines.
    #[inline(always)]
    fn fetch(&mut self, lines: usize) {
        for _ in 0..lines {
            let offset = self.start + self.line / 4 * LINE;
            fetch(self.streams[self.line % 4].wrapping_add(offset));
            self.line += 1;
        }
    }
}

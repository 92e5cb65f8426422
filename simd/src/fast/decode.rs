//! One token: rows are read in the file's own layout, 16 at a time, and used at once.
//!
//! Which 16 is the machine's [`Order`]. Neighbours are asked for while the 16 before are worked on, in the order in which they lie: one
//! stream, however the rows are read. Left to guess at 16 short streams, a Zen 4 and a Xeon read half as fast or less.
//! They are asked for a little earlier still, or the last of the 16 would not be there when they begin.
//! Levels of [`Isa::IN_PLACE`] multiply some formats otherwise: see the module `in_place`.

use super::in_place::InPlace;
use super::order::{Order, Steps};
use super::sum::{Of, Rule, add_group, bias, dot, four, start};
use crate::input::InputGroup;
use crate::prefetch::{Ahead, ask_each};
use crate::quant::read::blocks_at;
use crate::quant::{Factors, Layout, Panel};
use crate::{Format, Isa, Kernel, Level, with_layout};
use std::marker::PhantomData;

/// `out[r] = row r · input`.
pub struct Decode<'a> {
    /// The format of the rows, of blocks.
    pub format: Format,
    /// The rows' bytes, one row after another.
    pub rows: &'a [u8],
    /// One token, 32 elements of a row to a group.
    pub input: &'a [InputGroup],
    /// In which order rows are read.
    pub order: Order,
    /// One per row.
    pub out: &'a mut [f32],
}

impl Decode<'_> {
    /// Runs on `level`.
    ///
    /// # Panics
    ///
    /// If the format is one of floats: [`Dense`](crate::dense::Dense) multiplies those.
    pub fn on(self, level: Level) {
        with_layout!(
            self.format,
            L => level.run(DecodeBlocks::<L>(self, PhantomData)),
            float => no_blocks(self.format)
        );
    }
}

/// Says that a format has no blocks.
pub(super) fn no_blocks(format: Format) {
    unreachable!("{format:?} has no blocks");
}

/// The rows of a step; past the end the last one repeats.
#[inline(always)]
pub(super) fn rows_of<L: Layout>(
    rows: &[u8],
    row_bytes: usize,
    steps: Steps,
    step: usize,
) -> [&[L::Block]; 16] {
    let last = rows.len() / row_bytes - 1;
    let mut sixteen: [&[L::Block]; 16] = [&[]; 16];
    for (lane, row) in sixteen.iter_mut().enumerate() {
        *row = L::blocks(&rows[steps.row(step, lane).min(last) * row_bytes..][..row_bytes]);
    }
    sixteen
}

/// How much further ahead than 16 rows bytes are asked for: what is read while memory answers.
const EARLIER: usize = 12 << 10;

struct DecodeBlocks<'a, L>(Decode<'a>, PhantomData<L>);

/// The exact integer sums of one group.
#[inline(always)]
fn ints<I: Isa, R: Rule>(
    isa: I,
    bias: i32,
    quants: &[I::Words; 8],
    x: &InputGroup,
) -> [I::Words; 2] {
    let mut sums = start::<I, R>(isa, bias, x);
    for (word, &w) in quants.iter().enumerate() {
        let half = if R::HALVES { word / 4 } else { 0 };
        sums[half] = dot::<I, R>(isa, sums[half], w, four(isa, x, word));
    }
    sums
}

impl<L: Layout> Kernel for DecodeBlocks<'_, L> {
    type Output = ();

    #[inline(always)]
    fn run<I: Isa>(self, isa: I) {
        let Decode {
            rows: bytes,
            input,
            order,
            out,
            ..
        } = self.0;
        let blocks = input.len() / L::GROUPS;
        let row_bytes = blocks * L::FORMAT.block_bytes();
        assert_eq!(bytes.len(), out.len() * row_bytes, "rows fill the bytes");
        // With narrower registers, formats of two sums a group gained nothing so.
        if I::IN_PLACE && L::IN_PLACE && (I::WIDE || !L::HALVES) {
            let rows = InPlace::<L> {
                bytes,
                row_bytes,
                format: PhantomData,
            };
            return rows.multiply(isa, input, order, out);
        }
        let bias = bias::<I, Of<L>>();
        let in_streams = order == Order::Streams;
        let steps = order.steps(out.len());
        for step in 0..steps.steps {
            let rows = rows_of::<L>(bytes, row_bytes, steps, step);
            let mut ahead = Ahead::behind(rows[0].as_ptr().cast(), 16 * row_bytes + EARLIER);
            let mut y = isa.splat(0.0);
            for (index, groups) in input.chunks_exact(L::GROUPS).enumerate() {
                if in_streams {
                    ask_each(&rows, index);
                }
                L::unpack(
                    isa,
                    blocks_at(&rows, index),
                    #[inline(always)]
                    |group, panel: Panel<I>| {
                        // For two groups: for one at a time `Q2_K` was read a sixth more slowly on a Zen 4, for all of a block at once `Q6_K`.
                        if !in_streams && group.is_multiple_of(2) {
                            ahead.ask(16 * L::FORMAT.block_bytes() / (L::GROUPS / 2).max(1));
                        }
                        let x = &groups[group];
                        let ints = ints::<I, Of<L>>(isa, bias, &panel.quants, x);
                        y = add_group::<I, Of<L>>(isa, y, ints, &Factors::of(&panel), x);
                    },
                );
            }
            let mut lanes = [0.0; 16];
            isa.store(y, &mut lanes);
            steps.write(step, &lanes, out);
        }
    }
}

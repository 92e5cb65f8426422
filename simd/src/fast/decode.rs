//! One token: rows are read in the file's own layout, 16 at a time, and used at once.
//!
//! Lane `i` has the `i`-th run of neighbouring rows and reads it onwards, so that memory is read in 16 long
//! streams, which is what machines fetch ahead best. Against 16 neighbouring rows at a time, whose streams end
//! after a kilobyte or two and share pages, it reads 1.5 to 1.8 times as fast.
//! Levels of [`Isa::IN_PLACE`] multiply some formats otherwise: see the module `in_place`.

use super::in_place::InPlace;
use super::sum::{Of, Rule, add_group, bias, dot, four, start};
use crate::input::InputGroup;
use crate::prefetch::fetch_ahead;
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
            out,
            ..
        } = self.0;
        let blocks = input.len() / L::GROUPS;
        let row_bytes = blocks * L::FORMAT.block_bytes();
        assert_eq!(bytes.len(), out.len() * row_bytes, "rows fill the bytes");
        if I::IN_PLACE && L::IN_PLACE {
            let rows = InPlace::<L> {
                bytes,
                row_bytes,
                format: PhantomData,
            };
            return rows.multiply(isa, input, out);
        }
        let bias = bias::<I, Of<L>>();
        let count = out.len();
        let run = count.div_ceil(16);
        for step in 0..run {
            let mut rows: [&[L::Block]; 16] = [&[]; 16];
            for (lane, row) in rows.iter_mut().enumerate() {
                let index = (lane * run + step).min(count - 1);
                *row = L::blocks(&bytes[index * row_bytes..][..row_bytes]);
            }
            let mut y = isa.splat(0.0);
            for (index, groups) in input.chunks_exact(L::GROUPS).enumerate() {
                fetch_ahead(&rows, index);
                L::unpack(
                    isa,
                    blocks_at(&rows, index),
                    #[inline(always)]
                    |group, panel: Panel<I>| {
                        let x = &groups[group];
                        let ints = ints::<I, Of<L>>(isa, bias, &panel.quants, x);
                        y = add_group::<I, Of<L>>(isa, y, ints, &Factors::of(&panel), x);
                    },
                );
            }
            let mut lanes = [0.0; 16];
            isa.store(y, &mut lanes);
            for (out, value) in out.iter_mut().skip(step).step_by(run).zip(lanes) {
                *out = value;
            }
        }
    }
}

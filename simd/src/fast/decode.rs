//! One token: rows are read in the file's own layout, 16 at a time, and used at once.

use super::sum::{Factors, Of, Rule, add_group, bias, dot, four, start};
use crate::input::InputGroup;
use crate::prefetch::prefetch;
use crate::quant::{Layout, Panel};
use crate::{Isa, Kernel};
use std::marker::PhantomData;

/// `out[r] = row r · input`.
pub struct Decode<'a, L> {
    /// The rows' bytes, one row after another.
    pub rows: &'a [u8],
    /// Bytes that will be read after the rows, if any.
    pub ahead: &'a [u8],
    /// One token, 32 elements of a row to a group.
    pub input: &'a [InputGroup],
    /// One per row.
    pub out: &'a mut [f32],
    /// The format of the rows.
    pub format: PhantomData<L>,
}

/// The 16 rows from `first`; past the end the last one repeats.
#[inline(always)]
pub(super) fn sixteen<L: Layout>(rows: &[u8], row_bytes: usize, first: usize) -> [&[L::Block]; 16] {
    let last = rows.len() / row_bytes - 1;
    let mut sixteen: [&[L::Block]; 16] = [&[]; 16];
    for (i, row) in sixteen.iter_mut().enumerate() {
        *row = L::blocks(&rows[(first + i).min(last) * row_bytes..][..row_bytes]);
    }
    sixteen
}

/// Blocks `index` of 16 rows.
#[inline(always)]
pub(super) fn blocks_at<'a, B>(rows: &[&'a [B]; 16], index: usize) -> [&'a B; 16] {
    let mut blocks = [&rows[0][index]; 16];
    for (block, row) in blocks.iter_mut().zip(rows) {
        *block = &row[index];
    }
    blocks
}

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

impl<L: Layout> Kernel for Decode<'_, L> {
    type Output = ();

    #[inline(always)]
    fn run<I: Isa>(self, isa: I) {
        let blocks = self.input.len() / L::GROUPS;
        let row_bytes = blocks * L::FORMAT.block_bytes();
        assert_eq!(
            self.rows.len(),
            self.out.len() * row_bytes,
            "rows fill the bytes"
        );
        let bias = bias::<I, L>();
        for (panel, out) in self.out.chunks_mut(16).enumerate() {
            let rows = sixteen::<L>(self.rows, row_bytes, 16 * panel);
            // The 16 rows after these are asked for meanwhile, as much of those as is used of these.
            let ahead = match self.rows.get(16 * (panel + 1) * row_bytes..) {
                Some(rows) if !rows.is_empty() => rows,
                _ => self.ahead,
            };
            let together = 16 * L::FORMAT.block_bytes();
            let mut y = isa.splat(0.0);
            for (index, input) in self.input.chunks_exact(L::GROUPS).enumerate() {
                prefetch(
                    ahead
                        .get(index * together..(index + 1) * together)
                        .unwrap_or(&[]),
                );
                L::unpack(
                    isa,
                    blocks_at(&rows, index),
                    #[inline(always)]
                    |group, panel: Panel<I>| {
                        let x = &input[group];
                        let ints = ints::<I, Of<L>>(isa, bias, &panel.quants, x);
                        y = add_group::<I, Of<L>>(isa, y, ints, &Factors::of(&panel), x);
                    },
                );
            }
            let mut lanes = [0.0; 16];
            isa.store(y, &mut lanes);
            out.copy_from_slice(&lanes[..out.len()]);
        }
    }
}

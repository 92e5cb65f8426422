//! Many tokens: a slice of some rows is unpacked once into panels, and used for every token of the
//! batch in register tiles; running sums wait in memory for the rows' next slice.
//!
//! Two panels of a slice and the activations of a tile stay in the first cache, all the panels and
//! the batch's activations of a slice in the second, however wide a row is.

mod by_two;

use super::decode::{no_blocks, rows_of};
use super::order::Order;
use super::sum::{Kind, Rule, add_group, bias, dot, four, start};
use crate::input::InputGroup;
use crate::quant::read::blocks_at;
use crate::quant::{Factors, Layout, Panel};
use crate::{Format, Isa, Kernel, Level, with_layout};
use std::marker::PhantomData;
use std::ops::Range;

/// Groups of a slice; a multiple of every block's.
const SLICE: usize = 16;

/// Rows that are unpacked together; a multiple of 32.
const ROWS: usize = 128;

/// 16 lanes in memory, a cache line.
#[derive(Clone, Copy, Debug, Default)]
#[repr(align(64))]
struct Line([u32; 16]);

/// 16 running sums in memory, a cache line.
#[derive(Clone, Copy, Debug, Default, bytemuck::Zeroable, bytemuck::Pod)]
#[repr(C, align(64))]
struct Sums([f32; 16]);

/// Memory for unpacked panels and running sums; kept between calls, one per thread.
#[derive(Debug, Default)]
pub struct Scratch {
    panels: Vec<Line>,
    sums: Vec<Sums>,
}

/// What a [`Scratch`] holds without growing, in lines of a cache.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Room {
    panels: usize,
    sums: usize,
}

impl Room {
    /// For rows of `width` elements of `format`, and `tokens` inputs; nothing for formats of floats.
    pub fn new(format: Format, width: usize, tokens: usize) -> Self {
        let groups = (width / 32).min(SLICE);
        let stride =
            with_layout!(format, L => stride(L::HALVES, L::MIN), float => return Self::default());
        Self {
            panels: ROWS / 16 * groups * stride,
            sums: tokens.saturating_mul(ROWS / 16),
        }
    }

    /// For what either is for.
    pub fn or(self, other: Self) -> Self {
        Self {
            panels: self.panels.max(other.panels),
            sums: self.sums.max(other.sums),
        }
    }

    /// Bytes of a scratch of so much.
    pub fn bytes(self) -> usize {
        self.panels
            .saturating_add(self.sums)
            .saturating_mul(size_of::<Line>())
    }
}

impl Scratch {
    /// Memory that need not grow for what `room` is for.
    pub fn new(room: Room) -> Self {
        Self {
            panels: Vec::with_capacity(room.panels),
            sums: Vec::with_capacity(room.sums),
        }
    }

    /// Bytes that are held.
    pub fn bytes(&self) -> usize {
        (self.panels.capacity() + self.sums.capacity()) * size_of::<Line>()
    }
}

/// `emit(t, r, …) = rows r.. · input t`.
pub struct Prefill<'a> {
    /// The format of the rows, of blocks.
    pub format: Format,
    /// The rows' bytes, one row after another.
    pub rows: &'a [u8],
    /// Elements of a row.
    pub width: usize,
    /// `[tokens, width / 32]`.
    pub inputs: &'a [InputGroup],
    /// Where panels are unpacked.
    pub scratch: &'a mut Scratch,
    /// Takes the token, the first row and the values of consecutive rows.
    pub emit: &'a mut dyn FnMut(usize, usize, &[f32]),
}

impl Prefill<'_> {
    /// Runs on `level`.
    ///
    /// # Panics
    ///
    /// If the format is one of floats: [`Dense`](crate::dense::Dense) multiplies those.
    pub fn on(self, level: Level) {
        with_layout!(
            self.format,
            L => self.blocks::<L>(level),
            float => no_blocks(self.format)
        );
    }

    fn blocks<L: Layout>(self, level: Level) {
        let groups = self.width / 32;
        let row_bytes = groups / L::GROUPS * L::FORMAT.block_bytes();
        let rows = self.rows.len() / row_bytes;
        let tokens = self.inputs.len() / groups;
        let Scratch { panels, sums } = self.scratch;
        for first_row in (0..rows).step_by(ROWS) {
            let used = (rows - first_row).min(ROWS);
            let across = used.div_ceil(16).next_multiple_of(2);
            sums.clear();
            sums.resize(tokens * across, Sums::default());
            for start in (0..groups).step_by(SLICE) {
                let slice = start..groups.min(start + SLICE);
                let lines = slice.len() * stride(L::HALVES, L::MIN);
                panels.resize(panels.len().max(across * lines), Line::default());
                let panels = &mut panels[..across * lines];
                level.run(Unpack::<L> {
                    rows: self.rows,
                    row_bytes,
                    first_row,
                    slice: slice.clone(),
                    lines,
                    panels,
                    format: PhantomData,
                });
                let multiply = Multiply {
                    panels,
                    inputs: self.inputs,
                    groups,
                    slice,
                    sums,
                    across,
                    rule: PhantomData,
                };
                multiply.by_rule_of::<L>(level);
            }
            for (token, sums) in sums.chunks_exact(across).enumerate() {
                (self.emit)(token, first_row, &bytemuck::cast_slice(sums)[..used]);
            }
        }
    }
}

/// Lines of one group: integers, scale, and what else the rule needs.
const fn stride(halves: bool, min: bool) -> usize {
    9 + 2 * halves as usize + min as usize + 2 * (halves && min) as usize
}

/// Writes the panel of one group.
#[inline(always)]
fn write<I: Isa, L: Layout>(isa: I, panel: &Panel<I>, lines: &mut [Line]) {
    let mut lines = lines.iter_mut();
    let mut next =
        |words| isa.store_words(words, &mut lines.next().expect("a group has its lines").0);
    for pair in 0..4 {
        let mut pair = [panel.quants[2 * pair], panel.quants[2 * pair + 1]];
        if I::BY_TWO {
            pair = isa.interleave(pair);
        }
        next(pair[0]);
        next(pair[1]);
    }
    next(isa.to_bits(panel.scale));
    if L::HALVES {
        next(isa.to_bits(panel.halves[0]));
        next(isa.to_bits(panel.halves[1]));
    }
    if L::MIN {
        next(isa.to_bits(panel.min));
    }
    if L::HALVES && L::MIN {
        next(isa.to_bits(panel.min_halves[0]));
        next(isa.to_bits(panel.min_halves[1]));
    }
}

/// Reads what [`write`] wrote after the integers.
#[inline(always)]
fn factors<I: Isa, R: Rule>(isa: I, lines: &[Line]) -> Factors<I> {
    let real = |line: usize| isa.from_bits(isa.load_words(&lines[line].0));
    let none = isa.splat(0.0);
    Factors {
        scale: real(8),
        halves: if R::HALVES {
            [real(9), real(10)]
        } else {
            [none; 2]
        },
        min: if R::MIN {
            real(if R::HALVES { 11 } else { 9 })
        } else {
            none
        },
        min_halves: if R::MIN && R::HALVES {
            [real(12), real(13)]
        } else {
            [none; 2]
        },
    }
}

/// `P` panels of 16 rows times `T` tokens, added to the running sums.
#[inline(always)]
fn tile<I: Isa, R: Rule, const P: usize, const T: usize>(
    isa: I,
    panels: &[&[Line]; P],
    inputs: &[&[InputGroup]; T],
    bias: i32,
    mut y: [[I::Reals; T]; P],
) -> [[I::Reals; T]; P] {
    let stride = const { stride(R::HALVES, R::MIN) };
    for group in 0..inputs[0].len() {
        let mut sums = [[[isa.splat_word(0); 2]; T]; P];
        for t in 0..T {
            let from = start::<I, R>(isa, bias, &inputs[t][group]);
            for sums in &mut sums {
                sums[t] = from;
            }
        }
        let lines: [&[Line]; P] = std::array::from_fn(
            #[inline(always)]
            |p| &panels[p][group * stride..][..stride],
        );
        for word in 0..8 {
            let half = if R::HALVES { word / 4 } else { 0 };
            for t in 0..T {
                let x = four(isa, &inputs[t][group], word);
                for p in 0..P {
                    let w = isa.load_words(&lines[p][word].0);
                    sums[p][t][half] = dot::<I, R>(isa, sums[p][t][half], w, x);
                }
            }
        }
        for p in 0..P {
            let w = factors::<I, R>(isa, lines[p]);
            for t in 0..T {
                y[p][t] = add_group::<I, R>(isa, y[p][t], sums[p][t], &w, &inputs[t][group]);
            }
        }
    }
    y
}

/// A batch being multiplied with a slice of one or two panels.
struct Sweep<'a> {
    /// One panel after another.
    panels: &'a [Line],
    /// `[tokens, width / 32]`.
    inputs: &'a [InputGroup],
    /// Groups of a row.
    groups: usize,
    /// The slice.
    slice: Range<usize>,
    bias: i32,
    /// The running sums of all panels, `[tokens, across]`.
    sums: &'a mut [Sums],
    across: usize,
    /// Which of `across` the first panel is.
    first: usize,
}

impl Sweep<'_> {
    /// Tokens `token .. token + T`.
    #[inline(always)]
    fn tokens<I: Isa, R: Rule, const P: usize, const T: usize>(&mut self, isa: I, token: usize) {
        let inputs: [&[InputGroup]; T] = std::array::from_fn(
            #[inline(always)]
            |t| &self.inputs[(token + t) * self.groups..][self.slice.clone()],
        );
        let lines = self.panels.len() / P;
        let panels: [&[Line]; P] = std::array::from_fn(
            #[inline(always)]
            |p| &self.panels[p * lines..][..lines],
        );
        let mut y = [[isa.splat(0.0); T]; P];
        for t in 0..T {
            let sums = &self.sums[(token + t) * self.across + self.first..][..P];
            for p in 0..P {
                y[p][t] = isa.load(&sums[p].0);
            }
        }
        let y = tile::<I, R, P, T>(isa, &panels, &inputs, self.bias, y);
        for t in 0..T {
            let sums = &mut self.sums[(token + t) * self.across + self.first..][..P];
            for p in 0..P {
                isa.store(y[p][t], &mut sums[p].0);
            }
        }
    }

    /// All tokens, the widest tiles first.
    #[inline(always)]
    fn run<I: Isa, R: Rule>(&mut self, isa: I) {
        let tokens = self.inputs.len() / self.groups;
        let mut token = 0;
        if I::WIDE {
            // Two integer sums a row leave room for four tokens in 32 registers.
            while !R::HALVES && token + 6 <= tokens {
                self.tokens::<I, R, 2, 6>(isa, token);
                token += 6;
            }
            while R::HALVES && token + 4 <= tokens {
                self.tokens::<I, R, 2, 4>(isa, token);
                token += 4;
            }
            while token + 3 <= tokens {
                self.tokens::<I, R, 2, 3>(isa, token);
                token += 3;
            }
            while token < tokens {
                self.tokens::<I, R, 2, 1>(isa, token);
                token += 1;
            }
        } else {
            while token + 3 <= tokens {
                self.tokens::<I, R, 1, 3>(isa, token);
                token += 3;
            }
            while token < tokens {
                self.tokens::<I, R, 1, 1>(isa, token);
                token += 1;
            }
        }
    }
}

/// Unpacks a slice of rows.
struct Unpack<'a, L> {
    /// The rows' bytes, one row after another.
    rows: &'a [u8],
    row_bytes: usize,
    first_row: usize,
    slice: Range<usize>,
    /// Of one panel.
    lines: usize,
    /// One panel after another.
    panels: &'a mut [Line],
    format: PhantomData<L>,
}

impl<L: Layout> Kernel for Unpack<'_, L> {
    type Output = ();

    #[inline(always)]
    fn run<I: Isa>(self, isa: I) {
        let stride = stride(L::HALVES, L::MIN);
        let neighbours = Order::Neighbours.steps(self.rows.len() / self.row_bytes);
        for (i, lines) in self.panels.chunks_exact_mut(self.lines).enumerate() {
            let step = self.first_row / 16 + i;
            let rows = rows_of::<L>(self.rows, self.row_bytes, neighbours, step);
            for (index, lines) in lines.chunks_exact_mut(L::GROUPS * stride).enumerate() {
                L::unpack(
                    isa,
                    blocks_at(&rows, self.slice.start / L::GROUPS + index),
                    #[inline(always)]
                    |group, panel: Panel<I>| {
                        write::<I, L>(isa, &panel, &mut lines[group * stride..][..stride]);
                    },
                );
            }
        }
    }
}

/// A batch being multiplied with a slice of some rows: compiled for a rule, which many formats share.
struct Multiply<'a, R> {
    /// One panel after another.
    panels: &'a [Line],
    inputs: &'a [InputGroup],
    groups: usize,
    slice: Range<usize>,
    /// `[tokens, across]`.
    sums: &'a mut [Sums],
    /// How many panels there are; even.
    across: usize,
    rule: PhantomData<R>,
}

impl<R> Multiply<'_, R> {
    /// Runs by the rule `S`.
    fn by<S: Rule>(self, level: Level) {
        level.run(Multiply::<S> {
            panels: self.panels,
            inputs: self.inputs,
            groups: self.groups,
            slice: self.slice,
            sums: self.sums,
            across: self.across,
            rule: PhantomData,
        });
    }
}

impl Multiply<'_, ()> {
    /// Runs by a format's rule.
    fn by_rule_of<L: Layout>(self, level: Level) {
        match (L::HALVES, L::MIN, L::SIGNED, L::OFFSET) {
            (false, false, true, 0) => self.by::<Kind<false, false, true, 0>>(level),
            (false, false, false, 8) => self.by::<Kind<false, false, false, 8>>(level),
            (false, false, false, 16) => self.by::<Kind<false, false, false, 16>>(level),
            (false, true, false, 0) => self.by::<Kind<false, true, false, 0>>(level),
            (true, false, true, 0) => self.by::<Kind<true, false, true, 0>>(level),
            (true, false, false, 4) => self.by::<Kind<true, false, false, 4>>(level),
            (true, false, false, 32) => self.by::<Kind<true, false, false, 32>>(level),
            (true, true, false, 0) => self.by::<Kind<true, true, false, 0>>(level),
            rule => unreachable!("{:?} has a rule of its own: {rule:?}", L::FORMAT),
        }
    }
}

impl<R: Rule> Kernel for Multiply<'_, R> {
    type Output = ();

    #[inline(always)]
    fn run<I: Isa>(self, isa: I) {
        let together = if I::WIDE { 2 } else { 1 };
        let lines = self.panels.len() / self.across;
        for first in (0..self.across).step_by(together) {
            let mut sweep = Sweep {
                panels: &self.panels[first * lines..][..together * lines],
                inputs: self.inputs,
                groups: self.groups,
                slice: self.slice.clone(),
                bias: bias::<I, R>(),
                sums: self.sums,
                across: self.across,
                first,
            };
            if I::BY_TWO {
                sweep.run_by_two::<I, R>(isa);
            } else {
                sweep.run::<I, R>(isa);
            }
        }
    }
}

//! Many tokens: 16 or 32 rows are unpacked once into panels that stay in the cache, and used for
//! every token of the batch in register tiles.

mod by_two;

use super::decode::{blocks_at, sixteen};
use super::sum::{Factors, Of, Rule, add_group, bias, dot, four, start};
use crate::input::InputGroup;
use crate::quant::{Layout, Panel};
use crate::{Isa, Kernel};
use std::marker::PhantomData;

/// 16 lanes in memory, a cache line.
#[derive(Clone, Copy, Debug, Default)]
#[repr(align(64))]
struct Line([u32; 16]);

/// Memory for unpacked panels; kept between calls, one per thread.
#[derive(Debug, Default)]
pub struct Scratch(Vec<Line>);

/// `emit(t, r, …) = rows r.. · input t`.
pub struct Prefill<'a, L, E> {
    /// The rows' bytes, one row after another.
    pub rows: &'a [u8],
    /// Elements of a row.
    pub width: usize,
    /// `[tokens, width / 32]`.
    pub inputs: &'a [InputGroup],
    /// Where panels are unpacked.
    pub scratch: &'a mut Scratch,
    /// Takes the token, the first row and the values of up to 16 consecutive rows.
    pub emit: E,
    /// The format of the rows.
    pub format: PhantomData<L>,
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

/// `P` panels of 16 rows times `T` tokens.
#[inline(always)]
fn tile<I: Isa, R: Rule, const P: usize, const T: usize>(
    isa: I,
    panels: &[&[Line]; P],
    inputs: &[&[InputGroup]; T],
    bias: i32,
) -> [[I::Reals; T]; P] {
    let stride = const { stride(R::HALVES, R::MIN) };
    let mut y = [[isa.splat(0.0); T]; P];
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

/// A batch being multiplied with the panels of up to 32 rows.
struct Sweep<'a, E> {
    panels: [&'a [Line]; 2],
    inputs: &'a [InputGroup],
    groups: usize,
    bias: i32,
    first_row: usize,
    rows: usize,
    emit: &'a mut E,
}

impl<E: FnMut(usize, usize, &[f32])> Sweep<'_, E> {
    /// Tokens `token .. token + T`.
    #[inline(always)]
    fn tokens<I: Isa, R: Rule, const P: usize, const T: usize>(&mut self, isa: I, token: usize) {
        let inputs: [&[InputGroup]; T] = std::array::from_fn(
            #[inline(always)]
            |t| &self.inputs[(token + t) * self.groups..][..self.groups],
        );
        let panels: [&[Line]; P] = std::array::from_fn(
            #[inline(always)]
            |p| self.panels[p],
        );
        let y = tile::<I, R, P, T>(isa, &panels, &inputs, self.bias);
        for (p, y) in y.into_iter().enumerate() {
            let used = self.rows.saturating_sub(16 * p).min(16);
            if used == 0 {
                break;
            }
            for (t, y) in y.into_iter().enumerate() {
                let mut lanes = [0.0; 16];
                isa.store(y, &mut lanes);
                (self.emit)(token + t, self.first_row + 16 * p, &lanes[..used]);
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

impl<L: Layout, E: FnMut(usize, usize, &[f32])> Prefill<'_, L, E> {
    /// Unpacks the 16 rows from `first` into `lines`.
    #[inline(always)]
    fn unpack<I: Isa>(isa: I, rows: &[u8], row_bytes: usize, first: usize, lines: &mut [Line]) {
        let stride = stride(L::HALVES, L::MIN);
        let rows = sixteen::<L>(rows, row_bytes, first);
        for (index, lines) in lines.chunks_exact_mut(L::GROUPS * stride).enumerate() {
            L::unpack(
                isa,
                blocks_at(&rows, index),
                #[inline(always)]
                |group, panel: Panel<I>| {
                    write::<I, L>(isa, &panel, &mut lines[group * stride..][..stride]);
                },
            );
        }
    }
}

impl<L: Layout, E: FnMut(usize, usize, &[f32])> Kernel for Prefill<'_, L, E> {
    type Output = ();

    #[inline(always)]
    fn run<I: Isa>(mut self, isa: I) {
        let groups = self.width / 32;
        let row_bytes = groups / L::GROUPS * L::FORMAT.block_bytes();
        let rows = self.rows.len() / row_bytes;
        let lines = groups * stride(L::HALVES, L::MIN);
        self.scratch
            .0
            .resize(self.scratch.0.len().max(2 * lines), Line::default());
        let together = if I::WIDE { 32 } else { 16 };
        for first_row in (0..rows).step_by(together) {
            let (first, second) = self.scratch.0[..2 * lines].split_at_mut(lines);
            Self::unpack(isa, self.rows, row_bytes, first_row, first);
            if I::WIDE {
                Self::unpack(isa, self.rows, row_bytes, first_row + 16, second);
            }
            let mut sweep = Sweep {
                panels: [first, second],
                inputs: self.inputs,
                groups,
                bias: bias::<I, L>(),
                first_row,
                rows: (rows - first_row).min(together),
                emit: &mut self.emit,
            };
            if I::BY_TWO {
                sweep.run_by_two::<I, Of<L>>(isa);
            } else {
                sweep.run::<I, Of<L>>(isa);
            }
        }
    }
}

//! Weights times activations in the tiers `f32` and `audit`, and for weights that are floats.
//!
//! A dot product keeps 16 running sums (element `k` goes to sum `k mod 16`), folded 8 + 8, 4 + 4,
//! 2 + 2, 1 + 1. Short rows are padded with zeros. Weights are decoded a few rows at a
//! time and used for every token of the batch.

use crate::prefetch::Ahead;
use crate::quant::Layout;
use crate::{Format, Isa, Kernel, Level, Real, with_layout};

/// Decodes a whole row: exactly in `f64`; in `f32` with one rounding where a product needs more than 24 bits.
pub struct Dequantise<'a, R> {
    /// The format of the row.
    pub format: Format,
    /// The row's bytes.
    pub row: &'a [u8],
    /// As many values as the row has.
    pub out: &'a mut [R],
}

impl<R: Real> Dequantise<'_, R> {
    /// Runs on `level`.
    pub fn on(self, level: Level) {
        R::dequantise(level, self);
    }
}

impl<R: Real> Kernel for Dequantise<'_, R> {
    type Output = ();

    #[inline(always)]
    fn run<I: Isa>(self, isa: I) {
        match self.format {
            Format::F32 => floats(
                self.row.as_chunks::<64>(),
                self.out,
                #[inline(always)]
                |b| isa.load_floats(b),
                isa,
            ),
            Format::F16 => floats(
                self.row.as_chunks::<32>(),
                self.out,
                #[inline(always)]
                |b| isa.load_halves(b),
                isa,
            ),
            Format::BF16 => floats(
                self.row.as_chunks::<32>(),
                self.out,
                #[inline(always)]
                |b| isa.load_bf16(b),
                isa,
            ),
            _ => isa.outline(Blocks(self)),
        }
    }
}

/// The same for a format of blocks.
struct Blocks<'a, R>(Dequantise<'a, R>);

impl<R: Real> Kernel for Blocks<'_, R> {
    type Output = ();

    #[inline(always)]
    fn run<I: Isa>(self, _: I) {
        let Dequantise { format, row, out } = self.0;
        with_layout!(format, L => blocks::<L, R>(row, out), float => ());
    }
}

/// Decodes 16 floats at a time, a short rest from a padded copy.
#[inline(always)]
fn floats<I: Isa, R: Real, const N: usize>(
    (chunks, rest): (&[[u8; N]], &[u8]),
    out: &mut [R],
    load: impl Fn(&[u8; N]) -> I::Reals,
    isa: I,
) {
    let (whole, tail) = out.as_chunks_mut::<16>();
    for (chunk, out) in chunks.iter().zip(whole) {
        R::store(isa, R::widen(isa, load(chunk)), out);
    }
    let mut padded = [0; N];
    padded[..rest.len()].copy_from_slice(rest);
    let mut lanes = [R::default(); 16];
    R::store(isa, R::widen(isa, load(&padded)), &mut lanes);
    tail.copy_from_slice(&lanes[..tail.len()]);
}

/// Decodes group by group.
#[inline(always)]
fn blocks<L: Layout, R: Real>(row: &[u8], out: &mut [R]) {
    let groups = out.as_chunks_mut::<32>().0;
    for (block, groups) in L::blocks(row).iter().zip(groups.chunks_mut(L::GROUPS)) {
        for (index, out) in groups.iter_mut().enumerate() {
            *out = L::group(block.as_ref(), index).values();
        }
    }
}

/// Memory for decoded rows; kept between calls, one per thread.
#[derive(Debug, Default)]
pub struct DenseScratch<R> {
    rows: Vec<[R; 16]>,
    inputs: Vec<[R; 16]>,
}

/// What a [`DenseScratch`] holds without growing, in 16 elements.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DenseRoom {
    rows: usize,
    inputs: usize,
}

impl DenseRoom {
    /// For rows of `width` elements and `tokens` inputs.
    pub fn new(width: usize, tokens: usize) -> Self {
        let blocks = width.div_ceil(16);
        Self {
            rows: TOGETHER * blocks,
            inputs: if width.is_multiple_of(16) {
                0
            } else {
                tokens.saturating_mul(blocks)
            },
        }
    }

    /// For what either is for.
    pub fn or(self, other: Self) -> Self {
        Self {
            rows: self.rows.max(other.rows),
            inputs: self.inputs.max(other.inputs),
        }
    }

    /// Bytes of a scratch of so much.
    pub fn bytes<R>(self) -> usize {
        self.rows
            .saturating_add(self.inputs)
            .saturating_mul(size_of::<[R; 16]>())
    }
}

impl<R> DenseScratch<R> {
    /// Memory that need not grow for what `room` is for.
    pub fn new(room: DenseRoom) -> Self {
        Self {
            rows: Vec::with_capacity(room.rows),
            inputs: Vec::with_capacity(room.inputs),
        }
    }

    /// Bytes that are held.
    pub fn bytes(&self) -> usize {
        (self.rows.capacity() + self.inputs.capacity()) * size_of::<[R; 16]>()
    }
}

/// `emit(t, r, …) = rows r.. · input t`.
pub struct Dense<'a, R> {
    /// The format of the rows.
    pub format: Format,
    /// The rows' bytes, one row after another.
    pub rows: &'a [u8],
    /// Elements of a row.
    pub width: usize,
    /// `[tokens, width]`.
    pub inputs: &'a [R],
    /// Where rows are decoded.
    pub scratch: &'a mut DenseScratch<R>,
    /// Takes the token, the first row and the values of consecutive rows.
    pub emit: &'a mut dyn FnMut(usize, usize, &[R]),
}

/// `N` rows times `T` tokens.
#[inline(always)]
fn tile<I: Isa, R: Real, const N: usize, const T: usize>(
    isa: I,
    rows: &[&[[R; 16]]; N],
    inputs: &[&[[R; 16]]; T],
) -> [[R; N]; T] {
    let mut sums = [[R::default().splat(isa); N]; T];
    for k in 0..rows[0].len() {
        let mut w = [R::default().splat(isa); N];
        for r in 0..N {
            w[r] = R::load(isa, &rows[r][k]);
        }
        for t in 0..T {
            let x = R::load(isa, &inputs[t][k]);
            for r in 0..N {
                sums[t][r] = R::add_lanes(isa, sums[t][r], R::mul_lanes(isa, w[r], x));
            }
        }
    }
    let mut out = [[R::default(); N]; T];
    for t in 0..T {
        for r in 0..N {
            out[t][r] = R::sum(isa, sums[t][r]);
        }
    }
    out
}

/// Rows given together to a tile.
const TOGETHER: usize = 4;

impl<R: Real> Dense<'_, R> {
    /// Runs on `level`.
    pub fn on(self, level: Level) {
        R::dense(level, self);
    }

    /// Tokens `token .. token + T` times the decoded rows.
    #[inline(always)]
    fn tokens<I: Isa, const T: usize>(
        &mut self,
        isa: I,
        token: usize,
        first_row: usize,
        used: usize,
    ) {
        let blocks = self.width.div_ceil(16);
        let mut rows: [&[[R; 16]]; TOGETHER] = [&[]; TOGETHER];
        for (row, blocks) in rows.iter_mut().zip(self.scratch.rows.chunks_exact(blocks)) {
            *row = blocks;
        }
        let mut inputs: [&[[R; 16]]; T] = [&[]; T];
        for (t, input) in inputs.iter_mut().enumerate() {
            *input = if self.width.is_multiple_of(16) {
                &self.inputs[(token + t) * self.width..][..self.width]
                    .as_chunks()
                    .0[..blocks]
            } else {
                &self.scratch.inputs[(token + t) * blocks..][..blocks]
            };
        }
        for (t, values) in tile::<I, R, TOGETHER, T>(isa, &rows, &inputs)
            .iter()
            .enumerate()
        {
            (self.emit)(token + t, first_row, &values[..used]);
        }
    }
}

/// Rows of floats that one token is multiplied with together, each of which goes on in rows of its own.
const STREAMS: usize = 4;

/// How far ahead of its use a stream's bytes are asked for.
const AHEAD: usize = 1024;

impl<R: Real> Dense<'_, R> {
    /// One token times rows of floats, each loaded where it is used.
    ///
    /// The rows are taken in long streams: neighbours as wide as a page would share their places in the cache.
    #[inline(always)]
    fn stream<I: Isa, const N: usize>(&mut self, isa: I, load: impl Fn(&[u8; N]) -> I::Reals) {
        let (items, input) = (self.width / 16, self.inputs.as_chunks::<16>().0);
        let all = self.rows.as_chunks::<N>().0;
        let count = all.len() / items;
        let run = count.div_ceil(STREAMS);
        for step in 0..run {
            let mut rows: [&[[u8; N]]; STREAMS] = [&[]; STREAMS];
            for (stream, row) in rows.iter_mut().enumerate() {
                let index = (stream * run + step).min(count - 1);
                *row = &all[index * items..][..items];
            }
            let mut ahead = rows.map(
                #[inline(always)]
                |row| Ahead::behind(row.as_ptr().cast(), AHEAD),
            );
            let mut sums = [R::default().splat(isa); STREAMS];
            for (k, x) in input.iter().enumerate() {
                let x = R::load(isa, x);
                for stream in 0..STREAMS {
                    ahead[stream].ask(N);
                    let w = R::widen(isa, load(&rows[stream][k]));
                    sums[stream] = R::add_lanes(isa, sums[stream], R::mul_lanes(isa, w, x));
                }
            }
            for (row, sum) in (step..count).step_by(run).zip(sums) {
                (self.emit)(0, row, &[R::sum(isa, sum)]);
            }
        }
    }
}

impl<R: Real> Kernel for Dense<'_, R> {
    type Output = ();

    #[inline(always)]
    fn run<I: Isa>(mut self, isa: I) {
        if self.inputs.len() == self.width && self.width.is_multiple_of(16) {
            match self.format {
                Format::F32 => {
                    return self.stream(
                        isa,
                        #[inline(always)]
                        |b| isa.load_floats(b),
                    );
                }
                Format::F16 => {
                    return self.stream(
                        isa,
                        #[inline(always)]
                        |b| isa.load_halves(b),
                    );
                }
                Format::BF16 => {
                    return self.stream(
                        isa,
                        #[inline(always)]
                        |b| isa.load_bf16(b),
                    );
                }
                _ => {}
            }
        }
        let row_bytes = self.width / self.format.block_len() * self.format.block_bytes();
        let (rows, tokens) = (self.rows.len() / row_bytes, self.inputs.len() / self.width);
        let blocks = self.width.div_ceil(16);
        self.scratch.rows.clear();
        self.scratch
            .rows
            .resize(TOGETHER * blocks, [R::default(); 16]);
        if !self.width.is_multiple_of(16) {
            self.scratch.inputs.clear();
            self.scratch
                .inputs
                .resize(tokens * blocks, [R::default(); 16]);
            for (input, padded) in self
                .inputs
                .chunks_exact(self.width)
                .zip(self.scratch.inputs.chunks_exact_mut(blocks))
            {
                padded.as_flattened_mut()[..self.width].copy_from_slice(input);
            }
        }
        for first in (0..rows).step_by(TOGETHER) {
            let used = (rows - first).min(TOGETHER);
            for (row, out) in self
                .scratch
                .rows
                .chunks_exact_mut(blocks)
                .take(used)
                .enumerate()
            {
                let row = &self.rows[(first + row) * row_bytes..][..row_bytes];
                let out = &mut out.as_flattened_mut()[..self.width];
                Dequantise {
                    format: self.format,
                    row,
                    out,
                }
                .run(isa);
            }
            let mut token = 0;
            while I::WIDE && R::TILE == 4 && token + 4 <= tokens {
                self.tokens::<I, 4>(isa, token, first, used);
                token += 4;
            }
            while I::WIDE && R::TILE == 2 && token + 2 <= tokens {
                self.tokens::<I, 2>(isa, token, first, used);
                token += 2;
            }
            while token < tokens {
                self.tokens::<I, 1>(isa, token, first, used);
                token += 1;
            }
        }
    }
}

//! What every block format is read as.

use crate::input::InputGroup;
use crate::{Format, Isa, Kernel, Real};

/// 32 consecutive weights of a row.
///
/// `weight[i] = scale · (halves[i / 16] · quants[i]) − min · min_halves[i / 16]`
///
/// `halves` are 1 in formats that have one scale per 32, `min` is 0 in formats without a minimum.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Group {
    /// The integers.
    pub quants: [i8; 32],
    /// The scale of all 32.
    pub scale: f32,
    /// What the scale is multiplied with, per 16 weights.
    pub halves: [f32; 2],
    /// What is subtracted from all 32.
    pub min: f32,
    /// What the minimum is multiplied with, per 16 weights.
    pub min_halves: [f32; 2],
}

impl Group {
    /// A group with one scale and no minimum.
    pub fn plain(quants: [i8; 32], scale: f32) -> Self {
        Self {
            quants,
            scale,
            halves: [1.0; 2],
            min: 0.0,
            min_halves: [1.0; 2],
        }
    }

    /// The weights: exact in `f64`, in `f32` rounded once where the product is not exact.
    #[inline(always)]
    pub fn values<R: Real>(&self) -> [R; 32] {
        let (scale, min) = (R::exactly(self.scale), R::exactly(self.min));
        let halves = self.halves.map(R::exactly);
        let mins = self.min_halves.map(|half| min * R::exactly(half));
        let mut values = [R::default(); 32];
        for (i, value) in values.iter_mut().enumerate() {
            *value = scale * (halves[i / 16] * R::exactly(f32::from(self.quants[i])));
            if self.min != 0.0 {
                *value = *value - mins[i / 16];
            }
        }
        values
    }
}

/// One group of 16 rows, rows in the lanes.
pub struct Panel<I: Isa> {
    /// Byte `b` of word `w` is weight `4 w + b`: unsigned and raised by [`Layout::OFFSET`], or from
    /// [`Isa::signed_operand`] if [`Layout::SIGNED`].
    pub quants: [I::Words; 8],
    /// [`Group::scale`].
    pub scale: I::Reals,
    /// [`Group::halves`]; unused unless [`Layout::HALVES`].
    pub halves: [I::Reals; 2],
    /// [`Group::min`]; unused unless [`Layout::MIN`].
    pub min: I::Reals,
    /// [`Group::min_halves`]; unused unless [`Layout::HALVES`] and [`Layout::MIN`].
    pub min_halves: [I::Reals; 2],
}

impl<I: Isa> Panel<I> {
    /// A panel with one scale per row and no minimum.
    #[inline(always)]
    pub(crate) fn plain(isa: I, quants: [I::Words; 8], scale: I::Reals) -> Self {
        Self {
            quants,
            scale,
            halves: [isa.splat(1.0); 2],
            min: isa.splat(0.0),
            min_halves: [isa.splat(1.0); 2],
        }
    }
}

/// Scales and minima of a [`Panel`], without its integers.
#[derive(Clone, Copy)]
pub struct Factors<I: Isa> {
    /// [`Panel::scale`].
    pub scale: I::Reals,
    /// [`Panel::halves`].
    pub halves: [I::Reals; 2],
    /// [`Panel::min`].
    pub min: I::Reals,
    /// [`Panel::min_halves`].
    pub min_halves: [I::Reals; 2],
}

impl<I: Isa> Factors<I> {
    /// Those of a panel.
    #[inline(always)]
    pub(crate) fn of(panel: &Panel<I>) -> Self {
        Self {
            scale: panel.scale,
            halves: panel.halves,
            min: panel.min,
            min_halves: panel.min_halves,
        }
    }

    /// One scale per row and no minimum.
    #[inline(always)]
    pub(crate) fn plain(isa: I, scale: I::Reals) -> Self {
        Self {
            scale,
            halves: [isa.splat(1.0); 2],
            min: isa.splat(0.0),
            min_halves: [isa.splat(1.0); 2],
        }
    }
}

/// A block format.
pub trait Layout: Copy + 'static {
    /// The format's name and sizes.
    const FORMAT: Format;
    /// Groups of 32 in a block.
    const GROUPS: usize;
    /// Whether [`Group::halves`] are in use.
    const HALVES: bool = false;
    /// Whether [`Group::min`] is in use.
    const MIN: bool = false;
    /// Whether the bytes of a [`Panel`] are signed.
    const SIGNED: bool = true;
    /// By how much the unsigned bytes of a [`Panel`] are raised; at most 32.
    const OFFSET: i32 = 0;

    /// Whether rows can be multiplied as they lie, by [`Layout::fold`] and [`Layout::join`].
    const IN_PLACE: bool = false;

    /// The bytes of a block.
    type Block: AsRef<[u8]> + Send + Sync + 'static;

    /// The whole blocks of a row.
    fn blocks(row: &[u8]) -> &[Self::Block];

    /// Group `index` of a block of exactly `Self::FORMAT.block_bytes()` bytes.
    fn group(block: &[u8], index: usize) -> Group;

    /// Calls `visit` with each group of one block of 16 rows, in order.
    ///
    /// This body goes through [`Layout::group`] for every row; formats in common use replace it by
    /// one that works on 16 rows at a time.
    #[inline(always)]
    fn unpack<I: Isa>(isa: I, rows: [&Self::Block; 16], mut visit: impl FnMut(usize, Panel<I>)) {
        for index in 0..Self::GROUPS {
            visit(index, gather::<I, Self>(isa, rows, index));
        }
    }

    /// The products of a block of four rows with `x`, its activations, as [`Isa::fold`] leaves them: four rows in the lanes of every quarter.
    /// [`Layout::join`] knows what each vector holds. Zeros unless [`Layout::IN_PLACE`].
    #[inline(always)]
    fn fold<I: Isa>(isa: I, rows: [&Self::Block; 4], x: &[InputGroup]) -> [I::Words; 4] {
        let _ = (rows, x);
        [isa.splat_word(0); 4]
    }

    /// Calls `visit` with each group of one block of 16 rows, in order: the exact sums of its products, and its factors.
    ///
    /// What [`Layout::unpack`] and products in rows' lanes give; `folded[f]` is of rows `4 f .. 4 f + 4`. With one scale
    /// per 32 only the first of two sums is in use. Does nothing unless [`Layout::IN_PLACE`].
    #[inline(always)]
    fn join<I: Isa>(
        isa: I,
        rows: [&Self::Block; 16],
        folded: [[I::Words; 4]; 4],
        visit: impl FnMut(usize, [I::Words; 2], Factors<I>),
    ) {
        let _ = (isa, rows, folded, visit);
    }
}

/// The groups of 16 rows as a panel of signed bytes.
#[inline(always)]
fn gather<I: Isa, L: Layout>(isa: I, rows: [&L::Block; 16], index: usize) -> Panel<I> {
    let mut lanes = Lanes::default();
    isa.outline(Gather::<L> {
        rows,
        index,
        lanes: &mut lanes,
    });
    let mut quants = [isa.splat_word(0); 8];
    for (quants, words) in quants.iter_mut().zip(&lanes.quants) {
        *quants = isa.signed_operand(isa.load_words(words));
    }
    let [a, b] = &lanes.halves;
    let [c, d] = &lanes.min_halves;
    Panel {
        quants,
        scale: isa.load(&lanes.scale),
        halves: [isa.load(a), isa.load(b)],
        min: isa.load(&lanes.min),
        min_halves: [isa.load(c), isa.load(d)],
    }
}

/// The groups of 16 rows, rows side by side.
#[derive(Default)]
struct Lanes {
    quants: [[u32; 16]; 8],
    scale: [f32; 16],
    halves: [[f32; 16]; 2],
    min: [f32; 16],
    min_halves: [[f32; 16]; 2],
}

/// Reads group `index` of a block of 16 rows.
struct Gather<'a, L: Layout> {
    rows: [&'a L::Block; 16],
    index: usize,
    lanes: &'a mut Lanes,
}

impl<L: Layout> Kernel for Gather<'_, L> {
    type Output = ();

    #[inline(always)]
    fn run<I: Isa>(self, _: I) {
        let Self { rows, index, lanes } = self;
        for (lane, row) in rows.into_iter().enumerate() {
            let group = L::group(row.as_ref(), index);
            for (words, bytes) in lanes.quants.iter_mut().zip(group.quants.as_chunks().0) {
                words[lane] = u32::from_le_bytes(bytes.map(i8::cast_unsigned));
            }
            lanes.scale[lane] = group.scale;
            lanes.min[lane] = group.min;
            for half in 0..2 {
                lanes.halves[half][lane] = group.halves[half];
                lanes.min_halves[half][lane] = group.min_halves[half];
            }
        }
    }
}

/// Declares the block type of a [`Layout`] of so many bytes.
macro_rules! block_of {
    ($bytes:literal) => {
        type Block = [u8; $bytes];

        #[inline(always)]
        fn blocks(row: &[u8]) -> &[[u8; $bytes]] {
            row.as_chunks().0
        }
    };
}
pub(crate) use block_of;

//! One step of the running sum.

use crate::Isa;
use crate::input::InputGroup;
use crate::quant::{Factors, Layout};
use std::marker::PhantomData;

/// What the arithmetic needs to know of a format.
pub(super) trait Rule: Copy {
    const HALVES: bool;
    const MIN: bool;
    const SIGNED: bool;
    const OFFSET: i32;
}

/// The rule of a format.
#[derive(Clone, Copy)]
pub(super) struct Of<L>(PhantomData<L>);

impl<L: Layout> Rule for Of<L> {
    const HALVES: bool = L::HALVES;
    const MIN: bool = L::MIN;
    const SIGNED: bool = L::SIGNED;
    const OFFSET: i32 = L::OFFSET;
}

/// A rule that formats may share.
#[derive(Clone, Copy)]
pub(super) struct Kind<const HALVES: bool, const MIN: bool, const SIGNED: bool, const OFFSET: i32>;

impl<const HALVES: bool, const MIN: bool, const SIGNED: bool, const OFFSET: i32> Rule
    for Kind<HALVES, MIN, SIGNED, OFFSET>
{
    const HALVES: bool = HALVES;
    const MIN: bool = MIN;
    const SIGNED: bool = SIGNED;
    const OFFSET: i32 = OFFSET;
}

/// By how much the bytes of a panel are raised.
#[inline(always)]
pub(super) fn bias<I: Isa, R: Rule>() -> i32 {
    if R::SIGNED { I::SIGNED_BIAS } else { R::OFFSET }
}

/// `sum + Σ w · x` over the bytes of each lane.
#[inline(always)]
pub(super) fn dot<I: Isa, R: Rule>(isa: I, sum: I::Words, w: I::Words, x: I::Words) -> I::Words {
    if R::SIGNED {
        isa.dot_signed(sum, w, x)
    } else {
        isa.dot_unsigned(sum, w, x)
    }
}

/// [`dot`] of eight bytes a row and of two tokens; `sums` and `w` are interleaved.
#[inline(always)]
pub(super) fn dot_by_two<I: Isa, R: Rule>(
    isa: I,
    sums: [I::Words; 2],
    w: [I::Words; 2],
    x: [&[i8; 8]; 2],
) -> [I::Words; 2] {
    if R::SIGNED {
        isa.dot_signed_by_two(sums, w, x)
    } else {
        isa.dot_unsigned_by_two(sums, w, x)
    }
}

/// The integer sums to start from: what the bias adds, taken away.
///
/// With one scale per 32 only the first of the two is in use.
#[inline(always)]
pub(super) fn start<I: Isa, R: Rule>(isa: I, bias: i32, x: &InputGroup) -> [I::Words; 2] {
    let from = |sum: i32| isa.splat_word((-bias * sum).cast_unsigned());
    if R::HALVES {
        [from(x.sums[0]), from(x.sums[1])]
    } else {
        [from(x.sums[0] + x.sums[1]), isa.splat_word(0)]
    }
}

/// Four activations in every lane.
#[inline(always)]
pub(super) fn four<I: Isa>(isa: I, x: &InputGroup, word: usize) -> I::Words {
    isa.splat_word(u32::from_le_bytes({
        let [a, b, c, d] = x.quants.as_chunks::<4>().0[word];
        [a as u8, b as u8, c as u8, d as u8]
    }))
}

/// The running sums after one more group, whose exact integer sums are `ints`.
#[inline(always)]
pub(super) fn add_group<I: Isa, R: Rule>(
    isa: I,
    y: I::Reals,
    ints: [I::Words; 2],
    w: &Factors<I>,
    x: &InputGroup,
) -> I::Reals {
    let a = isa.splat(x.scale);
    let total = if R::HALVES {
        let [first, second] = [isa.to_reals(ints[0]), isa.to_reals(ints[1])];
        isa.add(isa.mul(first, w.halves[0]), isa.mul(second, w.halves[1]))
    } else {
        isa.to_reals(ints[0])
    };
    let y = isa.add(y, isa.mul(isa.mul(total, w.scale), a));
    if R::MIN && R::HALVES {
        let [first, second] = [isa.splat(x.sums[0] as f32), isa.splat(x.sums[1] as f32)];
        let mins = isa.add(
            isa.mul(first, w.min_halves[0]),
            isa.mul(second, w.min_halves[1]),
        );
        isa.sub(y, isa.mul(isa.mul(mins, w.min), a))
    } else if R::MIN {
        isa.sub(y, isa.mul(w.min, isa.splat(x.scaled_sum)))
    } else {
        y
    }
}

//! Products with rows as they lie, four rows and 64 bytes at a time.

use crate::Isa;
use crate::input::InputGroup;

/// The quantised activations of two groups, one in lanes 0 to 7 and one in lanes 8 to 15.
#[inline(always)]
pub(super) fn two<I: Isa>(isa: I, a: &InputGroup, b: &InputGroup) -> I::Words {
    isa.load_two([bytemuck::cast_ref(&a.quants), bytemuck::cast_ref(&b.quants)])
}

/// `−OFFSET · Σ x` over the four bytes of every lane: what weights that are raised by so much begin with.
#[inline(always)]
pub(super) fn lowered<I: Isa, const OFFSET: u32>(isa: I, x: I::Words) -> I::Words {
    let zero = isa.splat_word(0);
    let raised = isa.dot_unsigned(zero, isa.splat_word(OFFSET * 0x0101_0101), x);
    isa.sub_words(zero, raised)
}

/// The 64 bytes of a block from `at`.
#[inline(always)]
pub(super) fn sixty_four<I: Isa>(isa: I, block: &[u8], at: usize) -> I::Words {
    let bytes = block[at..]
        .first_chunk()
        .expect("a block holds 64 bytes from here");
    isa.to_bits(isa.load_floats(bytes))
}

/// The 32 bytes of a block from `at`, twice.
#[inline(always)]
pub(super) fn twice<I: Isa>(isa: I, block: &[u8], at: usize) -> I::Words {
    let bytes = block[at..]
        .first_chunk()
        .expect("a block holds 32 bytes from here");
    isa.load_two([bytes; 2])
}

/// The folded products of two operands of each of four rows, `bytes(row)`, with `x`, from `from` on; every lane within what [`Isa::fold`] takes.
#[inline(always)]
pub(super) fn fold_two<I: Isa>(
    isa: I,
    from: [I::Words; 2],
    x: [I::Words; 2],
    bytes: impl Fn(usize) -> [I::Words; 2],
) -> [I::Words; 2] {
    let mut products = [[isa.splat_word(0); 4]; 2];
    for row in 0..4 {
        let [low, high] = bytes(row);
        products[0][row] = isa.dot_unsigned(from[0], low, x[0]);
        products[1][row] = isa.dot_unsigned(from[1], high, x[1]);
    }
    [isa.fold(products[0]), isa.fold(products[1])]
}

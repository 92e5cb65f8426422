//! Register tiles of two tokens at a time, for levels that multiply those together.
//!
//! Words of the panel lie in pairs, as [`Isa::interleave`] gives them; sums do so while a group is multiplied.

use super::{Line, Sweep, factors, stride};
use crate::Isa;
use crate::fast::sum::{Rule, add_group, dot_by_two, start};
use crate::input::InputGroup;

/// A panel of 16 rows times `N` pairs of tokens, added to the running sums.
#[inline(always)]
fn tile<I: Isa, R: Rule, const N: usize>(
    isa: I,
    panel: &[Line],
    inputs: &[[&[InputGroup]; 2]; N],
    bias: i32,
    mut y: [[I::Reals; 2]; N],
) -> [[I::Reals; 2]; N] {
    let stride = const { stride(R::HALVES, R::MIN) };
    for group in 0..inputs[0][0].len() {
        let lines = &panel[group * stride..][..stride];
        // Per pair and half of the group.
        let mut sums = [[[isa.splat_word(0); 2]; 2]; N];
        for n in 0..N {
            let a = start::<I, R>(isa, bias, &inputs[n][0][group]);
            let b = start::<I, R>(isa, bias, &inputs[n][1][group]);
            sums[n][0] = isa.interleave([a[0], b[0]]);
            sums[n][1] = isa.interleave([a[1], b[1]]);
        }
        for eight in 0..4 {
            let half = if R::HALVES { eight / 2 } else { 0 };
            let w = [
                isa.load_words(&lines[2 * eight].0),
                isa.load_words(&lines[2 * eight + 1].0),
            ];
            for n in 0..N {
                let x = [
                    &inputs[n][0][group].quants.as_chunks().0[eight],
                    &inputs[n][1][group].quants.as_chunks().0[eight],
                ];
                sums[n][half] = dot_by_two::<I, R>(isa, sums[n][half], w, x);
            }
        }
        let w = factors::<I, R>(isa, lines);
        for n in 0..N {
            let [first, second] = [isa.separate(sums[n][0]), isa.separate(sums[n][1])];
            for token in 0..2 {
                let ints = [first[token], second[token]];
                let x = &inputs[n][token][group];
                y[n][token] = add_group::<I, R>(isa, y[n][token], ints, &w, x);
            }
        }
    }
    y
}

impl Sweep<'_> {
    /// `N` pairs of tokens from `token` on; past the end the last one repeats, for nothing.
    #[inline(always)]
    fn pairs<I: Isa, R: Rule, const N: usize>(&mut self, isa: I, token: usize) {
        let tokens = self.inputs.len() / self.groups;
        let inputs: [[&[InputGroup]; 2]; N] = std::array::from_fn(
            #[inline(always)]
            |n| {
                [token + 2 * n, token + 2 * n + 1].map(
                    #[inline(always)]
                    |token| &self.inputs[token.min(tokens - 1) * self.groups..][self.slice.clone()],
                )
            },
        );
        let mut y = [[isa.splat(0.0); 2]; N];
        for (at, y) in (token..tokens).zip(y.as_flattened_mut()) {
            *y = isa.load(&self.sums[at * self.across + self.first].0);
        }
        let y = tile::<I, R, N>(isa, self.panels, &inputs, self.bias, y);
        for (at, y) in (token..tokens).zip(y.as_flattened()) {
            isa.store(*y, &mut self.sums[at * self.across + self.first].0);
        }
    }

    /// All tokens, two pairs together where 32 registers have room for their sums.
    #[inline(always)]
    pub(super) fn run_by_two<I: Isa, R: Rule>(&mut self, isa: I) {
        let tokens = self.inputs.len() / self.groups;
        let mut token = 0;
        while token < tokens {
            if !R::HALVES && token + 2 < tokens {
                self.pairs::<I, R, 2>(isa, token);
                token += 4;
            } else {
                self.pairs::<I, R, 1>(isa, token);
                token += 2;
            }
        }
    }
}

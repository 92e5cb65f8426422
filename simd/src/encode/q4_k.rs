//! `Q4_K` and `Q5_K`: eight groups of 32 with 6-bit scales and minima, two halves that scale them.
//!
//! A minimum is subtracted and its codes have no sign, so a group may not lie above zero. Where one
//! does, the block is also tried with all signs turned, which the halves' signs turn back.

use super::fit::{self, Min};
use super::lanes::{Integers, best, lanes, round_within};
use super::scaled::{Scaled, Stored};
use super::simple::ENDS;

/// The largest scale or minimum of a group.
const TOP: f32 = 63.0;

/// How often the halves are fitted again.
const ROUNDS: usize = 3;

/// What is stored of a block.
#[derive(Clone)]
struct Choice {
    scale: Stored,
    min: Stored,
    scales: [f32; 8],
    mins: [f32; 8],
    quants: [[f32; 32]; 8],
    error: f32,
}

impl Choice {
    /// A block of zeros.
    const NOTHING: Self = Self {
        scale: Stored {
            bits: 0,
            value: 0.0,
        },
        min: Stored {
            bits: 0,
            value: 0.0,
        },
        scales: [0.0; 8],
        mins: [0.0; 8],
        quants: [[0.0; 32]; 8],
        error: f32::MAX,
    };

    /// The scale and the min of group `index`, as they are read back.
    fn group(&self, index: usize) -> [f32; 2] {
        [
            self.scale.value * self.scales[index],
            self.min.value * self.mins[index],
        ]
    }
}

/// The best codes and integers of every group for given halves, near the scales and mins `wanted`.
#[inline(always)]
fn choose(
    high: f32,
    groups: &[[f32; 32]; 8],
    [scale, min]: [Stored; 2],
    wanted: &[[f32; 2]; 8],
) -> Choice {
    let integers = Integers { low: 0.0, high };
    let mut choice = Choice {
        scale,
        min,
        error: 0.0,
        ..Choice::NOTHING
    };
    for (index, (values, &[group_scale, group_min])) in groups.iter().zip(wanted).enumerate() {
        let first = round_within(code(group_scale, scale.value) - 1.5, 0.0, TOP);
        let scales = lanes(|lane| round_within(first + (lane / 4) as f32, 0.0, TOP));
        // A wider step keeps the middle of the range in place, so the min grows with it.
        let mins = lanes(|lane| {
            let wider = scales[lane] * scale.value - group_scale;
            let first = code(group_min + wider * (0.5 * high), min.value) - 1.5;
            round_within(first + (lane % 4) as f32, 0.0, TOP)
        });
        let errors = integers.errors(
            values,
            &lanes(|lane| scales[lane] * scale.value),
            &lanes(|lane| mins[lane] * min.value),
        );
        let lane = best(&errors);
        choice.scales[index] = scales[lane];
        choice.mins[index] = mins[lane];
        choice.error += errors[lane];
        let [group_scale, group_min] = choice.group(index);
        integers.quantise(values, group_scale, group_min, &mut choice.quants[index]);
    }
    choice
}

/// The best choice with halves near a scale and a min.
fn choose_near(
    high: f32,
    block: &Scaled<256>,
    groups: &[[f32; 32]; 8],
    [scale, min]: [f32; 2],
    wanted: &[[f32; 2]; 8],
) -> Choice {
    let mut found = Choice::NOTHING;
    for scale in block.scales_near(scale) {
        for min in block.scales_near(min) {
            let choice = choose(high, groups, [scale, min], wanted);
            if choice.error < found.error {
                found = choice;
            }
        }
    }
    found
}

/// `x` in units of `unit`; 0 if there is no unit.
#[inline(always)]
fn code(x: f32, unit: f32) -> f32 {
    if unit == 0.0 { 0.0 } else { x / unit }
}

/// The scale and min, as real numbers, that suit the codes and integers of a choice best.
fn refit(groups: &[[f32; 32]; 8], choice: &Choice) -> Option<[f32; 2]> {
    // x ≈ scale · a − min · b with a = group scale × integer and b = group min: normal equations.
    let [mut aa, mut ab, mut bb, mut xa, mut xb] = [0.0_f64; 5];
    for (index, values) in groups.iter().enumerate() {
        let b = f64::from(choice.mins[index]);
        let group_scale = f64::from(choice.scales[index]);
        let [mut q, mut qq, mut x_sum, mut xq] = [0.0_f32; 4];
        for (&x, &quant) in values.iter().zip(&choice.quants[index]) {
            q += quant;
            qq += quant * quant;
            x_sum += x;
            xq += x * quant;
        }
        aa += group_scale * group_scale * f64::from(qq);
        ab += group_scale * b * f64::from(q);
        bb += 32.0 * b * b;
        xa += group_scale * f64::from(xq);
        xb += b * f64::from(x_sum);
    }
    let determinant = aa * bb - ab * ab;
    if determinant > 1e-9 * aa * bb {
        let scale = (bb * xa - ab * xb) / determinant;
        let min = (ab * xa - aa * xb) / determinant;
        Some([scale as f32, min as f32])
    } else if aa > 0.0 {
        Some([(xa / aa) as f32, choice.min.value])
    } else {
        None
    }
}

/// The best found for groups of a block.
#[inline(always)]
fn search(high: f32, block: &Scaled<256>, groups: &[[f32; 32]; 8]) -> Choice {
    let integers = Integers { low: 0.0, high };
    let mut wanted = [[0.0; 2]; 8];
    for (wanted, values) in wanted.iter_mut().zip(groups) {
        let pairs = fit::pairs(high, values, Min::NotNegative, &ENDS);
        let lane = best(&integers.errors(values, &pairs.scale, &pairs.min));
        *wanted = [pairs.scale[lane], pairs.min[lane]];
    }
    let top = |i: usize| wanted.iter().fold(0.0, |top: f32, pair| top.max(pair[i]));
    let halves = [top(0) / TOP, top(1) / TOP];
    let mut found = choose_near(high, block, groups, halves, &wanted);
    for _ in 0..ROUNDS {
        let Some(halves) = refit(groups, &found) else {
            break;
        };
        let wanted = std::array::from_fn(|index| found.group(index));
        let next = choose_near(high, block, groups, halves, &wanted);
        if next.error >= found.error {
            break;
        }
        found = next;
    }
    found
}

/// The best found for a block, whatever its signs.
#[inline(always)]
fn search_both_ways(high: f32, values: &[f32]) -> Choice {
    let Some(block) = Scaled::<256>::new(values) else {
        return Choice::NOTHING;
    };
    let mut groups = [[0.0; 32]; 8];
    for (group, values) in groups.iter_mut().zip(block.values.as_chunks().0) {
        *group = *values;
    }
    let found = search(high, &block, &groups);
    if !groups.iter().any(|group| group.iter().all(|&x| x > 0.0)) {
        return found;
    }
    let turned = groups.map(|group| group.map(|x| -x));
    let mut other = search(high, &block, &turned);
    if other.error >= found.error {
        return found;
    }
    for half in [&mut other.scale, &mut other.min] {
        *half = half.negated();
    }
    other
}

/// The twelve bytes of eight 6-bit scales and eight 6-bit mins.
fn pack_codes(scales: &[f32; 8], mins: &[f32; 8]) -> [u8; 12] {
    let (scales, mins) = (scales.map(|s| s as u8), mins.map(|m| m as u8));
    std::array::from_fn(|i| match i {
        0..4 => scales[i] | scales[i + 4] >> 4 << 6,
        4..8 => mins[i - 4] | mins[i] >> 4 << 6,
        _ => scales[i - 4] & 15 | mins[i - 4] << 4,
    })
}

/// Writes what both formats begin with.
fn pack_head(choice: &Choice, out: &mut [u8]) {
    out[..2].copy_from_slice(&choice.scale.bits.to_le_bytes());
    out[2..4].copy_from_slice(&choice.min.bits.to_le_bytes());
    out[4..16].copy_from_slice(&pack_codes(&choice.scales, &choice.mins));
}

/// Writes low nibbles, two groups to 32 bytes.
fn pack_nibbles(quants: &[[u8; 32]; 8], out: &mut [u8]) {
    for (two, out) in quants
        .as_chunks::<2>()
        .0
        .iter()
        .zip(out.chunks_exact_mut(32))
    {
        for ((out, low), high) in out.iter_mut().zip(two[0]).zip(two[1]) {
            *out = low & 15 | high << 4;
        }
    }
}

/// `Q4_K`: scale, min, codes, nibbles.
pub(super) fn q4_k(values: &[f32], out: &mut [u8]) {
    let choice = search_both_ways(15.0, values);
    pack_head(&choice, out);
    pack_nibbles(
        &choice.quants.map(|group| group.map(|q| q as u8)),
        &mut out[16..],
    );
}

/// `Q5_K`: scale, min, codes, fifth bits, nibbles.
pub(super) fn q5_k(values: &[f32], out: &mut [u8]) {
    let choice = search_both_ways(31.0, values);
    let quants = choice.quants.map(|group| group.map(|q| q as u8));
    pack_head(&choice, out);
    for (i, out) in out[16..48].iter_mut().enumerate() {
        let bits = quants.iter().enumerate();
        *out = bits.fold(0, |byte, (index, group)| byte | (group[i] >> 4) << index);
    }
    pack_nibbles(&quants, &mut out[48..]);
}

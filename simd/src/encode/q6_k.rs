//! `Q6_K`: sixteen groups of 16 with signed 8-bit scales, and a half that scales them.

use super::fit;
use super::lanes::{Integers, Lanes, best, lanes, round_within};
use super::scaled::{Scaled, Stored};

/// The integers of a weight.
const INTEGERS: Integers = Integers {
    low: -32.0,
    high: 31.0,
};

/// Where the value of largest magnitude sits among the integers, in steps.
const STARTS: Lanes = [
    -33.0, -32.6, -32.3, -32.0, -31.7, -31.4, -31.0, -30.6, 29.6, 30.0, 30.4, 30.7, 31.0, 31.3,
    31.6, 32.0,
];

/// How often the half is fitted again.
const ROUNDS: usize = 3;

/// What is stored of a block.
#[derive(Clone)]
struct Choice {
    scale: Stored,
    scales: [f32; 16],
    quants: [[f32; 16]; 16],
    error: f32,
}

impl Choice {
    /// A block of zeros.
    const NOTHING: Self = Self {
        scale: Stored {
            bits: 0,
            value: 0.0,
        },
        scales: [0.0; 16],
        quants: [[0.0; 16]; 16],
        error: f32::MAX,
    };
}

/// The best codes and integers of every group for a given half, near the scales `wanted`.
#[inline(always)]
fn choose(groups: &[[f32; 16]; 16], scale: Stored, wanted: &[f32; 16]) -> Choice {
    let mut choice = Choice {
        scale,
        error: 0.0,
        ..Choice::NOTHING
    };
    for (index, (values, wanted)) in groups.iter().zip(wanted).enumerate() {
        let first = wanted / scale.value - 7.5;
        let codes = lanes(|lane| round_within(first + lane as f32, -128.0, 127.0));
        let scales = lanes(|lane| codes[lane] * scale.value);
        let errors = INTEGERS.errors(values, &scales, &[0.0; 16]);
        let lane = best(&errors);
        choice.scales[index] = codes[lane];
        choice.error += errors[lane];
        INTEGERS.quantise(values, scales[lane], 0.0, &mut choice.quants[index]);
    }
    choice
}

/// The best choice with a half near `scale`.
fn choose_near(
    block: &Scaled<256>,
    groups: &[[f32; 16]; 16],
    scale: f32,
    wanted: &[f32; 16],
) -> Choice {
    let mut found = Choice::NOTHING;
    for scale in block.scales_near(scale) {
        let choice = choose(groups, scale, wanted);
        if choice.error < found.error {
            found = choice;
        }
    }
    found
}

/// The half, as a real number, that suits the codes and integers of a choice best.
fn refit(groups: &[[f32; 16]; 16], choice: &Choice) -> Option<f32> {
    let [mut aa, mut xa] = [0.0_f64; 2];
    for (index, values) in groups.iter().enumerate() {
        let [mut qq, mut xq] = [0.0_f32; 2];
        for (&x, &quant) in values.iter().zip(&choice.quants[index]) {
            qq += quant * quant;
            xq += x * quant;
        }
        let group_scale = f64::from(choice.scales[index]);
        aa += group_scale * group_scale * f64::from(qq);
        xa += group_scale * f64::from(xq);
    }
    (aa > 0.0).then(|| (xa / aa) as f32)
}

/// The best found for a block.
#[inline(always)]
fn search(values: &[f32]) -> Choice {
    let Some(block) = Scaled::<256>::new(values) else {
        return Choice::NOTHING;
    };
    let mut groups = [[0.0; 16]; 16];
    for (group, values) in groups.iter_mut().zip(block.values.as_chunks().0) {
        *group = *values;
    }
    let wanted = groups.each_ref().map(|values| {
        let scales = fit::scales(INTEGERS, values, &STARTS);
        scales[best(&INTEGERS.errors(values, &scales, &[0.0; 16]))]
    });
    let top = wanted
        .iter()
        .fold(0.0_f32, |top, &x| if x.abs() > top.abs() { x } else { top });
    let mut found = choose_near(&block, &groups, top / -128.0, &wanted);
    for _ in 0..ROUNDS {
        let Some(scale) = refit(&groups, &found) else {
            break;
        };
        let wanted = found.scales.map(|code| code * found.scale.value);
        let next = choose_near(&block, &groups, scale, &wanted);
        if next.error >= found.error {
            break;
        }
        found = next;
    }
    found
}

/// `Q6_K`: nibbles, pairs, scales, scale.
pub(super) fn q6_k(values: &[f32], out: &mut [u8]) {
    let choice = search(values);
    let mut quants = [0; 256];
    for (quant, q) in quants.iter_mut().zip(choice.quants.as_flattened()) {
        *quant = (q + 32.0) as u8;
    }
    for (part, quants) in quants.as_chunks::<128>().0.iter().enumerate() {
        for i in 0..32 {
            let [a, b, c, d] = [0, 32, 64, 96].map(|group| quants[group + i]);
            out[64 * part + i] = a & 15 | c << 4;
            out[64 * part + 32 + i] = b & 15 | d << 4;
            out[128 + 32 * part + i] = a >> 4 | b >> 4 << 2 | c >> 4 << 4 | d >> 4 << 6;
        }
    }
    for (out, code) in out[192..208].iter_mut().zip(choice.scales) {
        *out = (code as i8).cast_unsigned();
    }
    out[208..].copy_from_slice(&choice.scale.bits.to_le_bytes());
}

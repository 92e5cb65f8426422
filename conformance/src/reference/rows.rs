//! Operations on single tokens.

use super::Site;
use crate::bound::Weights;
use fidelis_engine::graph::{Activate, Op, Pairing, Rope};
use fidelis_engine::tensor::Tensor as Weight;

/// What an operation on single tokens should give.
pub(super) fn right(site: &Site<'_, '_>) -> Option<Vec<f64>> {
    match site.op() {
        Op::Embed { table, scale, .. } => {
            let table = site.weight(*table);
            site.each(|token| {
                let row = decoded(table, site.tokens[token] as usize);
                row.iter().map(|x| x * scale).collect()
            })
        }
        Op::Norm {
            input,
            weight,
            epsilon,
            heads,
            ..
        } => {
            let (x, weight) = (site.input(*input)?, decoded(site.weight(*weight), 0));
            let epsilon = f64::from(*epsilon);
            site.each(|token| norm(x.row(token), &weight, epsilon, *heads))
        }
        Op::MatMul {
            input,
            weight,
            first,
            ..
        } => {
            let weight = site.weight(*weight);
            product(site, *input, |row| decoded(weight, first + row))
        }
        Op::Bias { input, bias, .. } => {
            let (x, bias) = (site.input(*input)?, decoded(site.weight(*bias), 0));
            site.each(|token| x.row(token).iter().zip(&bias).map(|(x, b)| x + b).collect())
        }
        Op::Rope {
            input, heads, rope, ..
        } => {
            let x = site.input(*input)?;
            let rope = &site.reference.graph.ropes[rope.0 as usize];
            site.each(|token| turn(x.row(token), *heads, rope, token as f64))
        }
        Op::Gate {
            gate, up, activate, ..
        } => {
            let (gate, up) = (site.input(*gate)?, site.input(*up)?);
            site.each(|token| {
                let pairs = gate.row(token).iter().zip(up.row(token));
                pairs.map(|(&g, u)| activated(*activate, g) * u).collect()
            })
        }
        Op::Add { a, b, .. } => {
            let (a, b) = (site.input(*a)?, site.input(*b)?);
            site.each(|token| {
                let pairs = a.row(token).iter().zip(b.row(token));
                pairs.map(|(a, b)| a + b).collect()
            })
        }
        Op::SoftCap { input, cap, .. } => {
            let (x, cap) = (site.input(*input)?, f64::from(*cap));
            site.each(|token| x.row(token).iter().map(|&x| capped(x, cap)).collect())
        }
        Op::Attend(_) => None,
    }
}

/// A row of a weight, exactly.
pub fn decoded(weight: &Weight<'_>, row: usize) -> Vec<f64> {
    Weights::decode(weight.format, weight.row(row), weight.shape.width()).values
}

/// `Σ a b`, in eight sums.
pub fn dot(a: &[f64], b: &[f64]) -> f64 {
    let (heads_a, rest_a) = a.as_chunks::<8>();
    let (heads_b, rest_b) = b.as_chunks::<8>();
    let mut sums = [0.0; 8];
    for (a, b) in heads_a.iter().zip(heads_b) {
        for lane in 0..8 {
            sums[lane] += a[lane] * b[lane];
        }
    }
    let rest: f64 = rest_a.iter().zip(rest_b).map(|(a, b)| a * b).sum();
    sums.iter().sum::<f64>() + rest
}

/// The product with a matrix whose row `j`, as wide as the input, is `row(j)`; as many rows as the node is wide.
pub fn product(
    site: &Site<'_, '_>,
    input: fidelis_engine::graph::TensorId,
    row: impl Fn(usize) -> Vec<f64>,
) -> Option<Vec<f64>> {
    let x = site.input(input)?;
    let width = site.node.width;
    let mut out = vec![0.0; width * site.rows.len()];
    for j in 0..width {
        let weights = row(j);
        for (at, token) in site.rows.clone().enumerate() {
            out[at * width + j] = dot(&weights, x.row(token));
        }
    }
    Some(out)
}

/// `x / √(mean x² + epsilon) · weight`, for each of `heads` parts.
pub fn norm(x: &[f64], weight: &[f64], epsilon: f64, heads: usize) -> Vec<f64> {
    let part = |x: &[f64]| {
        let mean = dot(x, x) / x.len() as f64;
        let root = libm::sqrt(mean + epsilon);
        let scaled: Vec<f64> = x.iter().zip(weight).map(|(x, w)| x / root * w).collect();
        scaled
    };
    x.chunks(x.len() / heads).flat_map(part).collect()
}

/// Every head turned by the angles of a position.
pub fn turn(x: &[f64], heads: usize, rope: &Rope, position: f64) -> Vec<f64> {
    turn_by(
        x,
        heads,
        rope.pairing,
        &|pair| {
            let (s, c) = libm::sincos(position * rope.frequencies[pair]);
            (c * rope.magnitude, s * rope.magnitude)
        },
        rope.frequencies.len(),
    )
}

/// Every head's pairs turned: `(a, b)` becomes `(a c − b s, a s + b c)` with `(c, s)` from `angle(pair)`.
pub fn turn_by(
    x: &[f64],
    heads: usize,
    pairing: Pairing,
    angle: &dyn Fn(usize) -> (f64, f64),
    pairs: usize,
) -> Vec<f64> {
    let mut out = x.to_vec();
    for head in out.chunks_mut(x.len() / heads) {
        for pair in 0..pairs {
            let (i, j) = match pairing {
                Pairing::Interleaved => (2 * pair, 2 * pair + 1),
                Pairing::Halves => (pair, pair + pairs),
            };
            let ((c, s), (a, b)) = (angle(pair), (head[i], head[j]));
            head[i] = a * c - b * s;
            head[j] = a * s + b * c;
        }
    }
    out
}

/// `x · σ(x)`.
pub fn silu(x: f64) -> f64 {
    x / (1.0 + libm::exp(-x))
}

/// `x/2 · (1 + tanh u)` with `u = √(2/π) (x + 0.044715 x³)`: the same as `x · σ(2 u)`, in which nothing cancels.
pub fn gelu_tanh(x: f64) -> f64 {
    let root = libm::sqrt(2.0 / std::f64::consts::PI);
    x / (1.0 + libm::exp(-2.0 * root * (x + 0.044_715 * x * x * x)))
}

/// The activation of a gate.
pub fn activated(activate: Activate, x: f64) -> f64 {
    match activate {
        Activate::Silu => silu(x),
        Activate::GeluTanh => gelu_tanh(x),
    }
}

/// `cap · tanh(x / cap)`.
pub fn capped(x: f64, cap: f64) -> f64 {
    cap * libm::tanh(x / cap)
}

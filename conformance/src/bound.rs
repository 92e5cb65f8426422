//! How far rounding can carry an operation from the exact result, derived from its inputs.
//!
//! Every bound counts the roundings of the kernel as it is written: `u = 2⁻²⁴` relative for each, half the
//! smallest denormal absolute where a product may underflow. What exceeds its bound is a fault,
//! not noise.

mod attention;

pub use attention::{Attention, Remembered};

use fidelis_simd::quant::Layout;
use fidelis_simd::{Format, Level, dense::Dequantise, with_layout};

/// The relative error of one rounding to `f32`.
pub const ROUNDING: f64 = 1.0 / (1 << 24) as f64;

/// The absolute error of one rounding of a denormal: 2⁻¹⁵⁰.
pub const UNDERFLOW: f64 = f64::from_bits((1023 - 150) << 52);

/// What terms of second order may add.
const SECOND_ORDER: f64 = 1.0 + 1e-4;

/// A row of weights as `audit` reads it.
#[derive(Clone, Debug, PartialEq)]
pub struct Weights {
    /// The weights, exactly.
    pub values: Vec<f64>,
    /// `|scale · integer| + |min|` of each: what is rounded when a weight is decoded to `f32`, and
    /// what a fast product adds and takes away. Of floats the magnitude.
    pub sizes: Vec<f64>,
    /// Roundings of decoding to `f32`: the product, and the difference where there is a minimum.
    decoding: f64,
    has_minimum: bool,
}

impl Weights {
    /// Decodes a row of `width` elements.
    ///
    /// # Panics
    ///
    /// If the bytes are not a row of that width.
    pub fn decode(format: Format, row: &[u8], width: usize) -> Self {
        let mut values = vec![0.0; width];
        Dequantise {
            format,
            row,
            out: &mut values,
        }
        .on(Level::best());
        let sizes = with_layout!(format, L => sizes::<L>(row), float => values.iter().map(|w: &f64| w.abs()).collect());
        assert_eq!(sizes.len(), width, "{format}: a row of {width}");
        Self {
            values,
            sizes,
            decoding: with_layout!(format, L => if L::MIN { 2.0 } else { 1.0 }, float => 0.0),
            has_minimum: with_layout!(format, L => L::MIN, float => false),
        }
    }
}

fn sizes<L: Layout>(row: &[u8]) -> Vec<f64> {
    let groups = L::blocks(row)
        .iter()
        .flat_map(|block| (0..L::GROUPS).map(move |index| L::group(block.as_ref(), index)));
    let size = |group: fidelis_simd::quant::Group| {
        let [scale, min] = [group.scale, group.min].map(f64::from);
        std::array::from_fn::<f64, 32, _>(|i| {
            let [half, min_half] = [group.halves[i / 16], group.min_halves[i / 16]].map(f64::from);
            (scale * half * f64::from(group.quants[i])).abs() + (min * min_half).abs()
        })
    };
    groups.flat_map(size).collect()
}

/// `Σ w x` in the tier `f32`: 16 running sums of `⌈n/16⌉` terms, folded in four steps.
///
/// A term passes its product's rounding, the additions of its sum (the first is to zero) and the four of the fold;
/// decoding a weight rounds its product, and its difference where there is a minimum.
pub fn product_f32(weights: &Weights, input: &[f64]) -> f64 {
    let pairs = || weights.values.iter().zip(&weights.sizes).zip(input);
    let steps = weights.values.len().div_ceil(16) as f64 + 4.0;
    let decoding = weights.decoding;
    let relative: f64 = pairs()
        .map(|((w, size), x)| (steps * w.abs() + decoding * size) * x.abs())
        .sum();
    let absolute: f64 = pairs().map(|(_, x)| 1.0 + 4.0 * decoding * x.abs()).sum();
    (ROUNDING * relative + UNDERFLOW * absolute) * SECOND_ORDER
}

/// `Σ w x` in the tier `fast`.
///
/// An activation moves by at most half a step `a = max |x| / 127` of its group when it becomes a byte (and by the three
/// roundings of `x · (127 / max)`, each up to 127 steps · u, and the one of `a`); the bytes are then summed, see
/// [`product_of_bytes`].
pub fn product_fast(weights: &Weights, input: &[f64]) -> f64 {
    let mut moved = 0.0;
    let mut summed = Vec::with_capacity(input.len());
    for (w, x) in weights.values.chunks(32).zip(input.chunks(32)) {
        let peak = x.iter().fold(0.0_f64, |peak, x| peak.max(x.abs()));
        let step = peak / 127.0;
        let weight: f64 = w.iter().map(|w| w.abs()).sum();
        moved += step * (0.5 + 127.0 * 4.0 * ROUNDING) * weight;
        // The bytes that are summed are at most half a step larger than the activations.
        summed.extend(x.iter().map(|x| x.abs() + step / 2.0));
    }
    moved * SECOND_ORDER + product_of_bytes(weights, &summed)
}

/// `Σ w a q` of activations that are bytes `q` times a step `a` already: what rounding alone does.
///
/// A group's exact integer meets its scale and the step (which is itself rounded); with a scale per 16 two products
/// are added first. The running sum adds one term per group, and a second one where there is a minimum.
pub fn product_of_bytes(weights: &Weights, input: &[f64]) -> f64 {
    let groups = weights.values.len().div_ceil(32) as f64;
    let terms = if weights.has_minimum { 2.0 } else { 1.0 };
    let roundings = terms * groups + 5.0;
    let pairs = || weights.sizes.iter().zip(input);
    let summed: f64 = pairs().map(|(size, x)| size * x.abs()).sum();
    let size: f64 = weights.sizes.iter().sum();
    let largest = input.iter().fold(0.0_f64, |most, x| most.max(x.abs()));
    let underflow = UNDERFLOW * (8.0 * groups + 127.0 * size + 4.0 * groups * largest);
    (ROUNDING * roundings * summed + underflow) * SECOND_ORDER
}

/// An RMS norm's element `y`, from `x`, the inverse root and a weight: three roundings.
pub fn norm(y: f64, weight: f64) -> f64 {
    (3.0 * ROUNDING * y.abs() + UNDERFLOW * (1.0 + weight.abs())) * SECOND_ORDER
}

/// An element of a turned pair, `a c ± b s`: the factors, the products and the sum are rounded.
pub fn rotation(first: f64, second: f64) -> f64 {
    (3.0 * ROUNDING * (first.abs() + second.abs()) + 2.0 * UNDERFLOW) * SECOND_ORDER
}

/// A sum, or a product with a constant that is itself exact.
pub fn rounded(y: f64) -> f64 {
    ROUNDING * y.abs() + UNDERFLOW
}

/// An element scaled by a rounded constant, decoded with up to two roundings of `size`.
pub fn scaled(y: f64, size: f64, scale: f64) -> f64 {
    let decoded = scale.abs() * (2.0 * ROUNDING * size + 4.0 * UNDERFLOW);
    (2.0 * ROUNDING * y.abs() + decoded + UNDERFLOW) * SECOND_ORDER
}

/// `silu(gate) · up`: 4 ULP of the curve and the product; below −87 the exponential is 0.
pub fn silu_gate(y: f64, gate: f64, up: f64) -> f64 {
    let lost = 1.7e-38 * (gate * up).abs();
    (9.0 * ROUNDING * y.abs() + lost + UNDERFLOW * (2.0 + up.abs())) * SECOND_ORDER
}

/// `gelu(gate) · up`: `4 + 10 |u|` ULP of the curve and the product, `u` the argument of its tangent.
pub fn gelu_gate(y: f64, gate: f64, up: f64) -> f64 {
    let argument = 0.797_884_560_802_865_4 * (gate + 0.044_715 * gate * gate * gate);
    let ulps = 4.0 + 10.0 * argument.abs();
    let lost = 1.7e-38 * (gate * up).abs();
    ((2.0 * ulps + 1.0) * ROUNDING * y.abs() + lost + UNDERFLOW * (4.0 + up.abs())) * SECOND_ORDER
}

/// `cap · tanh(x / cap)`: the quotient's rounding is not enlarged by `tanh`, which has 1 ULP; then the product.
pub fn soft_cap(y: f64, cap: f64) -> f64 {
    (4.0 * ROUNDING * y.abs() + UNDERFLOW * (2.0 + 2.0 * cap.abs())) * SECOND_ORDER
}

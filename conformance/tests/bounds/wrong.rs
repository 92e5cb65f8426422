//! Results that are wrong on purpose.

use crate::inputs::{Kind, Source, row, wide};
use fidelis_conformance::bound::{self, Weights};
use fidelis_simd::Format;

/// The bounds must find what is put in on purpose.
#[test]
fn a_wrong_result_is_beyond_its_bound() {
    let mut source = Source::new(5);
    let values = source.values(Kind::Normal, 256);
    let row = row(Format::Q4_K, &values, &mut source);
    let weights = Weights::decode(Format::Q4_K, &row, 256);
    let input = wide(&source.values(Kind::Normal, 256));
    let truth: f64 = weights.values.iter().zip(&input).map(|(w, x)| w * x).sum();
    let without_one = truth - weights.values[7] * input[7];
    assert!((truth - without_one).abs() > bound::product_f32(&weights, &input));
    assert!((truth - without_one).abs() > bound::product_of_bytes(&weights, &input));
    let pairs = weights.sizes.iter().zip(&input);
    let without_minima: f64 = pairs.map(|(size, x)| size * x).sum();
    assert!((truth - without_minima).abs() > bound::product_fast(&weights, &input));

    // The epsilon of another model, the other curve, the sine's sign, no cap.
    let off = |wrong: f64, truth: f64, bound: f64| assert!((wrong - truth).abs() > bound);
    let norm = |epsilon: f64| 0.5 / libm::sqrt(0.3 + epsilon);
    off(norm(1e-5), norm(1e-6), bound::norm(norm(1e-6), 1.0));
    let silu = 0.7 / (1.0 + libm::exp(-0.7)) * 0.3;
    let gelu = 0.35 * (1.0 + libm::tanh(0.797_884_560_802_865_4 * (0.7 + 0.044_715 * 0.343))) * 0.3;
    off(gelu, silu, bound::silu_gate(silu, 0.7, 0.3));
    off(silu, gelu, bound::gelu_gate(gelu, 0.7, 0.3));
    off(0.3 + 0.4, 0.3 - 0.4, bound::rotation(0.3, 0.4));
    let capped = 50.0 * libm::tanh(2.0 / 50.0);
    off(2.0, capped, bound::soft_cap(capped, 50.0));
}

//! Rows of weights: multiplied, and as embeddings.

use crate::inputs::{KINDS, Kind, Source, pair, row, wide};
use crate::report::Report;
use fidelis_conformance::bound::{self, Weights};
use fidelis_simd::dense::{Dense, DenseScratch, Dequantise};
use fidelis_simd::fast::{Decode, Order};
use fidelis_simd::input::{InputGroup, Quantise};
use fidelis_simd::quant::Layout;
use fidelis_simd::{Format, Level, Real, with_layout};

fn product<R: Real>(format: Format, row: &[u8], input: &[R]) -> R {
    let mut result = R::default();
    Dense {
        format,
        rows: row,
        width: input.len(),
        inputs: input,
        scratch: &mut DenseScratch::default(),
        emit: &mut |_, _, values: &[R]| result = values[0],
    }
    .on(Level::best());
    result
}

fn fast<L: Layout>(row: &[u8], input: &[f32]) -> f32 {
    let mut groups = vec![InputGroup::default(); input.len() / 32];
    let level = Level::best();
    level
        .run(Quantise {
            values: input,
            groups: &mut groups,
        })
        .expect("finite");
    let mut out = [0.0];
    Decode {
        format: L::FORMAT,
        rows: row,
        input: &groups,
        order: Order::best(),
        out: &mut out,
    }
    .on(level);
    out[0]
}

/// The activations as the bytes stand for them.
fn as_bytes(input: &[f32]) -> Vec<f64> {
    let groups = input.as_chunks::<32>().0.iter().map(InputGroup::quantise);
    let values =
        groups.flat_map(|group| group.quants.map(|q| f64::from(q) * f64::from(group.scale)));
    values.collect()
}

#[test]
fn products_are_within_their_bounds() {
    let mut report = Report::default();
    let mut source = Source::new(1);
    let kinds = KINDS.iter().flat_map(|&w| KINDS.map(|x| (w, x)));
    for &format in Format::ALL {
        for (weights_kind, kind) in kinds.clone() {
            for width in [256, 2048] {
                for _ in 0..12 {
                    let [values, mut input] = pair(weights_kind, kind, width, &mut source);
                    let row = row(format, &values, &mut source);
                    let weights = Weights::decode(format, &row, width);
                    if kind == Kind::HalfSteps {
                        // With the weights' signs, so that all roundings pull one way: up, to even.
                        for (x, w) in input.iter_mut().zip(&weights.values) {
                            if (*x - 0.5) % 2.0 == 1.0 {
                                *x = (*x - 1.0).max(0.5);
                            }
                            *x = x.copysign(*w as f32);
                        }
                    }
                    let exact = wide(&input);
                    let truth = product(format, &row, &exact);
                    let found = f64::from(product(format, &row, &input));
                    let bound = bound::product_f32(&weights, &exact);
                    report.see(&format!("f32 {format}"), kind, found, truth, bound);
                    if format.is_float() {
                        continue;
                    }
                    let found = with_layout!(format, L => fast::<L>(&row, &input), float => 0.0);
                    let bound = bound::product_fast(&weights, &exact);
                    report.see(&format!("fast {format}"), kind, found.into(), truth, bound);
                    let bytes = as_bytes(&input);
                    let truth = product(format, &row, &bytes);
                    let bound = bound::product_of_bytes(&weights, &bytes);
                    report.see(&format!("bytes {format}"), kind, found.into(), truth, bound);
                }
            }
        }
    }
    report.finish();
}

#[test]
fn rows_of_embeddings_are_within_their_bounds() {
    let mut report = Report::default();
    let mut source = Source::new(3);
    for &format in Format::ALL {
        for kind in KINDS {
            let values = source.values(kind, 256);
            let row = row(format, &values, &mut source);
            let weights = Weights::decode(format, &row, 256);
            let mut found = vec![0.0_f32; 256];
            Dequantise {
                format,
                row: &row,
                out: &mut found,
            }
            .on(Level::best());
            for ((&found, &truth), &size) in found.iter().zip(&weights.values).zip(&weights.sizes) {
                let bound = bound::scaled(truth, size, 1.0);
                report.see("embedding", kind, found.into(), truth, bound);
            }
        }
    }
    report.finish();
}

//! Work on single tokens: norms, sums, gates, caps, rotary turns.

use crate::inputs::{KINDS, Kind, Source, pair, wide};
use crate::report::Report;
use fidelis_conformance::bound;
use fidelis_simd::Level;
use fidelis_simd::elementwise::{Curve, Gate, Pairs, RmsNorm, Rotate, Scale, SoftCap, Sum};

#[test]
fn work_on_single_tokens_is_within_its_bounds() {
    let mut report = Report::default();
    let mut source = Source::new(2);
    let level = Level::best();
    for (first, kind) in KINDS.iter().flat_map(|&a| KINDS.map(|b| (a, b))) {
        for _ in 0..12 {
            let [mut a, mut b] = pair(first, kind, 64, &mut source);
            if first == Kind::Cancelling {
                // Sums of the two, and the halves of turned pairs, nearly vanish.
                for (a, b) in a.iter().zip(&mut b) {
                    *b = -a * (1.0 + 1e-6);
                }
                let (low, high) = a.split_at_mut(32);
                for (i, (low, high)) in low.iter().zip(high).enumerate() {
                    let angle = i as f64 * 1.7;
                    *high = (f64::from(*low) * libm::cos(angle) / libm::sin(angle).max(0.1)) as f32;
                }
            }
            let [x, y] = [wide(&a), wide(&b)];
            let mut found = vec![0.0_f32; 64];
            let mut truth = vec![0.0_f64; 64];
            let mut each =
                |name, bound: &dyn Fn(usize, f64) -> f64, found: &[f32], truth: &[f64]| {
                    for (i, (&found, &truth)) in found.iter().zip(truth).enumerate() {
                        report.see(name, kind, found.into(), truth, bound(i, truth));
                    }
                };
            level.run(RmsNorm {
                input: &a,
                weight: &b,
                epsilon: 1e-6,
                out: &mut found,
            });
            level.run(RmsNorm {
                input: &x,
                weight: &y,
                epsilon: 1e-6,
                out: &mut truth,
            });
            each("norm", &|i, truth| bound::norm(truth, y[i]), &found, &truth);

            level.run(Sum {
                a: &a,
                b: &b,
                out: &mut found,
            });
            level.run(Sum {
                a: &x,
                b: &y,
                out: &mut truth,
            });
            each("sum", &|_, truth| bound::rounded(truth), &found, &truth);

            for (name, curve) in [("silu gate", Curve::Silu), ("gelu gate", Curve::GeluTanh)] {
                level.run(Gate {
                    gate: &a,
                    up: &b,
                    curve,
                    out: &mut found,
                });
                level.run(Gate {
                    gate: &x,
                    up: &y,
                    curve,
                    out: &mut truth,
                });
                let of = |i: usize, truth: f64| match curve {
                    Curve::Silu => bound::silu_gate(truth, x[i], y[i]),
                    Curve::GeluTanh => bound::gelu_gate(truth, x[i], y[i]),
                };
                each(name, &of, &found, &truth);
            }

            found.copy_from_slice(&a);
            truth.copy_from_slice(&x);
            level.run(SoftCap {
                values: &mut found,
                cap: 30.0,
            });
            level.run(SoftCap {
                values: &mut truth,
                cap: 30.0,
            });
            each(
                "soft cap",
                &|_, truth| bound::soft_cap(truth, 30.0),
                &found,
                &truth,
            );

            let root = 1152.0_f64.sqrt();
            found.copy_from_slice(&a);
            truth.copy_from_slice(&x);
            level.run(Scale {
                values: &mut found,
                scale: root as f32,
            });
            level.run(Scale {
                values: &mut truth,
                scale: root,
            });
            each(
                "scaled embedding",
                &|_, truth| bound::scaled(truth, 0.0, root),
                &found,
                &truth,
            );

            let angles: Vec<f64> = (0..32).map(|i| f64::from(i) * 1.7).collect();
            let cosines: Vec<f64> = angles.iter().map(|&angle| libm::cos(angle)).collect();
            let sines: Vec<f64> = angles.iter().map(|&angle| libm::sin(angle)).collect();
            let narrow = |values: &[f64]| values.iter().map(|&x| x as f32).collect::<Vec<f32>>();
            let pairs = Pairs::Halves;
            level.run(Rotate {
                input: &a,
                width: 64,
                cosines: &narrow(&cosines),
                sines: &narrow(&sines),
                pairs,
                out: &mut found,
            });
            level.run(Rotate {
                input: &x,
                width: 64,
                cosines: &cosines,
                sines: &sines,
                pairs,
                out: &mut truth,
            });
            let of = |i: usize, _: f64| {
                let (pair, turned) = (i % 32, i >= 32);
                let (low, high) = (x[pair], x[pair + 32]);
                let (c, s) = (cosines[pair], sines[pair]);
                if turned {
                    bound::rotation(low * s, high * c)
                } else {
                    bound::rotation(low * c, high * s)
                }
            };
            each("rotation", &of, &found, &truth);
        }
    }
    report.finish();
}

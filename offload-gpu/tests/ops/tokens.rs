//! Norms, turns, gates, sums and caps.

use crate::harness::{Source, Stored, Worst, gpu, graph, run, wide};
use fidelis_conformance::bound;
use fidelis_offload_gpu::graph::{Curve as GpuCurve, Op, Rope, Tier};
use fidelis_simd::elementwise::{Curve, Gate, Pairs, RmsNorm, Rotate, SoftCap, Sum};
use fidelis_simd::{Format, Level};

const TOKENS: usize = 33;

fn vector(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|x| x.to_le_bytes()).collect()
}

#[test]
fn norms_have_the_bits_of_the_processor() {
    let Some(gpu) = gpu() else { return };
    let gpu = &gpu;
    let mut worst = Worst::default();
    for (width, heads) in [
        (64, 1),
        (80, 3),
        (2048, 1),
        (2500, 1),
        (1, 5),
        (256, 4),
        (5632, 1),
    ] {
        let mut source = Source::new(width as u64);
        let row = width * heads;
        let (input, weight) = (source.values(row * TOKENS), source.values(width));
        let op = Op::Norm {
            input: 0,
            weight: 0,
            epsilon: 1e-6,
            heads,
            out: 1,
        };
        let bytes = vector(&weight);
        let stored = Stored {
            format: Format::F32,
            rows: 1,
            width,
            bytes: &bytes,
        };
        let graph = graph(op, &[row, row], TOKENS, Tier::F32);
        let found = run(gpu, graph, &[stored], &[&input], &[0; TOKENS], 0);
        let parts = input.chunks_exact(width).zip(found.chunks_exact(width));
        for (input, found) in parts {
            let mut expected = vec![0.0_f32; width];
            let mut truth = vec![0.0_f64; width];
            Level::best().run(RmsNorm {
                input,
                weight: &weight,
                epsilon: 1e-6,
                out: &mut expected,
            });
            Level::best().run(RmsNorm {
                input: &wide(input),
                weight: &wide(&weight),
                epsilon: 1e-6,
                out: &mut truth,
            });
            for i in 0..width {
                let bound = bound::norm(truth[i], f64::from(weight[i]));
                worst.see("norm", found[i], truth[i], bound);
                worst.same(found[i], expected[i]);
            }
        }
    }
    worst.finish("norm");
}

#[test]
fn gates_have_the_bits_of_the_processor() {
    let Some(gpu) = gpu() else { return };
    let gpu = &gpu;
    for (name, curve, gpu_curve) in [
        ("silu gate", Curve::Silu, GpuCurve::Silu),
        ("gelu gate", Curve::GeluTanh, GpuCurve::GeluTanh),
    ] {
        let mut worst = Worst::default();
        for width in [1, 32, 333, 5632] {
            let mut source = Source::new(width as u64 + 3);
            let (gate, up) = (source.values(width * TOKENS), source.values(width * TOKENS));
            let op = Op::Gate {
                gate: 0,
                up: 1,
                curve: gpu_curve,
                out: 2,
            };
            let graph = graph(op, &[width; 3], TOKENS, Tier::F32);
            let found = run(gpu, graph, &[], &[&gate, &up], &[0; TOKENS], 0);
            let mut expected = vec![0.0_f32; width * TOKENS];
            let mut truth = vec![0.0_f64; width * TOKENS];
            Level::best().run(Gate {
                gate: &gate,
                up: &up,
                curve,
                out: &mut expected,
            });
            Level::best().run(Gate {
                gate: &wide(&gate),
                up: &wide(&up),
                curve,
                out: &mut truth,
            });
            for i in 0..found.len() {
                let (g, u) = (f64::from(gate[i]), f64::from(up[i]));
                let bound = match curve {
                    Curve::Silu => bound::silu_gate(truth[i], g, u),
                    Curve::GeluTanh => bound::gelu_gate(truth[i], g, u),
                };
                worst.see(name, found[i], truth[i], bound);
                worst.same(found[i], expected[i]);
            }
        }
        worst.finish(name);
    }
}

#[test]
fn sums_biases_and_caps_have_the_bits_of_the_processor() {
    let Some(gpu) = gpu() else { return };
    let gpu = &gpu;
    for width in [1, 100, 2048] {
        let mut source = Source::new(width as u64 + 11);
        let (a, b) = (source.values(width * TOKENS), source.values(width * TOKENS));
        let op = Op::Add { a: 0, b: 1, out: 2 };
        let sums = graph(op, &[width; 3], TOKENS, Tier::F32);
        let found = run(gpu, sums, &[], &[&a, &b], &[0; TOKENS], 0);
        let mut expected = vec![0.0_f32; a.len()];
        Level::best().run(Sum {
            a: &a,
            b: &b,
            out: &mut expected,
        });
        assert_eq!(found, expected, "sums of {width}");

        let bytes = vector(&b[..width]);
        let stored = Stored {
            format: Format::F32,
            rows: 1,
            width,
            bytes: &bytes,
        };
        let op = Op::Bias {
            input: 0,
            bias: 0,
            out: 1,
        };
        let biased = graph(op, &[width; 2], TOKENS, Tier::F32);
        let found = run(gpu, biased, &[stored], &[&a], &[0; TOKENS], 0);
        let expected: Vec<f32> = a
            .iter()
            .enumerate()
            .map(|(i, x)| x + b[i % width])
            .collect();
        assert_eq!(found, expected, "biases of {width}");

        let op = Op::SoftCap {
            input: 0,
            cap: 30.0,
            out: 1,
        };
        let capped = graph(op, &[width; 2], TOKENS, Tier::F32);
        let found = run(gpu, capped, &[], &[&a], &[0; TOKENS], 0);
        let mut expected = a.clone();
        let mut truth = wide(&a);
        Level::best().run(SoftCap {
            values: &mut expected,
            cap: 30.0,
        });
        Level::best().run(SoftCap {
            values: &mut truth,
            cap: 30.0,
        });
        let mut worst = Worst::default();
        for i in 0..found.len() {
            worst.see(
                "soft cap",
                found[i],
                truth[i],
                bound::soft_cap(truth[i], 30.0),
            );
            worst.same(found[i], expected[i]);
        }
        worst.finish("soft cap");
    }
}

#[test]
fn turns_have_the_bits_of_the_processor() {
    let Some(gpu) = gpu() else { return };
    let gpu = &gpu;
    let mut worst = Worst::default();
    for (width, rotated, heads) in [(64, 64, 4), (80, 32, 3), (96, 96, 1), (256, 256, 2)] {
        for neighbours in [false, true] {
            let mut source = Source::new(width as u64 + 23);
            let (row, pairs, position) = (width * heads, rotated / 2, 5000);
            let input = source.values(row * TOKENS);
            let frequencies: Vec<f64> = (0..pairs)
                .map(|i| libm::pow(10_000.0, -(2.0 * i as f64) / rotated as f64))
                .collect();
            let op = Op::Rope {
                input: 0,
                heads,
                rope: 0,
                out: 1,
            };
            let mut graph = graph(op, &[row; 2], TOKENS, Tier::F32);
            graph.context = position + TOKENS;
            graph.ropes.push(Rope {
                frequencies: frequencies.clone(),
                magnitude: 1.1,
                neighbours,
            });
            let found = run(gpu, graph, &[], &[&input], &[0; TOKENS], position);
            for token in 0..TOKENS {
                let angle = |f: &f64| libm::sincos((position + token) as f64 * f);
                let turns: Vec<(f64, f64)> = frequencies
                    .iter()
                    .map(angle)
                    .map(|(s, c)| (c * 1.1, s * 1.1))
                    .collect();
                let (cosines, sines): (Vec<f64>, Vec<f64>) = turns.into_iter().unzip();
                let narrow = |x: &[f64]| x.iter().map(|&x| x as f32).collect::<Vec<_>>();
                let pairs = if neighbours {
                    Pairs::Neighbours
                } else {
                    Pairs::Halves
                };
                let input = &input[token * row..][..row];
                let (mut expected, mut truth) = (vec![0.0_f32; row], vec![0.0_f64; row]);
                Level::best().run(Rotate {
                    input,
                    width,
                    cosines: &narrow(&cosines),
                    sines: &narrow(&sines),
                    pairs,
                    out: &mut expected,
                });
                Level::best().run(Rotate {
                    input: &wide(input),
                    width,
                    cosines: &cosines,
                    sines: &sines,
                    pairs,
                    out: &mut truth,
                });
                let largest = input
                    .iter()
                    .fold(0.0_f64, |most, x| most.max(f64::from(x.abs())));
                for i in 0..row {
                    let found = found[token * row + i];
                    // Each of the two products is at most the largest element.
                    let bound = bound::rotation(1.1 * largest, 1.1 * largest);
                    worst.see("rotation", found, truth[i], bound);
                    worst.same(found, expected[i]);
                }
            }
        }
    }
    worst.finish("rotation");
}

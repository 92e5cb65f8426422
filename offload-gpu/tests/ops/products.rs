//! Products and embeddings, in every format and both tiers.

use crate::harness::{Source, Stored, Worst, gpu, graph, run, wide};
use fidelis_conformance::bound::{self, Weights};
use fidelis_offload_gpu::format::FORMATS;
use fidelis_offload_gpu::graph::{Activation, Curve as GpuCurve, Graph, Op, Tier};
use fidelis_simd::dense::{Dense, DenseScratch, Dequantise};
use fidelis_simd::elementwise::{Curve, Gate, Scale};
use fidelis_simd::fast::{Decode, Order};
use fidelis_simd::input::{InputGroup, Quantise};
use fidelis_simd::{Format, Level, Real};

fn dense<R: Real>(format: Format, row: &[u8], input: &[R]) -> R {
    let mut result = R::default();
    Level::best().run(Dense {
        format,
        rows: row,
        width: input.len(),
        inputs: input,
        scratch: &mut DenseScratch::default(),
        emit: &mut |_, _, values: &[R]| result = values[0],
    });
    result
}

fn fast(format: Format, row: &[u8], input: &[f32]) -> f32 {
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
        format,
        rows: row,
        input: &groups,
        order: Order::best(),
        out: &mut out,
    }
    .on(level);
    out[0]
}

fn format_of(id: u32) -> Format {
    Format::from_id(id).expect("a format of the plug-in is one of the processor's")
}

/// `Σ w x` of decoded weights: a lane adds eight products of each of its groups, sixteen lanes a row.
fn decoded_bound(weights: &Weights, input: &[f64], decoding: f64) -> f64 {
    let u = bound::ROUNDING;
    let groups = input.len() / 32;
    // Product and sum of every fourth element of the lane's groups, four sums, sixteen lanes.
    let steps = 8.0 * groups.div_ceil(16) as f64 + 1.0 + 2.0 + 4.0;
    let pairs = weights.values.iter().zip(&weights.sizes).zip(input);
    let sum: f64 = pairs
        .map(|((w, size), x)| (steps * w.abs() + decoding * size) * x.abs())
        .sum();
    let small: f64 = input.iter().map(|x| 1.0 + 12.0 * x.abs()).sum();
    // Devices may flush what is below the normal range.
    (u * sum + small * f64::from(f32::MIN_POSITIVE)) * 1.001
}

/// Widths of whole blocks, multiples of 256 and others; rows; tokens.
fn shapes(block: usize) -> Vec<(usize, usize, usize)> {
    let wide = [block.max(32) * 9, 2048 + block.max(32)];
    let mut shapes = vec![(block.max(32), 1, 1), (wide[1], 33, 1)];
    for (rows, tokens) in [(1, 33), (67, 7), (130, 33), (64, 65)] {
        shapes.push((wide[0], rows, tokens));
    }
    if block == 1 {
        shapes.push((77, 9, 5));
    }
    shapes
}

fn sweep(tier: Tier, name: &str) {
    let Some(gpu) = gpu() else { return };
    let gpu = &gpu;
    for format in FORMATS {
        let (id, mut worst) = (format_of(format.id), Worst::default());
        let mut source = Source::new(u64::from(format.id) + 1);
        for (width, rows, tokens) in shapes(format.block_len) {
            let bytes = source.weights(id, rows, width);
            let input = source.values(width * tokens);
            let op = Op::MatMul {
                input: 0,
                weight: 0,
                first: 0,
                residual: None,
                out: 1,
            };
            let weight = Stored {
                format: id,
                rows,
                width,
                bytes: &bytes,
            };
            let graph = graph(op, &[width, rows], tokens, tier);
            let found = run(gpu, graph, &[weight], &[&input], &vec![0; tokens], 0);
            for (r, row) in bytes.chunks_exact(bytes.len() / rows).enumerate() {
                let weights = Weights::decode(id, row, width);
                for (t, x) in input.chunks_exact(width).enumerate() {
                    let found = found[t * rows + r];
                    let exact = wide(x);
                    let truth: f64 = dense(id, row, &exact);
                    let what = format!("{name} {id} [{rows}, {width}] × {tokens}, {r} {t}");
                    if id.is_float() {
                        let bound = bound::product_f32(&weights, &exact);
                        worst.see(&what, found, truth, bound);
                        worst.same(found, dense(id, row, x));
                    } else if tier == Tier::Fast {
                        worst.see(&what, found, truth, bound::product_fast(&weights, &exact));
                        worst.same(found, fast(id, row, x));
                    } else {
                        let decoding = if format.has_min { 4.0 } else { 3.0 };
                        let bound = decoded_bound(&weights, &exact, decoding);
                        worst.see(&what, found, truth, bound);
                    }
                }
            }
        }
        let what = format!("{name} {id}");
        if tier == Tier::Fast || id.is_float() {
            worst.finish(&what);
        } else {
            worst.finish_near(&what);
        }
    }
}

#[test]
fn fast_products_have_the_bits_of_the_processor() {
    sweep(Tier::Fast, "fast");
}

#[test]
fn decoded_products_are_within_their_bounds() {
    sweep(Tier::F32, "f32");
}

/// Two products of the same input, and their gate.
fn gate_graph(width: usize, rows: usize, tokens: usize) -> Graph {
    let product = |weight: usize| Op::MatMul {
        input: 0,
        weight,
        first: 0,
        residual: None,
        out: 1 + weight,
    };
    let gate = Op::Gate {
        gate: 1,
        up: 2,
        curve: GpuCurve::Silu,
        out: 3,
    };
    let mut graph = graph(gate, &[width, rows, rows, rows], tokens, Tier::Fast);
    graph.ops = vec![product(0), product(1), gate];
    for id in [1, 2] {
        graph.activations[id] = Activation {
            width: rows,
            observed: false,
        };
    }
    graph
}

#[test]
fn gated_products_have_the_bits_of_the_processor() {
    let Some(gpu) = gpu() else { return };
    let gpu = &gpu;
    for format in FORMATS.iter().filter(|format| !format.is_float) {
        let (id, rows) = (format_of(format.id), 96);
        let mut unequal = 0;
        // One lane's groups come at once, or a few at a time.
        for (width, tokens) in [(256, 1), (2048, 1), (2304, 3), (5632, 1)] {
            let mut source = Source::new(u64::from(format.id) + 200);
            let both = [0, 1].map(|_| source.weights(id, rows, width));
            let input = source.values(width * tokens);
            let stored = |bytes| Stored {
                format: id,
                rows,
                width,
                bytes,
            };
            let weights = [stored(&both[0]), stored(&both[1])];
            let graph = gate_graph(width, rows, tokens);
            let found = run(gpu, graph, &weights, &[&input], &vec![0; tokens], 0);
            let row_bytes = both[0].len() / rows;
            for (found, x) in found.chunks_exact(rows).zip(input.chunks_exact(width)) {
                let sums = [0, 1].map(|i| {
                    let rows = both[i].chunks_exact(row_bytes);
                    rows.map(|row| fast(id, row, x)).collect::<Vec<f32>>()
                });
                let mut expected = vec![0.0_f32; rows];
                Level::best().run(Gate {
                    gate: &sums[0],
                    up: &sums[1],
                    curve: Curve::Silu,
                    out: &mut expected,
                });
                let pairs = found.iter().zip(&expected);
                unequal += pairs.filter(|(a, b)| a.to_bits() != b.to_bits()).count();
            }
            println!("gated {id}, {width} wide, {tokens} tokens: {unequal} results differ");
        }
        assert_eq!(unequal, 0, "{id}");
    }
}

#[test]
fn rows_of_a_weight_can_be_used_alone() {
    let Some(gpu) = gpu() else { return };
    let gpu = &gpu;
    let mut source = Source::new(9);
    let (width, rows, tokens) = (256, 100, 3);
    let bytes = source.weights(Format::Q4_K, rows, width);
    let input = source.values(width * tokens);
    let weight = || Stored {
        format: Format::Q4_K,
        rows,
        width,
        bytes: &bytes,
    };
    let product = |first: usize, rows: usize| {
        let op = Op::MatMul {
            input: 0,
            weight: 0,
            first,
            residual: None,
            out: 1,
        };
        let graph = graph(op, &[width, rows], tokens, Tier::Fast);
        run(gpu, graph, &[weight()], &[&input], &[0; 3], 0)
    };
    let (all, some) = (product(0, 100), product(37, 41));
    for token in 0..tokens {
        assert_eq!(all[100 * token + 37..][..41], some[41 * token..][..41]);
    }
}

#[test]
fn embeddings_have_the_bits_of_the_processor() {
    let Some(gpu) = gpu() else { return };
    let gpu = &gpu;
    for format in FORMATS {
        let id = format_of(format.id);
        let mut source = Source::new(77 + u64::from(format.id));
        let (width, rows) = (format.block_len.max(32) * 3, 11);
        let bytes = source.weights(id, rows, width);
        let tokens = [10, 0, 3, 3, 7];
        let scale = 33.941_124_f32;
        let op = Op::Embed {
            table: 0,
            scale,
            out: 0,
        };
        let weight = Stored {
            format: id,
            rows,
            width,
            bytes: &bytes,
        };
        let graph = graph(op, &[width], tokens.len(), Tier::F32);
        let found = run(gpu, graph, &[weight], &[], &tokens, 0);
        for (found, &token) in found.chunks_exact(width).zip(&tokens) {
            let row = &bytes[token as usize * bytes.len() / rows..][..bytes.len() / rows];
            let mut expected = vec![0.0_f32; width];
            Level::best().run(Dequantise {
                format: id,
                row,
                out: &mut expected,
            });
            Level::best().run(Scale {
                values: &mut expected,
                scale,
            });
            assert_eq!(found, expected, "{id}, token {token}");
        }
    }
}

//! Operations × formats × shapes.

use super::sketch::Sketch;
use super::{Bench, Case, Found};
use crate::tiny::{Kind, Tiny};
use fidelis_engine::gguf::Gguf;
use fidelis_engine::graph::{Activate, Attend, Cache, Op, Pairing, Rope, TensorId};
use fidelis_engine::model::Model;
use fidelis_engine::shape::Shape;
use fidelis_simd::Format;

const IDS: usize = 37;
/// More rows than a dispatch has groups in one dimension.
const MANY: usize = 65_600;

pub(super) fn all(bench: &Bench<'_>, add: &mut impl FnMut(Case)) {
    products(bench, add);
    embeddings(bench, add);
    rows(bench, add);
    turns(bench, add);
    attention(bench, add);
    models(bench, add);
}

/// Builds a graph and judges it; `None` if nothing here writes the format.
fn case(
    bench: &Bench<'_>,
    add: &mut impl FnMut(Case),
    group: &'static str,
    what: String,
    build: impl FnOnce(&mut Sketch) -> Option<()>,
) {
    let mut sketch = Sketch::new(what.len() as u128 + 77);
    if build(&mut sketch).is_some() {
        let found = bench.judge(&sketch.graph());
        add(Case { group, what, found });
    }
}

fn products(bench: &Bench<'_>, add: &mut impl FnMut(Case)) {
    for &format in Format::ALL {
        let block = format.block_len();
        let widths = match block {
            1 => vec![1, 33, 100, 256],
            32 => vec![32, 96, 160, 512],
            _ => vec![block, 3 * block],
        };
        for (place, width) in widths.into_iter().enumerate() {
            // Not square, not round, and of whole groups.
            for rows in [[1, 65], [7, 130], [64, 63], [96, 5]][place] {
                let what = format!("{format} {rows} × {width}");
                case(bench, add, "product", what, |sketch| {
                    product(sketch, format, rows, width, 0)
                });
            }
        }
        let width = if block == 1 { 96 } else { 3 * block.max(32) };
        let what = format!("{format} 21 rows from the 13th of 40 × {width}");
        case(bench, add, "product", what, |sketch| {
            product(sketch, format, 21, width, 13)
        });
    }
    for format in [Format::F32, Format::Q8_0] {
        let what = format!("{format} {MANY} × 32");
        case(bench, add, "product", what, |sketch| {
            product(sketch, format, MANY, 32, 0)
        });
    }
}

fn product(
    sketch: &mut Sketch,
    format: Format,
    rows: usize,
    width: usize,
    first: usize,
) -> Option<()> {
    let input = sketch.embed(IDS, width)?;
    let bound = (3.0 / width as f32).sqrt();
    let all = if first == 0 { rows } else { first + rows + 6 };
    let weight = sketch.weight(format, Shape::matrix(width, all), [-bound, bound])?;
    let out = sketch.out("logits", rows);
    sketch.push(Op::MatMul {
        input,
        weight,
        first,
        out,
    });
    Some(())
}

fn embeddings(bench: &Bench<'_>, add: &mut impl FnMut(Case)) {
    for &format in Format::ALL {
        let width = 3 * format.block_len().max(11);
        let what = format!("{format} {IDS} × {width}");
        case(bench, add, "embedding", what, |sketch| {
            embedding(sketch, format, IDS, width)
        });
    }
    let what = format!("F16 {MANY} × 32");
    case(bench, add, "embedding", what, |sketch| {
        embedding(sketch, Format::F16, MANY, 32)
    });
}

fn embedding(sketch: &mut Sketch, format: Format, ids: usize, width: usize) -> Option<()> {
    let table = sketch.weight(format, Shape::matrix(width, ids), [-1.0, 1.0])?;
    let out = sketch.out("logits", width);
    sketch.push(Op::Embed {
        table,
        scale: 11.3137,
        out,
    });
    Some(())
}

/// Norms, biases, sums, gates, caps: row by row.
fn rows(bench: &Bench<'_>, add: &mut impl FnMut(Case)) {
    for (width, heads) in [
        (1, 1),
        (33, 1),
        (130, 1),
        (2048, 1),
        (96, 3),
        (280, 7),
        (1152, 4),
    ] {
        case(
            bench,
            add,
            "norm",
            format!("{width} in {heads}"),
            |sketch| {
                let input = sketch.embed(IDS, width)?;
                let weight =
                    sketch.weight(Format::F32, Shape::vector(width / heads), [0.5, 1.5])?;
                let out = sketch.out("logits", width);
                sketch.push(Op::Norm {
                    input,
                    weight,
                    epsilon: 1e-5,
                    heads,
                    out,
                });
                Some(())
            },
        );
    }
    for width in [1, 31, 64, 257, 4099, 70_001] {
        let mut other =
            |what: &str, op: &dyn Fn(&mut Sketch, TensorId, TensorId, TensorId) -> Option<Op>| {
                case(
                    bench,
                    add,
                    "row by row",
                    format!("{what} {width}"),
                    |sketch| {
                        let a = sketch.embed(if width > 5000 { 3 } else { IDS }, width)?;
                        let weight =
                            sketch.weight(Format::F32, Shape::vector(width), [-0.5, 0.5])?;
                        let b = sketch.out("b", width);
                        sketch.push(Op::Bias {
                            input: a,
                            bias: weight,
                            out: b,
                        });
                        let out = sketch.out("logits", width);
                        let op = op(sketch, a, b, out)?;
                        sketch.push(op);
                        Some(())
                    },
                );
            };
        other("sum", &|_, a, b, out| Some(Op::Add { a, b, out }));
        for (what, activate) in [("silu", Activate::Silu), ("gelu", Activate::GeluTanh)] {
            other(what, &|_, gate, up, out| {
                Some(Op::Gate {
                    gate,
                    up,
                    activate,
                    out,
                })
            });
        }
        other("soft cap", &|_, input, _, out| {
            Some(Op::SoftCap {
                input,
                cap: 1.5,
                out,
            })
        });
    }
}

fn turns(bench: &Bench<'_>, add: &mut impl FnMut(Case)) {
    for pairing in [Pairing::Interleaved, Pairing::Halves] {
        for (heads, len, pairs) in [(1, 2, 1), (3, 20, 10), (5, 64, 32), (2, 96, 24)] {
            let what = format!("{pairing:?} {heads} heads of {len}, {pairs} pairs");
            case(bench, add, "turn", what, |sketch| {
                let input = sketch.embed(IDS, heads * len)?;
                let rope = sketch.rope(Rope {
                    frequencies: (0..pairs)
                        .map(|i| libm::pow(10_000.0, -(i as f64) / pairs as f64))
                        .collect(),
                    magnitude: 1.25,
                    pairing,
                });
                let out = sketch.out("logits", heads * len);
                sketch.push(Op::Rope {
                    input,
                    heads,
                    rope,
                    out,
                });
                Some(())
            });
        }
    }
}

fn attention(bench: &Bench<'_>, add: &mut impl FnMut(Case)) {
    for (heads, kv, key_width, value_width) in [
        (1, 1, 32, 32),
        (4, 2, 32, 64),
        (6, 1, 64, 32),
        (3, 3, 96, 96),
        (8, 2, 128, 128),
    ] {
        for (window, soft_cap) in [(None, None), (Some(3), None), (None, Some(2.0))] {
            let what = format!(
                "{heads} heads on {kv}, {key_width} and {value_width} wide, window {window:?}, cap {soft_cap:?}"
            );
            case(bench, add, "attention", what, |sketch| {
                let input = sketch.embed(IDS, 64)?;
                let query = sketch.product("blk.0.attn_q", input, heads * key_width)?;
                let key = sketch.product("blk.0.attn_k", input, kv * key_width)?;
                let value = sketch.product("blk.0.attn_v", input, kv * value_width)?;
                let out = sketch.out("logits", heads * value_width);
                let cache = Cache {
                    heads: kv,
                    key_width,
                    value_width,
                    window,
                };
                sketch.attend(
                    cache,
                    Attend {
                        query,
                        key,
                        value,
                        cache: 0,
                        heads,
                        query_scale: 0.5,
                        score_scale: 0.25,
                        soft_cap,
                        out,
                        scores: "blk.0.attn_scores".to_owned(),
                        probs: "blk.0.attn_probs".to_owned(),
                    },
                );
                Some(())
            });
        }
    }
}

/// Whole models, small ones of every kind.
fn models(bench: &Bench<'_>, add: &mut impl FnMut(Case)) {
    for kind in Kind::ALL {
        for format in [Format::F32, Format::Q8_0] {
            let tiny = Tiny {
                format,
                ..Tiny::small(kind)
            };
            let found = match tiny.bytes() {
                Err(error) => Found::Unsupported(error.to_string()),
                Ok(bytes) => match Gguf::read(&bytes)
                    .map(|gguf| Model::read(&gguf).map(|m| bench.judge(&m.graph)))
                {
                    Ok(Ok(found)) => found,
                    _ => Found::Wrong("the model cannot be read".to_owned()),
                },
            };
            add(Case {
                group: "model",
                what: format!("{kind:?} {format}"),
                found,
            });
        }
    }
}

//! Work on single tokens: embeddings, norms, rotary turns, gates, sums, quantisation.

use super::plan::TokenWork;
use super::team::Member;
use super::work::Work;
use crate::graph::{Activate, Op, Pairing, WeightId};
use fidelis_simd::Real;
use fidelis_simd::dense::Dequantise;
use fidelis_simd::elementwise::{Curve, Gate, Pairs, RmsNorm, Rotate, Scale, SoftCap, Sum};
use fidelis_simd::input::Quantise;

/// Computes cosines and sines of a token's position: in `f64`, rounded once.
pub(super) fn angles<R: Real>(work: &Work<'_, '_, R>, row: usize) {
    for (id, rope) in work.graph.ropes.iter().enumerate() {
        let pairs = rope.frequencies.len();
        // SAFETY: only this worker has this token in this stage.
        let table = unsafe { work.arena.angles_mut(id, row, pairs) };
        let (cosines, sines) = table.split_at_mut(pairs);
        for ((frequency, cosine), sine) in rope.frequencies.iter().zip(cosines).zip(sines) {
            let (s, c) = libm::sincos((work.position + row) as f64 * frequency);
            *cosine = R::of(c * rope.magnitude);
            *sine = R::of(s * rope.magnitude);
        }
    }
}

/// Runs one piece of work on token `row`.
pub(super) fn run<R: Real>(
    work: &Work<'_, '_, R>,
    member: &Member<'_>,
    piece: TokenWork,
    row: usize,
) {
    let arena = work.arena;
    match piece {
        TokenWork::Op(index) => {
            let op = &work.graph.ops[index];
            if !caps_numbers(work, op, row) {
                member.fail();
            }
            run_op(work, op, row);
        }
        TokenWork::Remember(index) => {
            let Op::Attend(attend) = &work.graph.ops[index] else {
                return;
            };
            let [query, key, value] = [attend.query, attend.key, attend.value]
                // SAFETY: this worker wrote this token's queries, keys and values, or they are of an earlier stage.
                .map(|id| unsafe { arena.rows(id, row, 1) });
            let memory = &work.memory[attend.cache];
            let limit = memory.limit();
            // A cap on the scores would hide an infinite query.
            if !query.iter().all(|x| x.is_finite())
                || !key.iter().chain(value).all(|x| x.to_f64().abs() < limit)
            {
                member.fail();
            }
            // SAFETY: tokens whose positions share a block go to one worker.
            unsafe { memory.remember(work.position + row, key, value) };
        }
        TokenWork::Quantise(id) => {
            // SAFETY: this worker wrote this token's row, or it is of an earlier stage.
            let values = unsafe { arena.rows(id, row, 1) };
            // SAFETY: only this worker has this token.
            let groups = unsafe { arena.quantised_mut(id, row) };
            let values = R::singles(values).expect("the tier `fast` computes in f32");
            if work.level.run(Quantise { values, groups }).is_err() {
                member.fail();
            }
        }
    }
}

/// False if `op` would make infinite values finite.
fn caps_numbers<R: Real>(work: &Work<'_, '_, R>, op: &Op, row: usize) -> bool {
    let Op::SoftCap { input, .. } = op else {
        return true;
    };
    // SAFETY: this worker wrote this token's row, or it is of an earlier stage.
    let values = unsafe { work.arena.rows(*input, row, 1) };
    values.iter().all(|x| x.is_finite())
}

/// Runs one op of the graph on token `row`.
fn run_op<R: Real>(work: &Work<'_, '_, R>, op: &Op, row: usize) {
    let (arena, level) = (work.arena, work.level);
    // Rows of a token are used by the one worker that has it; what other stages wrote is done.
    // SAFETY: as said.
    let read = |id| unsafe { arena.rows(id, row, 1) };
    let vector = |WeightId(weight)| &work.vectors[weight as usize];
    match op {
        Op::Embed { table, scale, out } => {
            let table = &work.graph.weights[table.0 as usize];
            let bytes = table.row(work.tokens[row] as usize);
            // SAFETY: as above.
            let values = unsafe { arena.row_mut(*out, row) };
            Dequantise {
                format: table.format,
                row: bytes,
                out: values,
            }
            .on(level);
            work.done_with(bytes);
            level.run(Scale {
                values,
                scale: R::of(*scale),
            });
        }
        Op::Norm {
            input,
            weight,
            epsilon,
            heads,
            out,
        } => {
            // SAFETY: as above.
            let out = unsafe { arena.row_mut(*out, row) };
            let width = out.len() / heads;
            for (input, out) in read(*input)
                .chunks_exact(width)
                .zip(out.chunks_exact_mut(width))
            {
                level.run(RmsNorm {
                    input,
                    weight: vector(*weight),
                    epsilon: *epsilon,
                    out,
                });
            }
        }
        Op::Rope {
            input,
            heads,
            rope,
            out,
        } => {
            let table = &work.graph.ropes[rope.0 as usize];
            // SAFETY: the tables are of the first stage; the row as above.
            let ((cosines, sines), out) = unsafe {
                (
                    arena.angles(rope.0 as usize, row, table.frequencies.len()),
                    arena.row_mut(*out, row),
                )
            };
            let pairs = match table.pairing {
                Pairing::Interleaved => Pairs::Neighbours,
                Pairing::Halves => Pairs::Halves,
            };
            level.run(Rotate {
                input: read(*input),
                width: out.len() / heads,
                cosines,
                sines,
                pairs,
                out,
            });
        }
        Op::Gate {
            gate,
            up,
            activate,
            out,
        } => {
            let curve = match activate {
                Activate::Silu => Curve::Silu,
                Activate::GeluTanh => Curve::GeluTanh,
            };
            // SAFETY: as above.
            let out = unsafe { arena.row_mut(*out, row) };
            level.run(Gate {
                gate: read(*gate),
                up: read(*up),
                curve,
                out,
            });
        }
        Op::Add { a, b, out } => {
            // SAFETY: as above.
            let out = unsafe { arena.row_mut(*out, row) };
            level.run(Sum {
                a: read(*a),
                b: read(*b),
                out,
            });
        }
        Op::Bias { input, bias, out } => {
            // SAFETY: as above.
            let out = unsafe { arena.row_mut(*out, row) };
            level.run(Sum {
                a: read(*input),
                b: vector(*bias),
                out,
            });
        }
        Op::SoftCap { input, cap, out } => {
            // SAFETY: as above.
            let values = unsafe { arena.row_mut(*out, row) };
            values.copy_from_slice(read(*input));
            level.run(SoftCap {
                values,
                cap: R::exactly(*cap),
            });
        }
        Op::MatMul { .. } | Op::Attend(_) => {}
    }
}

//! Steps whose intermediates are seen.

use super::plan::{Stage, TokenWork, reads_and_writes};
use super::team::Team;
use super::work::Work;
use super::{BackendError, CpuBackend, Observer};
use crate::graph::{Attend, Op};
use fidelis_simd::math::{exp, tanh};
use std::ops::Range;

impl CpuBackend<'_> {
    /// One batch on the calling thread, showing intermediates after every stage.
    pub(super) fn watched(
        &mut self,
        tokens: &[u32],
        wanted: Range<usize>,
        observer: &mut dyn Observer,
    ) -> Result<(), BackendError> {
        let finished = self.run_batch(tokens, wanted.clone(), |_, work| {
            let seen = std::cell::RefCell::new(&mut *observer);
            Team::alone(|member| {
                work.run(member, |stage, rows| {
                    show(work, stage, rows, *seen.borrow_mut());
                });
            })
        })?;
        if finished {
            Ok(())
        } else {
            Err(self.find_non_finite(tokens, wanted))
        }
    }

    /// Reads the batch again and names the first value that is not finite.
    pub(super) fn find_non_finite(&mut self, tokens: &[u32], wanted: Range<usize>) -> BackendError {
        let mut first = First {
            found: None,
            position: self.position,
        };
        let repeated = self.run_batch(tokens, wanted, |_, work| {
            let seen = std::cell::RefCell::new(&mut first);
            Team::alone(|member| {
                work.run(member, |stage, rows| {
                    show(work, stage, rows, *seen.borrow_mut());
                });
            })
        });
        match (repeated, first.found) {
            (Err(error), _) | (_, Some(error)) => error,
            // The stage that failed is not shown: its input is at fault, which was.
            _ => BackendError::NonFinite {
                checkpoint: "logits".to_owned(),
                token: self.position,
                element: 0,
                value: f32::NAN,
            },
        }
    }
}

/// Keeps the first value that is not finite.
struct First {
    found: Option<BackendError>,
    position: usize,
}

impl Observer for First {
    fn wants(&self, name: &str) -> bool {
        self.found.is_none() && !name.ends_with("attn_scores") && !name.ends_with("attn_probs")
    }

    fn saw(&mut self, name: &str, shape: &[usize], values: &[f32]) {
        let width = shape.last().copied().unwrap_or(1).max(1);
        if let Some(index) = values.iter().position(|x| !x.is_finite()) {
            self.found = Some(BackendError::NonFinite {
                checkpoint: name.to_owned(),
                token: self.position + index / width,
                element: index % width,
                value: values[index],
            });
        }
    }
}

/// Shows what a stage computed.
fn show(work: &Work<'_, '_>, stage: usize, rows: Range<usize>, observer: &mut dyn Observer) {
    let ops: Vec<usize> = match &work.plan.stages[stage] {
        Stage::Products(products) => products.clone(),
        Stage::Attention(op) => vec![*op],
        Stage::Tokens(works) => works
            .iter()
            .filter_map(|work| {
                if let TokenWork::Op(op) = work {
                    Some(*op)
                } else {
                    None
                }
            })
            .collect(),
    };
    for op in ops {
        let op = &work.graph.ops[op];
        if let Op::Attend(attend) = op {
            scores(work, attend, observer);
        }
        let (_, id) = reads_and_writes(op);
        let name = &work.graph.activations[id.0 as usize].name;
        if observer.wants(name) {
            // SAFETY: the only worker is between two stages.
            let values = unsafe { work.arena.rows(id, rows.start, rows.len()) };
            observer.saw(name, &[rows.len(), work.arena.width(id)], values);
        }
    }
}

/// Shows scores and probabilities, `[heads, tokens, positions]`; 0 where a query does not see.
fn scores(work: &Work<'_, '_>, attend: &Attend, observer: &mut dyn Observer) {
    let (scores, probs) = (
        observer.wants(&attend.scores),
        observer.wants(&attend.probs),
    );
    if !scores && !probs {
        return;
    }
    let (tokens, positions) = (work.tokens.len(), work.position + work.tokens.len());
    let mut all = [
        vec![0.0; attend.heads * tokens * positions],
        vec![0.0; attend.heads * tokens * positions],
    ];
    for head in 0..attend.heads {
        for token in 0..tokens {
            let start = (head * tokens + token) * positions;
            let [scores, probs] = &mut all;
            row(
                work,
                attend,
                head,
                token,
                [
                    &mut scores[start..start + positions],
                    &mut probs[start..start + positions],
                ],
            );
        }
    }
    for (name, values) in [&attend.scores, &attend.probs].into_iter().zip(&all) {
        if observer.wants(name) {
            observer.saw(name, &[attend.heads, tokens, positions], values);
        }
    }
}

/// The scores and probabilities of one query, from the cache as attention reads it.
fn row(
    work: &Work<'_, '_>,
    attend: &Attend,
    head: usize,
    token: usize,
    [scores, probs]: [&mut [f32]; 2],
) {
    let memory = &work.memory[attend.cache];
    let width = work.graph.caches[attend.cache].key_width;
    // SAFETY: the only worker is between two stages.
    let (query, cache) = unsafe {
        (
            work.arena.rows(attend.query, token, 1),
            memory.head(head / (attend.heads / work.graph.caches[attend.cache].heads)),
        )
    };
    let query = &query[head * width..(head + 1) * width];
    let mut most = f32::NEG_INFINITY;
    for position in memory.sees(work.position + token) {
        let key = cache.key(position);
        let score = query
            .iter()
            .zip(&key)
            .fold(0.0, |sum: f32, (q, k)| sum + (q * attend.query_scale) * k);
        scores[position] = score;
        let scaled = score * attend.score_scale;
        probs[position] = attend
            .soft_cap
            .map_or(scaled, |cap| cap * tanh(scaled / cap));
        most = most.max(probs[position]);
    }
    let mut sum = 0.0;
    for position in memory.sees(work.position + token) {
        probs[position] = exp(probs[position] - most);
        sum += probs[position];
    }
    probs.iter_mut().for_each(|prob| *prob /= sum);
}

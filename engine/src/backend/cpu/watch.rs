//! Steps whose intermediates are seen.

use super::machine::Machine;
use super::plan::{Stage, TokenWork, reads_and_writes};
use super::team::Team;
use super::work::Work;
use super::{BackendError, Observer};
use crate::graph::{Attend, Op};
use fidelis_simd::Real;
use std::collections::HashMap;
use std::ops::Range;

impl<R: Real> Machine<'_, R> {
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

    /// What the keys and values of every layer must stay below, by checkpoint.
    fn limits(&self) -> HashMap<String, f64> {
        let attends = self.graph.ops.iter().filter_map(|op| match op {
            Op::Attend(attend) => Some(attend),
            _ => None,
        });
        let names = attends.flat_map(|attend| {
            let limit = self.memory[attend.cache].limit();
            [attend.key, attend.value].map(|id| {
                let activation = &self.graph.activations[id.0 as usize];
                (activation.name.clone(), limit)
            })
        });
        names.collect()
    }

    /// Reads the batch again and names the first value that is not finite.
    pub(super) fn find_non_finite(&mut self, tokens: &[u32], wanted: Range<usize>) -> BackendError {
        let mut first = First {
            found: None,
            position: self.position,
            limits: self.limits(),
            logits: self.graph.activations[self.graph.logits.0 as usize]
                .name
                .clone(),
        };
        let start = self.position;
        let repeated = self.run_batch(tokens, wanted, |_, work| {
            let seen = std::cell::RefCell::new(&mut first);
            Team::alone(|member| {
                work.run(member, |stage, rows| {
                    let first: &mut First = &mut seen.borrow_mut();
                    first.position = start + rows.start;
                    show(work, stage, rows, first);
                });
            })
        });
        match (repeated, first.found) {
            (Err(error), _) | (_, Some(error)) => error,
            // A worker that saw what nobody else does; the values are gone.
            _ => BackendError::NonFinite {
                checkpoint: "logits".to_owned(),
                token: self.position,
                element: 0,
                value: f64::NAN,
            },
        }
    }
}

/// Keeps the first value that is not finite.
struct First {
    found: Option<BackendError>,
    /// Of the first row that is shown.
    position: usize,
    /// What keys and values must stay below.
    limits: HashMap<String, f64>,
    /// The checkpoint that is handed over in 32 bits, whatever the tier.
    logits: String,
}

impl Observer for First {
    fn wants(&self, name: &str) -> bool {
        self.found.is_none() && !name.ends_with("attn_scores") && !name.ends_with("attn_probs")
    }

    fn saw(&mut self, name: &str, shape: &[usize], values: &[f64]) {
        let width = shape.last().copied().unwrap_or(1).max(1);
        let limit = self.limits.get(name).copied().unwrap_or(f64::INFINITY);
        let handed_over = |x: f64| {
            if name == self.logits {
                f64::from(x as f32)
            } else {
                x
            }
        };
        let fits = |&x: &f64| handed_over(x).abs() < limit;
        if let Some(index) = values.iter().position(|x| !fits(x)) {
            let (checkpoint, value) = (name.to_owned(), handed_over(values[index]));
            let (token, element) = (self.position + index / width, index % width);
            self.found = Some(if value.is_finite() {
                BackendError::CacheOverflow {
                    checkpoint,
                    token,
                    element,
                    value,
                }
            } else {
                BackendError::NonFinite {
                    checkpoint,
                    token,
                    element,
                    value,
                }
            });
        }
    }
}

/// Shows what a stage computed.
fn show<R: Real>(
    work: &Work<'_, '_, R>,
    stage: usize,
    rows: Range<usize>,
    observer: &mut dyn Observer,
) {
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
            observer.saw(name, &[rows.len(), work.arena.width(id)], &exact(values));
        }
    }
}

/// Values as an observer sees them.
fn exact<R: Real>(values: &[R]) -> Vec<f64> {
    values.iter().map(|value| value.to_f64()).collect()
}

/// Shows scores and probabilities, `[heads, tokens, positions]`; 0 where a query does not see.
fn scores<R: Real>(work: &Work<'_, '_, R>, attend: &Attend, observer: &mut dyn Observer) {
    let (scores, probs) = (
        observer.wants(&attend.scores),
        observer.wants(&attend.probs),
    );
    if !scores && !probs {
        return;
    }
    let (tokens, positions) = (work.tokens.len(), work.position + work.tokens.len());
    let mut all = [
        vec![R::default(); attend.heads * tokens * positions],
        vec![R::default(); attend.heads * tokens * positions],
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
            observer.saw(name, &[attend.heads, tokens, positions], &exact(values));
        }
    }
}

/// The scores and probabilities of one query, from the cache as attention reads it.
fn row<R: Real>(
    work: &Work<'_, '_, R>,
    attend: &Attend,
    head: usize,
    token: usize,
    [scores, probs]: [&mut [R]; 2],
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
    let (query_scale, score_scale) = (R::of(attend.query_scale), R::of(attend.score_scale));
    let mut most = R::NEG_INFINITY;
    for position in memory.sees(work.position + token) {
        let key = cache.key::<R>(position);
        let score = query
            .iter()
            .zip(&key)
            .fold(R::default(), |sum, (&q, &k)| sum + (q * query_scale) * k);
        scores[position] = score;
        let scaled = score * score_scale;
        probs[position] = attend
            .soft_cap
            .map(R::exactly)
            .map_or(scaled, |cap| cap * (scaled / cap).tanh());
        if probs[position] > most {
            most = probs[position];
        }
    }
    let mut sum = R::default();
    for position in memory.sees(work.position + token) {
        probs[position] = (probs[position] - most).exp();
        sum += probs[position];
    }
    probs.iter_mut().for_each(|prob| *prob /= sum);
}

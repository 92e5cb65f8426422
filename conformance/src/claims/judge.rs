//! Claims against the model's own run.

use super::{Claims, What};
use crate::compare::{Compared, Element, Operation};
use crate::fault::{Diagnosis, Fault, Fit, catalogue};
use crate::precision::Precision;
use crate::recording::Recording;
use crate::reference::{Pass, Reference, Site, run_until};
use rayon::prelude::*;
use std::collections::BTreeMap;

/// What claims show.
#[derive(Clone, Debug)]
pub struct Judged {
    /// Checkpoints with claims, up to the first that is wrong; those after it follow from it and are not judged.
    pub operations: Vec<Operation>,
    /// What is wrong.
    pub diagnoses: Vec<Diagnosis>,
}

/// How many times its own error in `f32` a run may be off.
const NOISE: f64 = 16.0;

struct Case<'c> {
    claims: &'c Claims,
    truth: &'c Recording,
    /// By checkpoint, how far elements of another engine's run may be off.
    noise: BTreeMap<&'c str, f64>,
}

/// Compares claims with the truth, a run in `audit`; `single` is the same run in `f32`, whose error is the measure of others'.
pub fn judge(
    reference: &Reference<'_, '_>,
    claims: &Claims,
    truth: &Recording,
    single: &Recording,
) -> Judged {
    let precision = Precision::of(&claims.provenance);
    let mut noise = BTreeMap::new();
    for (name, tensor) in &truth.tensors {
        let Some(other) = single.tensors.get(name) else {
            continue;
        };
        let square: f64 = tensor
            .values
            .iter()
            .zip(&other.values)
            .map(|(a, b)| (a - b) * (a - b))
            .sum();
        let rms = What::Rms.of(tensor).unwrap_or(0.0);
        // A table of halves, or a cache of halves, moves everything after it by a thousandth.
        let halves = if precision.half_gelu || precision.cache != crate::bound::Remembered::Single {
            2e-3
        } else {
            0.0
        };
        let own = libm::sqrt(square / tensor.values.len().max(1) as f64);
        let largest =
            crate::bound::ROUNDING * precision.rounding * What::Peak.of(tensor).unwrap_or(0.0);
        noise.insert(
            &name[..],
            NOISE * precision.rounding * own + halves * rms + 4.0 * largest,
        );
    }
    let case = Case {
        claims,
        truth,
        noise,
    };
    let mut operations: Vec<Operation> = Vec::new();
    let mut verified: Vec<usize> = Vec::new();
    for (position, node) in reference.nodes.iter().enumerate() {
        let Some(compared) = case.compare(&node.name, truth) else {
            continue;
        };
        let wrong = compared.over > 0;
        let unseen = (verified.last().map_or(0, |last| last + 1)..position)
            .filter(|at| !verified.contains(at))
            .map(|at| reference.nodes[at].name.clone());
        operations.push(Operation {
            name: node.name.clone(),
            position,
            layer: node.layer(),
            role: node.role().to_owned(),
            through: if wrong { unseen.collect() } else { vec![] },
            compared: Some(compared),
        });
        if wrong {
            break;
        }
        verified.push(position);
    }
    let wrong = operations.last().filter(|op| op.is_wrong());
    let diagnoses = wrong
        .map(|op| case.diagnose(reference, op))
        .into_iter()
        .collect();
    Judged {
        operations,
        diagnoses,
    }
}

impl Case<'_> {
    /// The claims on a checkpoint against a run.
    fn compare(&self, name: &str, run: &Recording) -> Option<Compared> {
        let tensor = run.tensors.get(name)?;
        let truth = self.truth.tensors.get(name)?;
        let noise = self.noise.get(name).copied().unwrap_or(0.0);
        let width = tensor.width().max(1);
        let mut seen: Option<Compared> = None;
        let mut squares = [0.0_f64; 3];
        for claim in self
            .claims
            .all
            .iter()
            .filter(|claim| claim.checkpoint == name)
        {
            let (Some(expected), Some(_)) = (claim.what.of(tensor), claim.what.of(truth)) else {
                continue;
            };
            let index = if let What::Element(index) = claim.what {
                index
            } else {
                0
            };
            // Engines leave other values in scores that a query does not see.
            if name.ends_with("attn_scores") && truth.values.get(index) == Some(&0.0) {
                continue;
            }
            let error = (claim.value - expected).abs();
            let bound =
                claim.uncertainty + self.allowed(claim.what, noise, truth.values.len(), name);
            let ratio = if error == 0.0 { 0.0 } else { error / bound };
            let ratio = if ratio.is_nan() { f64::INFINITY } else { ratio };
            let here = Element {
                head: None,
                token: index / width,
                index: index % width,
                expected,
                found: claim.value,
                bound,
            };
            let all = seen.get_or_insert_with(|| Compared {
                elements: 0,
                over: 0,
                ratio: 0.0,
                relative: 0.0,
                distance: 0.0,
                noise: 0.0,
                size: 0.0,
                worst: here.clone(),
                first: None,
                tokens: vec![],
            });
            all.elements += 1;
            if ratio > all.ratio {
                (all.ratio, all.worst) = (ratio, here.clone());
            }
            if ratio > 1.0 {
                all.over += 1;
                if !all.tokens.contains(&here.token) {
                    all.tokens.push(here.token);
                }
                all.first.get_or_insert(here);
            }
            squares[0] += error * error;
            squares[1] += bound * bound;
            squares[2] += expected * expected;
        }
        let mut seen = seen?;
        let [distance, noise, size] = squares.map(libm::sqrt);
        seen.relative = if size > 0.0 {
            distance / size
        } else {
            distance
        };
        (seen.distance, seen.noise, seen.size) = (distance, noise, size);
        Some(seen)
    }

    /// The elements that are known of each checkpoint; all others are not a number.
    fn elements(&self) -> BTreeMap<String, Vec<f64>> {
        let mut all: BTreeMap<String, Vec<f64>> = BTreeMap::new();
        for claim in &self.claims.all {
            let (What::Element(index), Some(truth)) =
                (claim.what, self.truth.tensors.get(&claim.checkpoint))
            else {
                continue;
            };
            let values = all
                .entry(claim.checkpoint.clone())
                .or_insert_with(|| vec![f64::NAN; truth.values.len()]);
            if let Some(value) = values.get_mut(index) {
                *value = claim.value;
            }
        }
        all
    }

    /// How far a number may be off if elements are off by `noise`.
    fn allowed(&self, what: What, noise: f64, count: usize, name: &str) -> f64 {
        match what {
            // Errors add up as in a random walk; the sum itself is taken in f32, term by term.
            What::Sum => {
                let size: f64 = self.truth.tensors[name]
                    .values
                    .iter()
                    .map(|x| x.abs())
                    .sum();
                noise * libm::sqrt(count as f64) * 4.0
                    + size * crate::bound::ROUNDING * libm::sqrt(count as f64) * 4.0
            }
            _ => noise,
        }
    }

    fn diagnose(&self, reference: &Reference<'_, '_>, first: &Operation) -> Diagnosis {
        let seen = first.compared.as_ref();
        // To the end of the layer: what follows tells faults apart.
        let until = (reference.nodes.iter())
            .rposition(|node| node.layer() == first.layer)
            .unwrap_or(first.position);
        let until = until.max(first.position);
        let faults: Vec<&'static Fault> = catalogue().collect();
        let tokens = &self.claims.tokens;
        let steps = [tokens.len()];
        let found = self.elements();
        let mut tried: Vec<(f64, bool, &'static Fault)> = (faults.into_par_iter())
            .filter_map(|fault| {
                let fired = std::sync::atomic::AtomicBool::new(false);
                let replace = |site: &Site<'_, '_>| {
                    let wrong = (fault.wrong)(site)?;
                    fired.store(true, std::sync::atomic::Ordering::Relaxed);
                    Some(wrong)
                };
                let pass = Pass {
                    replace: Some(&replace),
                    single: false,
                    last: until,
                    found: &found,
                };
                let run = run_until(reference, tokens, &steps, &pass)?;
                fired
                    .load(std::sync::atomic::Ordering::Relaxed)
                    .then_some(())?;
                let mut total = 0.0;
                let mut right = true;
                for node in &reference.nodes[..=until] {
                    if let Some(seen) = self.compare(&node.name, &run) {
                        total += seen.relative * seen.relative;
                        right &= seen.over == 0;
                    }
                }
                Some((libm::sqrt(total), right, fault))
            })
            .filter(|(total, ..)| total.is_finite())
            .collect();
        tried.sort_by(|a, b| a.0.total_cmp(&b.0));
        let best = tried.first().map_or(0.0, |(total, ..)| *total);
        let kept: Vec<&'static Fault> = (tried.iter())
            .filter(|(total, right, _)| *right && *total <= 10.0 * best)
            .map(|(.., fault)| *fault)
            .collect();
        Diagnosis {
            checkpoint: first.name.clone(),
            through: first.through.clone(),
            relative: seen.map_or(0.0, |seen| seen.relative),
            named: (kept.len() == 1).then(|| kept[0]),
            ambiguous: if kept.len() > 1 { kept } else { vec![] },
            fits: (tried.iter())
                .map(|&(total, _, fault)| Fit {
                    fault,
                    residual: total,
                })
                .collect(),
            explains: vec![first.name.clone()],
            pattern: vec![format!(
                "numbers alone were compared with the model's own run; the checkpoints after {} follow from it",
                first.name
            )],
        }
    }
}

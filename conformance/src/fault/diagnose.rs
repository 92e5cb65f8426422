//! Which fault explains a wrong operation.
//!
//! At the first operation that is beyond its bounds every fault of the catalogue is tried: what it gives there, on the recorded inputs, is compared
//! with what was recorded. A fault fits if it leaves less than the bounds allow, and is named if every other leaves ten times as much. Faults
//! that give the same values there are told apart by all operations that any of them touches, right ones included. What a named fault
//! explains is set aside, and the next wrong operation is looked at: there may be several faults.

use super::{Fault, catalogue};
use crate::compare::{Operation, compared_elements};
use crate::precision::Precision;
use crate::recording::Recording;
use crate::reference::{Reference, Site, evaluate};
use rayon::prelude::*;
use std::sync::atomic::{AtomicBool, Ordering};

/// How well a fault explains what was recorded.
#[derive(Clone, Debug, PartialEq)]
pub struct Fit {
    /// The fault.
    pub fault: &'static Fault,
    /// `|recorded − fault's| / |right|`, in the 2-norm.
    pub residual: f64,
}

/// A wrong operation and what explains it.
#[derive(Clone, Debug, PartialEq)]
pub struct Diagnosis {
    /// The first checkpoint that shows it.
    pub checkpoint: String,
    /// Operations that lie between the recorded inputs and the checkpoint: the fault may be in any of them.
    pub through: Vec<String>,
    /// `|recorded − right| / |right|` there, in the 2-norm.
    pub relative: f64,
    /// The fault, if one alone fits.
    pub named: Option<&'static Fault>,
    /// The faults that fit and cannot be told apart by this recording; empty if one is named or none fits.
    pub ambiguous: Vec<&'static Fault>,
    /// All faults that were tried there, best first.
    pub fits: Vec<Fit>,
    /// The wrong checkpoints that it explains, this one included.
    pub explains: Vec<String>,
    /// What can be said about the error itself.
    pub pattern: Vec<String>,
}

/// A fault must leave at most this share of the error.
const EXPLAINED: f64 = 0.1;
/// How much worse the second best must be.
const APART: f64 = 10.0;

struct Case<'c, 'a> {
    reference: &'c Reference<'c, 'a>,
    recording: &'c Recording,
    precision: &'c Precision,
    operations: &'c [Operation],
}

/// Explains all wrong operations.
pub fn diagnose(
    reference: &Reference<'_, '_>,
    recording: &Recording,
    precision: &Precision,
    operations: &[Operation],
) -> Vec<Diagnosis> {
    let case = Case {
        reference,
        recording,
        precision,
        operations,
    };
    let mut open: Vec<&Operation> = operations.iter().filter(|op| op.is_wrong()).collect();
    let mut found = Vec::new();
    while let Some(&first) = open.first() {
        let diagnosis = case.explain(first, &open);
        open.retain(|op| !diagnosis.explains.contains(&op.name));
        found.push(diagnosis);
    }
    found
}

impl Case<'_, '_> {
    /// `|recorded − what a fault makes of a checkpoint|`; `None` if it does not touch it.
    fn distance(&self, fault: &'static Fault, at: usize) -> Option<f64> {
        let node = &self.reference.nodes[at];
        let found = self.recording.tensors.get(&node.name)?;
        // Most faults do not touch most nodes: where no other is between, the right values need not be evaluated then.
        let alone = (self.operations.iter()).any(|op| op.position == at && op.through.is_empty());
        let touched = AtomicBool::new(false);
        let replace = |site: &Site<'_, '_>| {
            let wrong = (fault.wrong)(site);
            touched.fetch_or(wrong.is_some(), Ordering::Relaxed);
            wrong.or_else(|| alone.then(Vec::new))
        };
        let evaluation = evaluate(self.reference, self.recording, at, Some(&replace), None)?;
        touched.load(Ordering::Relaxed).then_some(())?;
        let pairs = compared_elements(self.reference, node, &evaluation.tensor, found);
        let values = &evaluation.tensor.values;
        let squares = pairs.iter().map(|&(a, b)| {
            let difference = values[a] - found.values[b];
            difference * difference
        });
        Some(libm::sqrt(squares.sum()))
    }

    fn explain(&self, first: &Operation, open: &[&Operation]) -> Diagnosis {
        let Some(seen) = &first.compared else {
            return self.unexplained(first, vec![], vec![first.name.clone()], 0.0);
        };
        let faults: Vec<&'static Fault> = catalogue().collect();
        let mut fits: Vec<(f64, &'static Fault)> = (faults.into_par_iter())
            .filter_map(|fault| Some((self.distance(fault, first.position)?, fault)))
            .filter(|(distance, _)| distance.is_finite())
            .collect();
        fits.sort_by(|a, b| a.0.total_cmp(&b.0));
        let floor = self.floor(seen.size);
        // A fault may give larger values than the right operation, and bounds grow with the values.
        let grown = (seen.distance / seen.size.max(f64::MIN_POSITIVE)).max(1.0);
        let fitting: Vec<(f64, &'static Fault)> = (fits.iter().copied())
            .filter(|(distance, _)| {
                explains(*distance, seen.distance, floor)
                    && *distance <= floor.max(seen.noise) * grown * 2.0
            })
            .collect();
        let best = fitting.first().map_or(0.0, |(distance, _)| *distance);
        let near: Vec<&'static Fault> = (fitting.iter())
            .filter(|(distance, _)| *distance <= APART * best.max(floor))
            .map(|(_, fault)| *fault)
            .collect();
        let all: Vec<Fit> = (fits.iter())
            .map(|&(distance, fault)| Fit {
                fault,
                residual: distance / seen.size.max(f64::MIN_POSITIVE),
            })
            .collect();
        if near.is_empty() {
            // The same operation of other layers is presumably wrong for the same reason.
            let alike = open.iter().filter(|op| op.role == first.role);
            let explains = alike.map(|op| op.name.clone()).collect();
            return self.unexplained(first, all, explains, seen.relative);
        }
        let kept = self.told_apart(&near);
        let explains = self.explained(&kept, first, open);
        Diagnosis {
            checkpoint: first.name.clone(),
            through: first.through.clone(),
            relative: seen.relative,
            named: (kept.len() == 1).then(|| kept[0]),
            ambiguous: if kept.len() > 1 { kept } else { vec![] },
            fits: all,
            explains,
            pattern: pattern(first),
        }
    }

    /// What is within a rounding or two of a checkpoint's size cannot tell faults apart.
    fn floor(&self, size: f64) -> f64 {
        let unit =
            crate::bound::ROUNDING * self.precision.rounding + self.precision.stored.relative;
        2.0 * unit * size + self.precision.stored.absolute
    }

    fn unexplained(
        &self,
        first: &Operation,
        fits: Vec<Fit>,
        explains: Vec<String>,
        relative: f64,
    ) -> Diagnosis {
        Diagnosis {
            checkpoint: first.name.clone(),
            through: first.through.clone(),
            relative,
            named: None,
            ambiguous: vec![],
            fits,
            explains,
            pattern: pattern(first),
        }
    }

    /// Of faults that give the same values at one checkpoint those that fit best over all that any of them touches.
    fn told_apart(&self, near: &[&'static Fault]) -> Vec<&'static Fault> {
        if near.len() < 2 {
            return near.to_vec();
        }
        // Squares of relative distances, summed over operations.
        let mut totals = vec![0.0_f64; near.len()];
        let rows: Vec<(f64, Vec<Option<f64>>)> = (self.operations.par_iter())
            .filter_map(|op| {
                let seen = op.compared.as_ref()?;
                let each: Vec<Option<f64>> = near
                    .iter()
                    .map(|fault| self.distance(fault, op.position))
                    .collect();
                let size = seen.size.max(f64::MIN_POSITIVE);
                each.iter().any(Option::is_some).then(|| {
                    let relative = each.iter().map(|d| d.map(|d| d / size)).collect();
                    (seen.distance / size, relative)
                })
            })
            .collect();
        for (right, each) in &rows {
            for (total, distance) in totals.iter_mut().zip(each) {
                let distance = distance.unwrap_or(*right);
                *total += distance * distance;
            }
        }
        let best = totals.iter().fold(f64::INFINITY, |best, &x| best.min(x));
        let unit = self.floor(1.0);
        let limit = APART * APART * best.max(unit * unit);
        let pairs = near.iter().zip(&totals);
        pairs
            .filter(|(_, total)| **total <= limit)
            .map(|(fault, _)| *fault)
            .collect()
    }

    /// The wrong checkpoints that any of these faults explains.
    fn explained(
        &self,
        faults: &[&'static Fault],
        first: &Operation,
        open: &[&Operation],
    ) -> Vec<String> {
        let explained = |op: &&&Operation| {
            let Some(seen) = &op.compared else {
                return false;
            };
            op.name == first.name
                || faults.iter().any(|fault| {
                    let distance = self.distance(fault, op.position);
                    distance.is_some_and(|distance| {
                        explains(distance, seen.distance, self.floor(seen.size))
                    })
                })
        };
        open.par_iter()
            .filter(explained)
            .map(|op| op.name.clone())
            .collect()
    }
}

/// Whether what a fault leaves of an error is little: a small share, or no more than rounding of an error that is hardly more itself.
fn explains(left: f64, error: f64, floor: f64) -> bool {
    left <= EXPLAINED * error || (left <= 0.5 * floor && 3.0 * left <= error)
}

/// What can be said about an error without knowing its cause.
fn pattern(operation: &Operation) -> Vec<String> {
    let Some(seen) = &operation.compared else {
        return vec![];
    };
    let mut all = Vec::new();
    let share = 100.0 * seen.over as f64 / seen.elements as f64;
    all.push(format!(
        "{} of {} elements ({share:.1} %) are beyond their bounds",
        seen.over, seen.elements
    ));
    match (seen.tokens.first(), seen.tokens.last()) {
        (Some(0), _) | (None, _) => {}
        (Some(first), Some(last)) => {
            all.push(format!(
                "tokens before {first} are right; {first} to {last} are wrong"
            ));
        }
        (Some(_), None) => {}
    }
    if let Some(first) = &seen.first {
        all.push(format!(
            "the first is token {}, element {}: {:e} where {:e} is expected",
            first.token, first.index, first.found, first.expected
        ));
    }
    all
}

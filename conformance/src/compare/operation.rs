//! One operation of a recording against the reference.

use crate::precision::Precision;
use crate::recording::{Recording, Tensor};
use crate::reference::Part;
use crate::reference::{
    Evaluation, Node, Noise, Reference, Site, attention::Rule, evaluate, tokens_of,
};
use fidelis_engine::graph::Op;
use rayon::prelude::*;

/// An element that was compared.
#[derive(Clone, Debug, PartialEq)]
pub struct Element {
    /// The head, of scores and probabilities.
    pub head: Option<usize>,
    /// The token.
    pub token: usize,
    /// The element of its row; of scores and probabilities the position.
    pub index: usize,
    /// What it should be.
    pub expected: f64,
    /// What it is.
    pub found: f64,
    /// How far it may be off.
    pub bound: f64,
}

/// What a comparison showed.
#[derive(Clone, Debug, PartialEq)]
pub struct Compared {
    /// Elements.
    pub elements: usize,
    /// Elements beyond their bound.
    pub over: usize,
    /// The largest error over its bound.
    pub ratio: f64,
    /// `|found − expected| / |expected|` in the 2-norm.
    pub relative: f64,
    /// `|found − expected|` in the 2-norm.
    pub distance: f64,
    /// All bounds in the 2-norm.
    pub noise: f64,
    /// `|expected|` in the 2-norm.
    pub size: f64,
    /// The element with the largest error over its bound.
    pub worst: Element,
    /// The first element, in order, that is beyond its bound.
    pub first: Option<Element>,
    /// The tokens that have elements beyond their bound.
    pub tokens: Vec<usize>,
}

/// An operation of a recording.
#[derive(Clone, Debug, PartialEq)]
pub struct Operation {
    /// The checkpoint.
    pub name: String,
    /// Where it stands in the order of computation.
    pub position: usize,
    /// The layer, if it is in one.
    pub layer: Option<usize>,
    /// The name without the layer.
    pub role: String,
    /// The operations that were evaluated with it because their results are not recorded.
    pub through: Vec<String>,
    /// What the comparison showed; `None`: the inputs lack tokens that it needs.
    pub compared: Option<Compared>,
}

impl Operation {
    /// Whether an element is beyond its bound.
    pub fn is_wrong(&self) -> bool {
        self.compared.as_ref().is_some_and(|seen| seen.over > 0)
    }
}

/// Compares every recorded checkpoint with what its operation gives on the recorded inputs.
pub fn operations(
    reference: &Reference<'_, '_>,
    recording: &Recording,
    precision: &Precision,
) -> Vec<Operation> {
    let positions: Vec<usize> = (0..reference.nodes.len())
        .filter(|&at| recording.tensors.contains_key(&reference.nodes[at].name))
        .collect();
    (positions.into_par_iter())
        .map(|at| compare_node(reference, recording, precision, at))
        .collect()
}

/// The same for one node, which must be recorded.
pub fn compare_node(
    reference: &Reference<'_, '_>,
    recording: &Recording,
    precision: &Precision,
    position: usize,
) -> Operation {
    let node = &reference.nodes[position];
    let evaluation = evaluate(reference, recording, position, None, None);
    let through = evaluation.as_ref().map_or(vec![], |evaluation| {
        let inner = evaluation.segment.iter().filter(|&&at| at != position);
        inner.map(|&at| reference.nodes[at].name.clone()).collect()
    });
    let compared = evaluation.and_then(|evaluation| {
        let found = recording.tensors.get(&node.name)?;
        let bounds = bounds(reference, recording, precision, position, &evaluation)?;
        compare(reference, node, &evaluation.tensor, found, &bounds)
    });
    Operation {
        name: node.name.clone(),
        position,
        layer: node.layer(),
        role: node.role().to_owned(),
        through,
        compared,
    }
}

/// How far each value may be off: by its operation's own bound, and by what the bounds of those before it that are not recorded grow to.
fn bounds(
    reference: &Reference<'_, '_>,
    recording: &Recording,
    precision: &Precision,
    position: usize,
    evaluation: &Evaluation,
) -> Option<Vec<f64>> {
    let site = Site {
        reference,
        node: &reference.nodes[position],
        tokens: &recording.tokens,
        steps: &recording.steps,
        rows: evaluation.rows.clone(),
        recorded: &recording.tensors,
        computed: &evaluation.computed,
        found: None,
    };
    let right = &evaluation.tensor.values;
    let mut bounds = precision.bounds(&site, right)?;
    if evaluation.segment.len() > 1 || !precision.stored.is_exact() {
        let mut grown = 0.0_f64;
        for seed in 1..=2 {
            let noise = Noise { precision, seed };
            let moved = evaluate(reference, recording, position, None, Some(noise))?;
            let square: f64 = (moved.tensor.values.iter().zip(right))
                .map(|(a, b)| (a - b) * (a - b))
                .sum();
            grown = grown.max(square / right.len() as f64);
        }
        // Worst cases in random directions; eight times that is beyond what rounding does.
        let grown = 8.0 * libm::sqrt(grown);
        bounds.iter_mut().for_each(|bound| *bound += grown);
    }
    Some(bounds)
}

/// Which elements of a node are compared: of scores those that a query sees, for engines leave in place what they mask later.
pub(crate) fn compared_elements(
    reference: &Reference<'_, '_>,
    node: &Node,
    evaluated: &Tensor,
    found: &Tensor,
) -> Vec<(usize, usize)> {
    let (rows, has) = (tokens_of(evaluated), tokens_of(found));
    let (start, end) = (rows.start.max(has.start), rows.end.min(has.end));
    if node.is_square() {
        let positions = evaluated.width();
        let Op::Attend(attend) = &reference.graph.ops[node.op] else {
            return vec![];
        };
        let rule = Rule::in_graph(reference.graph, attend);
        let all = node.part == Part::Probs;
        return (0..evaluated.values.len())
            .filter(|at| {
                let (token, position) = (at / positions % positions, at % positions);
                all || (rule.sees)(token, position)
            })
            .map(|at| (at, at))
            .collect();
    }
    let width = evaluated.width();
    (start..end.max(start))
        .flat_map(|token| {
            let (a, b) = ((token - rows.start) * width, (token - has.start) * width);
            (0..width).map(move |i| (a + i, b + i))
        })
        .collect()
}

fn element(node: &Node, evaluated: &Tensor, at: usize) -> (Option<usize>, usize, usize) {
    let width = evaluated.width();
    if node.is_square() {
        let rows = evaluated.shape[1];
        return (Some(at / width / rows), at / width % rows, at % width);
    }
    (None, evaluated.first + at / width, at % width)
}

fn compare(
    reference: &Reference<'_, '_>,
    node: &Node,
    evaluated: &Tensor,
    found: &Tensor,
    bounds: &[f64],
) -> Option<Compared> {
    let pairs = compared_elements(reference, node, evaluated, found);
    let mut seen: Option<Compared> = None;
    let mut squares = [0.0_f64; 3];
    for (at, other) in pairs {
        let (expected, value, bound) = (evaluated.values[at], found.values[other], bounds[at]);
        let error = (value - expected).abs();
        // Written so that what is not a number is beyond every bound.
        let ratio = match () {
            () if error == 0.0 => 0.0,
            () if error.is_finite() && bound.is_finite() => error / bound,
            () => f64::INFINITY,
        };
        let ratio = if ratio.is_nan() { f64::INFINITY } else { ratio };
        let here = || {
            let (head, token, index) = element(node, evaluated, at);
            Element {
                head,
                token,
                index,
                expected,
                found: value,
                bound,
            }
        };
        let all = seen.get_or_insert_with(|| Compared {
            elements: 0,
            over: 0,
            ratio: 0.0,
            relative: 0.0,
            distance: 0.0,
            noise: 0.0,
            size: 0.0,
            worst: here(),
            first: None,
            tokens: vec![],
        });
        all.elements += 1;
        if ratio > all.ratio {
            (all.ratio, all.worst) = (ratio, here());
        }
        if ratio > 1.0 {
            all.over += 1;
            all.first.get_or_insert_with(here);
            let token = element(node, evaluated, at).1;
            if !all.tokens.contains(&token) {
                all.tokens.push(token);
            }
        }
        squares[0] += error * error;
        squares[1] += bound * bound;
        squares[2] += expected * expected;
    }
    let mut seen = seen?;
    let [distance, noise, size] = squares.map(libm::sqrt);
    seen.tokens.sort_unstable();
    seen.relative = if size > 0.0 {
        distance / size
    } else {
        distance
    };
    (seen.distance, seen.noise, seen.size) = (distance, noise, size);
    Some(seen)
}

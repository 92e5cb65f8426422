//! Nodes evaluated on what is recorded, through those that are not.

use super::{Node, Part, Reference, Site};
use crate::precision::Precision;
use crate::recording::{Provenance, Recording, Tensor};
use rand_core::Rng;
use rand_pcg::Pcg64Mcg;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

/// Gives other values than the right ones, or `None` to leave a site as it is.
pub type Replace<'r> = &'r (dyn Fn(&Site<'_, '_>) -> Option<Vec<f64>> + Sync);

/// Rounding put in on purpose: every value moved up or down by as much as its bound allows.
#[derive(Clone, Copy, Debug)]
pub struct Noise<'p> {
    /// Whose bounds.
    pub precision: &'p Precision,
    /// Of the directions.
    pub seed: u64,
}

/// What a node gives.
#[derive(Clone, Debug)]
pub struct Evaluation {
    /// Its values.
    pub tensor: Tensor,
    /// The tokens that it has rows for.
    pub rows: Range<usize>,
    /// The nodes that were evaluated, the target last: more than one where its inputs are not recorded.
    pub segment: Vec<usize>,
    /// What was evaluated on the way.
    pub computed: BTreeMap<String, Tensor>,
}

/// The nodes that must be evaluated for `target`, in order: itself, and upstream whatever is not recorded.
fn segment(
    reference: &Reference<'_, '_>,
    recorded: &BTreeMap<String, Tensor>,
    target: usize,
) -> Vec<usize> {
    let mut all = BTreeSet::from([target]);
    let mut open = vec![target];
    while let Some(at) = open.pop() {
        for input in &reference.nodes[at].inputs {
            let known = recorded.get(input).is_some_and(|tensor| tensor.rows() > 0);
            if let Some(at) = reference.position(input).filter(|_| !known)
                && all.insert(at)
            {
                open.push(at);
            }
        }
    }
    all.into_iter().collect()
}

/// The tokens that a node can be evaluated for.
fn rows_of(
    node: &Node,
    tokens: usize,
    tensor: impl Fn(&str) -> Option<Range<usize>>,
) -> Option<Range<usize>> {
    let mut rows = 0..tokens;
    for input in &node.inputs {
        let has = tensor(input)?;
        rows = rows.start.max(has.start)..rows.end.min(has.end);
        // Keys and values are needed of every token.
        if node.part != Part::Whole && has != (0..tokens) {
            return None;
        }
    }
    (!rows.is_empty()).then_some(rows)
}

/// The tokens that a tensor has.
pub(crate) fn tokens_of(tensor: &Tensor) -> Range<usize> {
    match tensor.shape[..] {
        [_, rows, _] => 0..rows,
        _ => tensor.first..tensor.first + tensor.rows(),
    }
}

/// The values as a tensor.
fn tensor(node: &Node, rows: &Range<usize>, tokens: usize, values: Vec<f64>) -> Tensor {
    Tensor {
        shape: if node.is_square() {
            vec![node.width, rows.len(), tokens]
        } else {
            vec![rows.len(), node.width]
        },
        first: rows.start,
        values,
    }
}

/// What `target` gives on the recorded inputs; `None` if they lack tokens that it needs.
pub fn evaluate(
    reference: &Reference<'_, '_>,
    recording: &Recording,
    target: usize,
    replace: Option<Replace<'_>>,
    noise: Option<Noise<'_>>,
) -> Option<Evaluation> {
    let segment = segment(reference, &recording.tensors, target);
    let tokens = recording.tokens.len();
    let mut computed: BTreeMap<String, Tensor> = BTreeMap::new();
    let mut random = noise.map(|noise| Pcg64Mcg::new(u128::from(noise.seed) << 1 | 1));
    let mut last = None;
    if let (Some(noise), Some(random)) = (noise, &mut random)
        && !noise.precision.stored.is_exact()
    {
        let inputs = segment.iter().flat_map(|&at| &reference.nodes[at].inputs);
        for (name, tensor) in inputs.filter_map(|name| Some((name, recording.tensors.get(name)?))) {
            let mut moved = tensor.clone();
            for value in &mut moved.values {
                *value += sign(random) * noise.precision.stored.moved(*value);
            }
            computed.insert(name.clone(), moved);
        }
    }
    for &at in &segment {
        let node = &reference.nodes[at];
        let known = |name: &str| {
            (computed.get(name))
                .or_else(|| recording.tensors.get(name))
                .map(tokens_of)
        };
        let rows = rows_of(node, tokens, known)?;
        let found = (recording.tensors.get(&node.name))
            .filter(|found| tokens_of(found) == rows)
            .map(|found| &found.values[..]);
        let site = Site {
            reference,
            node,
            tokens: &recording.tokens,
            steps: &recording.steps,
            rows: rows.clone(),
            recorded: &recording.tensors,
            computed: &computed,
            found,
        };
        let mut values = match replace.and_then(|replace| replace(&site)) {
            Some(values) => values,
            None => site.right()?,
        };
        if let (Some(noise), Some(random)) = (noise, &mut random)
            && at != target
        {
            let bounds = noise.precision.bounds(&site, &values)?;
            for (value, bound) in values.iter_mut().zip(bounds) {
                *value += if random.next_u32() & 1 == 0 {
                    bound
                } else {
                    -bound
                };
            }
        }
        let tensor = tensor(node, &rows, tokens, values);
        if at == target {
            last = Some((tensor, rows));
        } else {
            computed.insert(node.name.clone(), tensor);
        }
    }
    let (tensor, rows) = last?;
    Some(Evaluation {
        tensor,
        rows,
        segment,
        computed,
    })
}

fn sign(random: &mut Pcg64Mcg) -> f64 {
    if random.next_u32() & 1 == 0 {
        1.0
    } else {
        -1.0
    }
}

/// A whole forward pass, every value rounded to `f32` if `single`: the run of an engine that computes as `replace` says.
///
/// `None` if an operation cannot be evaluated on what a replaced one gave.
pub fn run(
    reference: &Reference<'_, '_>,
    tokens: &[u32],
    steps: &[usize],
    replace: Option<Replace<'_>>,
    single: bool,
) -> Option<Recording> {
    let all = Pass {
        replace,
        single,
        last: reference.nodes.len().checked_sub(1)?,
        found: &BTreeMap::new(),
    };
    run_until(reference, tokens, steps, &all)
}

/// A forward pass that is to be evaluated.
pub struct Pass<'r> {
    /// What an operation gives instead of the right values.
    pub replace: Option<Replace<'r>>,
    /// Whether every value is rounded to `f32`.
    pub single: bool,
    /// The last node.
    pub last: usize,
    /// [`Site::found`] by checkpoint.
    pub found: &'r BTreeMap<String, Vec<f64>>,
}

/// The same up to a node.
pub fn run_until(
    reference: &Reference<'_, '_>,
    tokens: &[u32],
    steps: &[usize],
    pass: &Pass<'_>,
) -> Option<Recording> {
    let mut tensors = BTreeMap::new();
    let nothing = BTreeMap::new();
    for node in &reference.nodes[..=pass.last] {
        let site = Site {
            reference,
            node,
            tokens,
            steps,
            rows: 0..tokens.len(),
            recorded: &tensors,
            computed: &nothing,
            found: pass.found.get(&node.name).map(Vec::as_slice),
        };
        let mut values = match pass.replace.and_then(|replace| replace(&site)) {
            Some(values) => values,
            None => site.right()?,
        };
        if pass.single {
            values.iter_mut().for_each(|x| *x = f64::from(*x as f32));
        }
        let tensor = tensor(node, &(0..tokens.len()), tokens.len(), values);
        tensors.insert(node.name.clone(), tensor);
    }
    Some(Recording {
        tokens: tokens.to_vec(),
        steps: steps.to_vec(),
        tensors,
        provenance: Provenance {
            engine: "fidelis reference".to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            tier: if pass.single { "f32" } else { "audit" }.to_owned(),
            ..Provenance::default()
        },
    })
}

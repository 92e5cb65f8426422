//! Every operation of a graph once more: in `f64`, plainly, sharing no kernel with the back ends.
//!
//! A [`Reference`] cuts a graph into nodes, one for each checkpoint. A node is evaluated at a [`Site`]: on the values that a recording
//! has of its inputs, or, where the recording has none, on values evaluated from what it has upstream. Any node can be evaluated by a
//! [`Wrong`] function in place of the right one: that is how faults are injected, and how they are recognised.
//!
//! Attention is three nodes: scores from queries and keys, probabilities from scores, heads from probabilities and values.

pub mod attention;
mod evaluate;
pub mod rows;
mod site;

pub(crate) use evaluate::tokens_of;
pub use evaluate::{Evaluation, Noise, Pass, Replace, evaluate, run, run_until};
pub use site::{Rows, Site, Wrong};

use fidelis_engine::graph::{Graph, Op, TensorId};
use std::collections::HashMap;

/// What a node computes of its operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// All of it.
    Whole,
    /// Of attention the scores, `[heads, tokens, positions]`.
    Scores,
    /// Of attention the probabilities, `[heads, tokens, positions]`.
    Probs,
    /// Of attention the result.
    Heads,
}

/// A checkpoint and what it is computed by.
#[derive(Clone, Debug)]
pub struct Node {
    /// The checkpoint.
    pub name: String,
    /// An index into the graph's operations.
    pub op: usize,
    /// What of the operation.
    pub part: Part,
    /// Elements of a row; of scores and probabilities the number of heads.
    pub width: usize,
    /// The checkpoints that it is computed from; none: the tokens.
    pub inputs: Vec<String>,
}

impl Node {
    /// The layer, if the checkpoint is in one.
    pub fn layer(&self) -> Option<usize> {
        crate::recording::layer(&self.name)
    }

    /// The name without its layer, such as `attn_q.rope`.
    pub fn role(&self) -> &str {
        match self.name.strip_prefix("blk.") {
            Some(rest) => rest.split_once('.').map_or(rest, |(_, role)| role),
            None => &self.name,
        }
    }

    /// Whether values are `[heads, tokens, positions]`.
    pub fn is_square(&self) -> bool {
        matches!(self.part, Part::Scores | Part::Probs)
    }
}

/// A graph, cut into nodes.
pub struct Reference<'m, 'a> {
    /// The graph.
    pub graph: &'m Graph<'a>,
    /// In the order of computation.
    pub nodes: Vec<Node>,
    index: HashMap<String, usize>,
}

impl<'m, 'a> Reference<'m, 'a> {
    /// Whether layers norm what they add to the residual: Gemma.
    pub fn has_post_norms(&self) -> bool {
        self.nodes
            .iter()
            .any(|node| node.role() == "attn_post_norm")
    }

    /// The nodes of a graph.
    pub fn new(graph: &'m Graph<'a>) -> Self {
        let name = |id: TensorId| graph.activations[id.0 as usize].name.clone();
        let mut nodes = Vec::new();
        for (op, operation) in graph.ops.iter().enumerate() {
            let mut add = |part, name, width, inputs| {
                nodes.push(Node {
                    name,
                    op,
                    part,
                    width,
                    inputs,
                });
            };
            if let Op::Attend(attend) = operation {
                let (scores, probs) = (attend.scores.clone(), attend.probs.clone());
                let inputs = vec![name(attend.query), name(attend.key)];
                add(Part::Scores, scores.clone(), attend.heads, inputs);
                add(Part::Probs, probs.clone(), attend.heads, vec![scores]);
            }
            let (part, out, inputs) = match operation {
                Op::Embed { out, .. } => (Part::Whole, *out, vec![]),
                Op::Norm { input, out, .. }
                | Op::MatMul { input, out, .. }
                | Op::Bias { input, out, .. }
                | Op::Rope { input, out, .. }
                | Op::SoftCap { input, out, .. } => (Part::Whole, *out, vec![name(*input)]),
                Op::Gate { gate, up, out, .. } => (Part::Whole, *out, vec![name(*gate), name(*up)]),
                Op::Add { a, b, out } => (Part::Whole, *out, vec![name(*a), name(*b)]),
                Op::Attend(attend) => {
                    let inputs = vec![attend.probs.clone(), name(attend.value)];
                    (Part::Heads, attend.out, inputs)
                }
            };
            let width = graph.activations[out.0 as usize].width;
            add(part, name(out), width, inputs);
        }
        let index = (nodes.iter().enumerate())
            .map(|(at, node)| (node.name.clone(), at))
            .collect();
        Self {
            graph,
            nodes,
            index,
        }
    }

    /// The node of a checkpoint.
    pub fn node(&self, name: &str) -> Option<&Node> {
        self.index.get(name).map(|&at| &self.nodes[at])
    }

    /// Where a node stands in the order of computation.
    pub fn position(&self, name: &str) -> Option<usize> {
        self.index.get(name).copied()
    }

    /// The name of an intermediate.
    pub fn name(&self, id: TensorId) -> &str {
        &self.graph.activations[id.0 as usize].name
    }
}

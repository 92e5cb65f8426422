//! A node where it is evaluated: its operation, its inputs, the tokens.

use super::{Node, Part, Reference, attention, rows};
use crate::recording::{Tensor, step_start};
use fidelis_engine::graph::{Attend, Op, TensorId, WeightId};
use fidelis_engine::tensor::Tensor as Weight;
use std::collections::BTreeMap;
use std::ops::Range;

/// A wrong variant of an operation: the values that it gives at a site, or `None` where it cannot occur.
pub type Wrong = fn(&Site<'_, '_>) -> Option<Vec<f64>>;

/// A node where it is evaluated.
pub struct Site<'s, 'a> {
    /// The graph.
    pub reference: &'s Reference<'s, 'a>,
    /// The node.
    pub node: &'s Node,
    /// All ids.
    pub tokens: &'s [u32],
    /// How many of them each call of the engine read.
    pub steps: &'s [usize],
    /// The tokens that values are wanted of.
    pub rows: Range<usize>,
    /// What is recorded.
    pub recorded: &'s BTreeMap<String, Tensor>,
    /// What was evaluated because it is not; goes first.
    pub computed: &'s BTreeMap<String, Tensor>,
    /// What the node was seen to give, if a fault is looked for: parameters are fitted to it. What is not known is not a number.
    pub found: Option<&'s [f64]>,
}

/// Rows of a checkpoint.
#[derive(Clone, Copy, Debug)]
pub struct Rows<'s> {
    width: usize,
    first: usize,
    values: &'s [f64],
}

impl<'s> Rows<'s> {
    /// The row of a token.
    ///
    /// # Panics
    ///
    /// If the checkpoint has none.
    pub fn row(&self, token: usize) -> &'s [f64] {
        &self.values[(token - self.first) * self.width..][..self.width]
    }

    /// Elements of a row.
    pub fn width(&self) -> usize {
        self.width
    }

    /// The tokens that have a row.
    pub fn tokens(&self) -> Range<usize> {
        self.first..self.first + self.values.len() / self.width.max(1)
    }
}

impl<'s, 'a> Site<'s, 'a> {
    /// The operation.
    pub fn op(&self) -> &'s Op {
        &self.reference.graph.ops[self.node.op]
    }

    /// The operation, if it is attention and the node this part of it.
    pub fn attend(&self, part: Part) -> Option<&'s Attend> {
        match self.op() {
            Op::Attend(attend) if self.node.part == part => Some(attend),
            _ => None,
        }
    }

    /// The values of a checkpoint.
    pub fn tensor(&self, name: &str) -> Option<&'s Tensor> {
        self.computed
            .get(name)
            .or_else(|| self.recorded.get(name).filter(|tensor| tensor.rows() > 0))
    }

    /// The rows of a checkpoint, if it has all that are wanted.
    pub fn named(&self, name: &str) -> Option<Rows<'s>> {
        let tensor = self.tensor(name)?;
        let rows = Rows {
            width: tensor.width(),
            first: tensor.first,
            values: &tensor.values,
        };
        let has = rows.tokens();
        (has.start <= self.rows.start && self.rows.end <= has.end).then_some(rows)
    }

    /// The rows of an intermediate.
    pub fn input(&self, id: TensorId) -> Option<Rows<'s>> {
        self.named(self.reference.name(id))
    }

    /// The rows of another checkpoint of the same layer.
    pub fn beside(&self, role: &str) -> Option<Rows<'s>> {
        self.named(&format!("blk.{}.{role}", self.node.layer()?))
    }

    /// The rows of what enters the layer.
    pub fn layer_input(&self) -> Option<Rows<'s>> {
        match self.node.layer()? {
            0 => self.named("token_embd"),
            layer => self.named(&format!("blk.{}.out", layer - 1)),
        }
    }

    /// A weight.
    pub fn weight(&self, id: WeightId) -> &'s Weight<'a> {
        &self.reference.graph.weights[id.0 as usize]
    }

    /// A weight by its name in the file.
    pub fn weight_named(&self, name: &str) -> Option<&'s Weight<'a>> {
        (self.reference.graph.weights.iter()).find(|weight| weight.name == name)
    }

    /// The first token of the step that a token was read in.
    pub fn step_start(&self, token: usize) -> usize {
        step_start(self.steps, token)
    }

    /// What the operation should give; `None` if an input is missing.
    pub fn right(&self) -> Option<Vec<f64>> {
        match (self.op(), self.node.part) {
            (Op::Attend(attend), part) => {
                let rule = attention::Rule::of(self, attend);
                match part {
                    Part::Scores => attention::scores(self, attend, &rule),
                    Part::Probs => attention::probs(self, attend, &rule),
                    Part::Heads | Part::Whole => attention::heads(self, attend, &rule),
                }
            }
            _ => rows::right(self),
        }
    }

    /// The values with `row` applied to each wanted token's.
    pub fn each(&self, row: impl Fn(usize) -> Vec<f64>) -> Option<Vec<f64>> {
        Some(self.rows.clone().flat_map(row).collect())
    }
}

//! Pieces that graphs are built from; shapes are checked here, once.

mod attention;
mod ends;
mod feed_forward;

pub(super) use attention::Attention;

use super::ModelError;
use super::config::Config;
use super::keys::Keys;
use super::weights::Weights;
use crate::gguf::Gguf;
use crate::graph::{Activation, Graph, Op, TensorId, WeightId};
use crate::shape::Shape;
use crate::tensor::Tensor;

/// A graph in the making.
pub(super) struct Build<'g, 'a> {
    /// The model's hyper-parameters.
    pub(super) config: &'g Config,
    /// Further keys of the architecture.
    pub(super) keys: Keys<'g, 'a>,
    /// Positions that the graph is for.
    context: usize,
    /// The file's tensors.
    pub(super) weights: Weights<'g, 'a>,
    graph: Graph<'a>,
}

impl<'g, 'a> Build<'g, 'a> {
    pub(super) fn new(gguf: &'g Gguf<'a>, config: &'g Config, context: usize) -> Self {
        Self {
            config,
            keys: Keys::new(gguf, &config.architecture),
            context,
            weights: Weights::new(gguf),
            graph: Graph {
                ops: vec![],
                activations: vec![],
                weights: vec![],
                ropes: vec![],
                caches: vec![],
                logits: TensorId(0),
            },
        }
    }

    pub(super) fn finish(self) -> Result<Graph<'a>, ModelError> {
        self.weights.finish()?;
        Ok(self.graph)
    }

    /// A checkpoint of `width` elements per token.
    fn activation(&mut self, name: String, width: usize) -> TensorId {
        self.graph.activations.push(Activation { name, width });
        TensorId(self.graph.activations.len() as u32 - 1)
    }

    fn width(&self, id: TensorId) -> usize {
        self.graph.activations[id.0 as usize].width
    }

    fn weight(&mut self, tensor: Tensor<'a>) -> WeightId {
        self.graph.weights.push(tensor);
        WeightId(self.graph.weights.len() as u32 - 1)
    }

    fn vector(&mut self, name: &str, len: usize) -> Result<WeightId, ModelError> {
        let tensor = self.weights.take(name, Shape::vector(len))?;
        Ok(self.weight(tensor))
    }

    /// `name = norm(input)` with the weight `{tensor}.weight`, for each of `heads` parts.
    pub(super) fn norm(
        &mut self,
        input: TensorId,
        tensor: &str,
        heads: usize,
        name: String,
    ) -> Result<TensorId, ModelError> {
        let width = self.width(input);
        let weight = self.vector(&format!("{tensor}.weight"), width / heads)?;
        let out = self.activation(name, width);
        self.graph.ops.push(Op::Norm {
            input,
            weight,
            epsilon: self.config.epsilon,
            heads,
            out,
        });
        Ok(out)
    }

    /// `name = {tensor}.weight · input`; `{name}.bias` adds `{tensor}.bias` if the file has it.
    fn product(
        &mut self,
        input: TensorId,
        tensor: &str,
        rows: usize,
        name: String,
    ) -> Result<TensorId, ModelError> {
        let weight = self.matrix(tensor, self.width(input), rows)?;
        let biased = format!("{name}.bias");
        let product = self.rows_of(input, weight, 0, rows, name);
        self.biased(product, tensor, biased)
    }

    /// `name = input + {tensor}.bias`, or the input if the file has no such tensor.
    fn biased(
        &mut self,
        input: TensorId,
        tensor: &str,
        name: String,
    ) -> Result<TensorId, ModelError> {
        let bias = format!("{tensor}.bias");
        if !self.weights.has(&bias) {
            return Ok(input);
        }
        let width = self.width(input);
        let bias = self.vector(&bias, width)?;
        let out = self.activation(name, width);
        self.graph.ops.push(Op::Bias { input, bias, out });
        Ok(out)
    }

    /// The matrix `{tensor}.weight`.
    fn matrix(&mut self, tensor: &str, width: usize, rows: usize) -> Result<WeightId, ModelError> {
        let matrix = self
            .weights
            .take(&format!("{tensor}.weight"), Shape::matrix(width, rows))?;
        Ok(self.weight(matrix))
    }

    /// Products with consecutive rows of the one matrix `{tensor}.weight`: so many rows for each name.
    fn split<const N: usize>(
        &mut self,
        input: TensorId,
        tensor: &str,
        parts: [(String, usize); N],
    ) -> Result<[TensorId; N], ModelError> {
        let total = parts.iter().map(|(_, rows)| rows).sum();
        let weight = self.matrix(tensor, self.width(input), total)?;
        let mut first = 0;
        Ok(parts.map(|(name, rows)| {
            let product = self.rows_of(input, weight, first, rows, name);
            first += rows;
            product
        }))
    }

    /// `name =` some rows of a matrix `· input`.
    fn rows_of(
        &mut self,
        input: TensorId,
        weight: WeightId,
        first: usize,
        rows: usize,
        name: String,
    ) -> TensorId {
        let out = self.activation(name, rows);
        self.graph.ops.push(Op::MatMul {
            input,
            weight,
            first,
            out,
        });
        out
    }

    /// `name = a + b`.
    pub(super) fn add(&mut self, a: TensorId, b: TensorId, name: String) -> TensorId {
        let out = self.activation(name, self.width(a));
        self.graph.ops.push(Op::Add { a, b, out });
        out
    }
}

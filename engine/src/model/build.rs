//! Pieces that graphs are built from; shapes are checked here, once.

use super::ModelError;
use super::config::Config;
use super::keys::Keys;
use super::rope::RopeConfig;
use super::weights::Weights;
use crate::gguf::Gguf;
use crate::graph::{
    Activate, Activation, Attend, Cache, Graph, Op, Pairing, RopeId, TensorId, WeightId,
};
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

/// How one layer attends.
pub(super) struct Attention {
    /// The angles.
    pub(super) rope: RopeId,
    /// How many positions are seen; `None`: all.
    pub(super) window: Option<usize>,
    /// Multiplies the query.
    pub(super) query_scale: f64,
    /// Multiplies the scores.
    pub(super) score_scale: f64,
    /// Bounds the scores.
    pub(super) soft_cap: Option<f32>,
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

    /// A rotary table, with a divisor for each pair if there are `factors`.
    pub(super) fn rope(
        &mut self,
        rope: &RopeConfig,
        pairing: Pairing,
        factors: Option<&[f64]>,
    ) -> RopeId {
        self.graph.ropes.push(rope.table(pairing, factors));
        RopeId(self.graph.ropes.len() as u32 - 1)
    }

    /// Divisors of the frequencies, if the file has any: for every context (Llama 3), or one set for
    /// contexts within the original and one for longer ones (Phi 3).
    pub(super) fn rope_factors(&mut self) -> Result<Option<Vec<f64>>, ModelError> {
        let rope = &self.config.rope;
        let pairs = rope.rotated / 2;
        let [any, short, long] = ["rope_freqs", "rope_factors_short", "rope_factors_long"]
            .map(|name| format!("{name}.weight"));
        let mut optional = |name: &String| -> Result<_, ModelError> {
            let has = self.weights.has(name);
            has.then(|| self.weights.numbers(name, pairs)).transpose()
        };
        if let Some(factors) = optional(&any)? {
            return Ok(Some(factors));
        }
        match (optional(&short)?, optional(&long)?) {
            (None, None) => Ok(None),
            (None, Some(_)) => Err(ModelError::MissingTensor { tensor: short }),
            (Some(_), None) => Err(ModelError::MissingTensor { tensor: long }),
            (Some(short), Some(_)) if self.context <= rope.original => Ok(Some(short)),
            (Some(_), long) => Ok(long),
        }
    }

    /// The scaled embedding, and the weight for a tied head.
    pub(super) fn embed(&mut self, scale: f64) -> Result<(TensorId, WeightId), ModelError> {
        let tensor = self.weights.take(
            "token_embd.weight",
            Shape::matrix(self.config.width, self.config.vocabulary),
        )?;
        let table = self.weight(tensor);
        let out = self.activation("token_embd".to_owned(), self.config.width);
        self.graph.ops.push(Op::Embed { table, scale, out });
        Ok((out, table))
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

    /// `name = input` with its heads turned.
    fn turn(&mut self, input: TensorId, heads: usize, rope: RopeId, name: String) -> TensorId {
        let out = self.activation(name, self.width(input));
        self.graph.ops.push(Op::Rope {
            input,
            heads,
            rope,
            out,
        });
        out
    }

    /// Queries and keys of layer `i`, normalised per head if `norms`, turned; then attention.
    pub(super) fn attend(
        &mut self,
        i: usize,
        [query, key, value]: [TensorId; 3],
        norms: bool,
        attention: &Attention,
    ) -> Result<TensorId, ModelError> {
        let c = self.config;
        let (mut query, mut key) = (query, key);
        if norms {
            query = self.norm(
                query,
                &format!("blk.{i}.attn_q_norm"),
                c.heads,
                format!("blk.{i}.attn_q.norm"),
            )?;
        }
        query = self.turn(
            query,
            c.heads,
            attention.rope,
            format!("blk.{i}.attn_q.rope"),
        );
        if norms {
            key = self.norm(
                key,
                &format!("blk.{i}.attn_k_norm"),
                c.kv_heads,
                format!("blk.{i}.attn_k.norm"),
            )?;
        }
        key = self.turn(
            key,
            c.kv_heads,
            attention.rope,
            format!("blk.{i}.attn_k.rope"),
        );
        let out = self.activation(format!("blk.{i}.attn_heads"), c.heads * c.value_width);
        self.graph.caches.push(Cache {
            heads: c.kv_heads,
            key_width: c.key_width,
            value_width: c.value_width,
            window: attention.window,
        });
        self.graph.ops.push(Op::Attend(Attend {
            query,
            key,
            value,
            cache: self.graph.caches.len() - 1,
            heads: c.heads,
            query_scale: attention.query_scale,
            score_scale: attention.score_scale,
            soft_cap: attention.soft_cap,
            out,
            scores: format!("blk.{i}.attn_scores"),
            probs: format!("blk.{i}.attn_probs"),
        }));
        Ok(out)
    }

    /// The three projections of layer `i`: from three matrices, each with a bias if the file has one, or from the rows of one.
    pub(super) fn projections(
        &mut self,
        i: usize,
        input: TensorId,
    ) -> Result<[TensorId; 3], ModelError> {
        let c = self.config;
        let parts = [
            ("q", c.heads * c.key_width),
            ("k", c.kv_heads * c.key_width),
            ("v", c.kv_heads * c.value_width),
        ]
        .map(|(part, rows)| (format!("blk.{i}.attn_{part}"), rows));
        let fused = format!("blk.{i}.attn_qkv");
        if self.weights.has(&format!("{fused}.weight")) {
            return self.split(input, &fused, parts);
        }
        let [q, k, v] = parts.map(|(name, rows)| self.product(input, &name, rows, name.clone()));
        Ok([q?, k?, v?])
    }

    /// The projection of the heads of layer `i` back to the residual stream.
    pub(super) fn attention_output(
        &mut self,
        i: usize,
        heads: TensorId,
    ) -> Result<TensorId, ModelError> {
        let name = format!("blk.{i}.attn_output");
        self.product(heads, &name, self.config.width, name.clone())
    }

    /// The gated feed-forward block of layer `i`.
    pub(super) fn feed_forward(
        &mut self,
        i: usize,
        input: TensorId,
        activate: Activate,
    ) -> Result<TensorId, ModelError> {
        let c = self.config;
        let [gate, up] = ["gate", "up"].map(|part| {
            let name = format!("blk.{i}.ffn_{part}");
            self.product(input, &name, c.feed_forward, name.clone())
        });
        self.gated(i, gate?, up?, activate)
    }

    /// The same where gate and up are the halves of `ffn_up`.
    pub(super) fn fused_feed_forward(
        &mut self,
        i: usize,
        input: TensorId,
        activate: Activate,
    ) -> Result<TensorId, ModelError> {
        let rows = self.config.feed_forward;
        let parts = ["gate", "up"].map(|part| (format!("blk.{i}.ffn_{part}"), rows));
        let [gate, up] = self.split(input, &format!("blk.{i}.ffn_up"), parts)?;
        self.gated(i, gate, up, activate)
    }

    /// Gate, product and the projection back.
    fn gated(
        &mut self,
        i: usize,
        gate: TensorId,
        up: TensorId,
        activate: Activate,
    ) -> Result<TensorId, ModelError> {
        let out = self.activation(format!("blk.{i}.ffn_act"), self.width(gate));
        self.graph.ops.push(Op::Gate {
            gate,
            up,
            activate,
            out,
        });
        let name = format!("blk.{i}.ffn_down");
        self.product(out, &name, self.config.width, name.clone())
    }

    /// `name = a + b`.
    pub(super) fn add(&mut self, a: TensorId, b: TensorId, name: String) -> TensorId {
        let out = self.activation(name, self.width(a));
        self.graph.ops.push(Op::Add { a, b, out });
        out
    }

    /// The last norm and the head: `output.weight`, or the embedding where there is none.
    pub(super) fn head(
        &mut self,
        input: TensorId,
        embedding: WeightId,
        soft_cap: Option<f32>,
    ) -> Result<(), ModelError> {
        let normed = self.norm(input, "output_norm", 1, "output_norm".to_owned())?;
        let vocabulary = self.config.vocabulary;
        let (tensor, raw) = ("output", "logits.raw".to_owned());
        // What follows the product takes the name that comparisons are made by.
        let last = soft_cap.is_none() && !self.weights.has("output.bias");
        let name = if last { "logits".to_owned() } else { raw };
        let weight = if self.weights.has("output.weight") {
            self.matrix(tensor, self.config.width, vocabulary)?
        } else {
            embedding
        };
        let product = self.rows_of(normed, weight, 0, vocabulary, name);
        let biased = if soft_cap.is_some() {
            "logits.raw.bias"
        } else {
            "logits"
        };
        let logits = self.biased(product, tensor, biased.to_owned())?;
        self.graph.logits = match soft_cap {
            None => logits,
            Some(cap) => {
                let out = self.activation("logits".to_owned(), vocabulary);
                self.graph.ops.push(Op::SoftCap {
                    input: logits,
                    cap,
                    out,
                });
                out
            }
        };
        Ok(())
    }
}

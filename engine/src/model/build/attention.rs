//! How a layer attends: projections, rotary turns, attention over the cache.

use super::Build;
use crate::graph::{Attend, Cache, Op, Pairing, RopeId, TensorId};
use crate::model::ModelError;
use crate::model::rope::RopeConfig;

/// How one layer attends.
pub(in crate::model) struct Attention {
    /// The angles.
    pub(in crate::model) rope: RopeId,
    /// How many positions are seen; `None`: all.
    pub(in crate::model) window: Option<usize>,
    /// Multiplies the query.
    pub(in crate::model) query_scale: f64,
    /// Multiplies the scores.
    pub(in crate::model) score_scale: f64,
    /// Bounds the scores.
    pub(in crate::model) soft_cap: Option<f32>,
}

impl Build<'_, '_> {
    /// A rotary table, with a divisor for each pair if there are `factors`.
    pub(in crate::model) fn rope(
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
    pub(in crate::model) fn rope_factors(&mut self) -> Result<Option<Vec<f64>>, ModelError> {
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

    /// The three projections of layer `i`: from three matrices, each with a bias if the file has one, or from the rows of one.
    pub(in crate::model) fn projections(
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

    /// Queries and keys of layer `i`, normalised per head if `norms`, turned; then attention.
    pub(in crate::model) fn attend(
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

    /// The projection of the heads of layer `i` back to the residual stream.
    pub(in crate::model) fn attention_output(
        &mut self,
        i: usize,
        heads: TensorId,
    ) -> Result<TensorId, ModelError> {
        let name = format!("blk.{i}.attn_output");
        self.product(heads, &name, self.config.width, name.clone())
    }
}

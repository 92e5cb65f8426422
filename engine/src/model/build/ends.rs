//! Where a graph begins and ends: tokens to embeddings, the residual stream to logits.

use super::Build;
use crate::graph::{Op, TensorId, WeightId};
use crate::model::ModelError;
use crate::shape::Shape;

impl Build<'_, '_> {
    /// The scaled embedding, and the weight for a tied head.
    pub(in crate::model) fn embed(
        &mut self,
        scale: f64,
    ) -> Result<(TensorId, WeightId), ModelError> {
        let tensor = self.weights.take(
            "token_embd.weight",
            Shape::matrix(self.config.width, self.config.vocabulary),
        )?;
        let table = self.weight(tensor);
        let out = self.activation("token_embd".to_owned(), self.config.width);
        self.graph.ops.push(Op::Embed { table, scale, out });
        Ok((out, table))
    }

    /// The last norm and the head: `output.weight`, or the embedding where there is none.
    pub(in crate::model) fn head(
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

//! The gated feed-forward block of a layer.

use super::Build;
use crate::graph::{Activate, Op, TensorId};
use crate::model::ModelError;

impl Build<'_, '_> {
    /// The gated feed-forward block of layer `i`.
    pub(in crate::model) fn feed_forward(
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
    pub(in crate::model) fn fused_feed_forward(
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
}

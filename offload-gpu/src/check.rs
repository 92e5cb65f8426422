//! What a graph must satisfy before kernels are made of it.

use crate::error::GpuError;
use crate::graph::{Attend, Graph, Op};
use crate::memory::Shape;

/// The most values that a buffer counts.
const MOST: usize = 1 << 31;

/// Checks every index and every width.
///
/// # Errors
///
/// [`GpuError::Invalid`] that says which operation is wrong, and how.
pub(crate) fn check(graph: &Graph, weights: &[Shape]) -> Result<(), GpuError> {
    let limits = [
        ("context", graph.context, MOST),
        ("tokens of a step", graph.batch, 1 << 16),
        ("wanted rows", graph.wanted, 1 << 16),
        ("operations", graph.ops.len(), 1 << 20),
    ];
    for (what, count, most) in limits {
        if count == 0 || count >= most {
            return Err(GpuError::invalid(format!("{count} is no number of {what}")));
        }
    }
    for (i, activation) in graph.activations.iter().enumerate() {
        let values = activation.width.checked_mul(graph.batch);
        if activation.width == 0 || values.is_none_or(|values| values >= MOST) {
            return Err(GpuError::invalid(format!(
                "intermediate {i} is {} wide",
                activation.width
            )));
        }
    }
    for (i, rope) in graph.ropes.iter().enumerate() {
        if rope.frequencies.is_empty() || rope.frequencies.len() > 1 << 16 {
            return Err(GpuError::invalid(format!("rotary table {i} has no pairs")));
        }
    }
    for (i, cache) in graph.caches.iter().enumerate() {
        let widths = [cache.heads, cache.key_width, cache.value_width];
        if widths.iter().any(|&width| width == 0 || width > 1 << 16) || cache.window == Some(0) {
            return Err(GpuError::invalid(format!("cache {i} has no size")));
        }
    }
    let mut written = vec![false; graph.activations.len()];
    for (i, activation) in graph.activations.iter().enumerate() {
        // What no operation writes comes from the host.
        let from_host = activation.observed || graph.input == Some(i);
        written[i] = from_host && !graph.ops.iter().any(|op| op.out() == i);
    }
    if graph.logits >= graph.activations.len() {
        return Err(GpuError::invalid("the logits are no intermediate"));
    }
    for (index, op) in graph.ops.iter().enumerate() {
        let checks = Checks {
            graph,
            weights,
            written: &written,
        };
        checks
            .op(op)
            .map_err(|what| GpuError::invalid(what).of_op(index))?;
        if std::mem::replace(&mut written[op.out()], true) {
            return Err(GpuError::invalid("its result is written before").of_op(index));
        }
    }
    if written[graph.logits] {
        Ok(())
    } else {
        Err(GpuError::invalid("nothing writes the logits"))
    }
}

struct Checks<'a> {
    graph: &'a Graph,
    weights: &'a [Shape],
    written: &'a [bool],
}

fn ensure(holds: bool, what: &str) -> Result<(), String> {
    if holds { Ok(()) } else { Err(what.to_owned()) }
}

impl Checks<'_> {
    fn op(&self, op: &Op) -> Result<(), String> {
        let out = self.width(op.out())?;
        let mut inputs = vec![];
        for id in op.inputs() {
            inputs.push(self.width(id)?);
            ensure(self.written[id], "it reads what is not yet written")?;
        }
        let same = || ensure(inputs.iter().all(|&width| width == out), "widths differ");
        match *op {
            Op::Embed { table, .. } => ensure(self.weight(table)?.width == out, "widths differ"),
            Op::Norm { weight, heads, .. } => {
                same()?;
                self.heads(heads, out)?;
                self.vector(weight, out / heads)
            }
            Op::MatMul {
                weight,
                first,
                residual,
                ..
            } => {
                let weight = self.weight(weight)?;
                ensure(inputs[0] == weight.width, "the weight is not that wide")?;
                let added = residual.is_none() || inputs[1] == out;
                ensure(added, "what is added has another width")?;
                let end = first.checked_add(out);
                ensure(
                    end.is_some_and(|end| end <= weight.rows),
                    "the weight has not that many rows",
                )
            }
            Op::Bias { bias, .. } => {
                same()?;
                self.vector(bias, out)
            }
            Op::Rope { heads, rope, .. } => {
                same()?;
                self.heads(heads, out)?;
                let table = self.graph.ropes.get(rope).ok_or("there is no such table")?;
                ensure(
                    2 * table.frequencies.len() <= out / heads,
                    "a head has not that many pairs",
                )
            }
            Op::Attend(attend) => self.attend(&attend, &inputs, out),
            Op::Gate { .. } | Op::Add { .. } | Op::SoftCap { .. } => same(),
        }
    }

    fn attend(&self, attend: &Attend, inputs: &[usize], out: usize) -> Result<(), String> {
        let cache = self.graph.caches.get(attend.cache);
        let cache = cache.ok_or("there is no such cache")?;
        ensure(
            attend.heads > 0 && attend.heads.is_multiple_of(cache.heads),
            "heads do not share the cache's evenly",
        )?;
        ensure(
            inputs
                == [
                    attend.heads * cache.key_width,
                    cache.heads * cache.key_width,
                    cache.heads * cache.value_width,
                ]
                && out == attend.heads * cache.value_width,
            "widths are not those of the heads",
        )
    }

    fn width(&self, id: usize) -> Result<usize, String> {
        let activation = self.graph.activations.get(id);
        Ok(activation.ok_or("there is no such intermediate")?.width)
    }

    fn weight(&self, id: usize) -> Result<&Shape, String> {
        Ok(self.weights.get(id).ok_or("there is no such weight")?)
    }

    fn vector(&self, id: usize, width: usize) -> Result<(), String> {
        let weight = self.weight(id)?;
        ensure(
            weight.is_vector(),
            "norms and biases must be vectors of F32, F16 or BF16",
        )?;
        ensure(weight.width == width, "the vector has another width")
    }

    fn heads(&self, heads: usize, width: usize) -> Result<(), String> {
        ensure(
            heads > 0 && width.is_multiple_of(heads),
            "heads do not divide the row",
        )
    }
}

//! A graph as kernels on buffers, made once.

use crate::check;
use crate::device::Gpu;
use crate::error::GpuError;
use crate::graph::{Graph, Op, Tier};
use crate::memory::Weight;
use crate::op;
use crate::pipeline::{Dispatch, Kernel};

/// Positions that keys are grouped by, and that attention takes together.
pub(crate) const CHUNK: usize = 128;

/// Bytes of logits that are kept at a time.
const LOGITS_BYTES: usize = 64 << 20;

/// One kernel of an operation, for so many rows and more.
pub(crate) struct Variant {
    pub(crate) from_rows: u32,
    pub(crate) x: usize,
    pub(crate) rows_per_y: u32,
    pub(crate) dispatch: Dispatch,
}

/// A kernel to run: the last variant that the number of rows reaches.
pub(crate) struct Stage {
    pub(crate) variants: Vec<Variant>,
    /// Only for rows whose logits are wanted.
    pub(crate) tail: bool,
}

/// The buffers of an intermediate.
#[derive(Clone, Default)]
pub(crate) struct Slot {
    pub(crate) floats: Option<wgpu::Buffer>,
    pub(crate) bytes: Option<wgpu::Buffer>,
}

/// The keys and values of a layer.
pub(crate) struct CacheMemory {
    pub(crate) keys: wgpu::Buffer,
    pub(crate) values: wgpu::Buffer,
    /// Positions of the ring, whole chunks.
    pub(crate) positions: usize,
}

/// A graph that is ready to run.
pub struct Plan {
    pub(crate) graph: Graph,
    pub(crate) stages: Vec<Stage>,
    pub(crate) choice: Vec<Stage>,
    pub(crate) slots: Vec<Slot>,
    pub(crate) compact: Vec<bool>,
    pub(crate) angles: Vec<wgpu::Buffer>,
    pub(crate) step: wgpu::Buffer,
    pub(crate) tokens: wgpu::Buffer,
    pub(crate) faults: wgpu::Buffer,
    pub(crate) chosen: wgpu::Buffer,
    pub(crate) caches: Vec<CacheMemory>,
    /// Rows of logits that are kept.
    pub(crate) logits_rows: usize,
    pub(crate) vocabulary: usize,
    /// Host memory that results are copied to, kept between steps.
    pub(crate) landing: Option<wgpu::Buffer>,
    /// Bytes of device memory that the plan holds.
    pub bytes: u64,
}

/// A plan in the making.
pub(crate) struct Build<'a> {
    pub(crate) gpu: &'a Gpu,
    pub(crate) graph: &'a Graph,
    weights: &'a [Option<Weight>],
    pub(crate) slots: Vec<Slot>,
    compact: Vec<bool>,
    /// The first operation that only wanted rows need.
    tail: usize,
    at: usize,
    stages: Vec<Stage>,
    pub(crate) angles: Vec<wgpu::Buffer>,
    pub(crate) step: wgpu::Buffer,
    pub(crate) tokens: wgpu::Buffer,
    pub(crate) faults: wgpu::Buffer,
    pub(crate) chosen: wgpu::Buffer,
    pub(crate) caches: Vec<CacheMemory>,
}

impl Plan {
    /// Makes kernels and takes memory for `graph`, whose operations name `weights` by index.
    ///
    /// # Errors
    ///
    /// [`GpuError`] if the graph contradicts itself, needs a kernel that is missing, or does not fit the device.
    pub fn new(gpu: &Gpu, graph: Graph, weights: &[Option<Weight>]) -> Result<Self, GpuError> {
        check::check(&graph, weights)?;
        let uniform = wgpu::BufferUsages::UNIFORM | wgpu::BufferUsages::COPY_DST;
        let tail = graph
            .ops
            .iter()
            .rposition(|op| matches!(op, Op::Attend(_)))
            .map_or(graph.ops.len(), |last| last + 1);
        let compact = compact(&graph, tail);
        let width = graph.activations[graph.logits].width;
        let logits_rows = (LOGITS_BYTES / (4 * width)).clamp(1, graph.batch);
        let angles = graph.ropes.iter().map(|rope| {
            let floats = 2 * rope.frequencies.len() * graph.batch;
            gpu.storage("angles", 4 * floats as u64)
        });
        let mut build = Build {
            slots: slots(gpu, &graph, weights, &compact, logits_rows)?,
            compact,
            tail,
            at: 0,
            stages: vec![],
            angles: angles.collect::<Result<_, _>>()?,
            step: gpu.buffer("the step", 32, uniform)?,
            tokens: gpu.storage("tokens", 4 * graph.batch as u64)?,
            faults: gpu.storage("faults", 4)?,
            chosen: gpu.storage("the chosen token", 4)?,
            caches: caches(gpu, &graph)?,
            gpu,
            graph: &graph,
            weights,
        };
        for index in 0..graph.ops.len() {
            build.at = index;
            op::add(&mut build, index)?;
        }
        let choice = op::largest(&build)?;
        let vocabulary = graph.ops.iter().find_map(|op| match op {
            Op::Embed { table, .. } => weights[*table].as_ref().map(|table| table.rows),
            _ => None,
        });
        let Build {
            slots,
            compact,
            stages,
            angles,
            step,
            tokens,
            faults,
            chosen,
            caches,
            ..
        } = build;
        let held = |slot: &Slot| {
            let buffers = slot.floats.iter().chain(&slot.bytes);
            buffers.map(wgpu::Buffer::size).sum::<u64>()
        };
        let cached = |cache: &CacheMemory| cache.keys.size() + cache.values.size();
        Ok(Self {
            bytes: slots.iter().map(held).sum::<u64>() + caches.iter().map(cached).sum::<u64>(),
            vocabulary: vocabulary.unwrap_or(usize::MAX),
            landing: None,
            graph,
            stages,
            choice,
            slots,
            compact,
            angles,
            step,
            tokens,
            faults,
            chosen,
            caches,
            logits_rows,
        })
    }

    /// What a plan remembers per layer, as the host counts it.
    pub fn ring(graph: &Graph, cache: usize) -> usize {
        let needed = graph.caches[cache].window.map_or(graph.context, |window| {
            let ring = window.saturating_add(graph.batch).saturating_add(CHUNK);
            graph.context.min(ring)
        });
        needed.next_multiple_of(CHUNK)
    }
}

/// The intermediates that hold rows for wanted logits only, from the last product on.
fn compact(graph: &Graph, tail: usize) -> Vec<bool> {
    let mut compact = vec![false; graph.activations.len()];
    if tail == graph.ops.len() {
        return compact;
    }
    compact[graph.logits] = graph.ops[tail..].iter().any(|op| op.out() == graph.logits);
    for op in graph.ops[tail..].iter().rev() {
        match *op {
            Op::SoftCap { input, out, .. } | Op::Bias { input, out, .. } if compact[out] => {
                compact[input] = true;
            }
            // Only products, biases and caps can write such rows.
            Op::MatMul { .. } | Op::SoftCap { .. } | Op::Bias { .. } => {}
            op => compact[op.out()] = false,
        }
    }
    // What another operation reads as well keeps all its rows.
    for op in &graph.ops {
        for input in op.inputs() {
            if compact[input] && !compact[op.out()] {
                return vec![false; graph.activations.len()];
            }
        }
    }
    compact
}

/// Rings for keys and values.
fn caches(gpu: &Gpu, graph: &Graph) -> Result<Vec<CacheMemory>, GpuError> {
    let element = match graph.cache {
        crate::graph::CacheFormat::F16 => 2,
        crate::graph::CacheFormat::F32 => 4,
    };
    let memory = graph.caches.iter().enumerate().map(|(i, cache)| {
        let positions = Plan::ring(graph, i);
        let bytes = |width: usize| (cache.heads * positions * width * element) as u64;
        Ok(CacheMemory {
            keys: gpu.storage("keys", bytes(cache.key_width))?,
            values: gpu.storage("values", bytes(cache.value_width.next_multiple_of(2)))?,
            positions,
        })
    });
    memory.collect()
}

/// Which forms of an intermediate are read.
fn forms(graph: &Graph, weights: &[Option<Weight>], id: usize) -> (bool, bool) {
    let mut floats = graph.activations[id].observed || graph.logits == id;
    let mut bytes = false;
    for op in graph.ops.iter().filter(|op| op.inputs().contains(&id)) {
        match op {
            Op::MatMul { weight, .. }
                if graph.tier == Tier::Fast
                    && weights[*weight]
                        .as_ref()
                        .is_some_and(|weight| !weight.format.is_float) =>
            {
                bytes = true;
            }
            _ => floats = true,
        }
    }
    // Only norms and gates write bytes themselves.
    let writer = graph.ops.iter().find(|op| op.out() == id);
    let own = match writer {
        Some(Op::Norm { heads, .. }) => *heads == 1,
        Some(Op::Gate { .. }) => true,
        _ => false,
    };
    (floats || !own || !bytes, bytes)
}

/// Buffers for all intermediates; those that are not observed share them when their times do not overlap.
fn slots(
    gpu: &Gpu,
    graph: &Graph,
    weights: &[Option<Weight>],
    compact: &[bool],
    logits_rows: usize,
) -> Result<Vec<Slot>, GpuError> {
    let mut last_use = vec![0; graph.activations.len()];
    for (index, op) in graph.ops.iter().enumerate() {
        for id in op.inputs().into_iter().chain([op.out()]) {
            last_use[id] = index;
        }
    }
    let mut slots = vec![Slot::default(); graph.activations.len()];
    let mut free: Vec<wgpu::Buffer> = vec![];
    let take = |bytes: u64, free: &mut Vec<wgpu::Buffer>| {
        let fits = free
            .iter()
            .position(|buffer| buffer.size() == bytes.next_multiple_of(16));
        match fits {
            Some(at) => Ok(free.swap_remove(at)),
            None => gpu.storage("intermediates", bytes),
        }
    };
    let make = |id: usize, free: &mut Vec<wgpu::Buffer>| -> Result<Slot, GpuError> {
        let (floats, bytes) = forms(graph, weights, id);
        let width = graph.activations[id].width as u64;
        let rows = if compact[id] { logits_rows } else { graph.batch } as u64;
        Ok(Slot {
            floats: floats.then(|| take(4 * width * rows, free)).transpose()?,
            bytes: bytes
                .then(|| take(48 * (width / 32) * rows, free))
                .transpose()?,
        })
    };
    for (id, activation) in graph.activations.iter().enumerate() {
        if activation.observed {
            slots[id] = make(id, &mut vec![])?;
        }
    }
    for (index, op) in graph.ops.iter().enumerate() {
        let out = op.out();
        if !graph.activations[out].observed {
            slots[out] = make(out, &mut free)?;
        }
        let mut ended = op.inputs();
        ended.push(out);
        ended.sort_unstable();
        ended.dedup();
        for id in ended {
            if last_use[id] == index && !graph.activations[id].observed && id != graph.logits {
                free.extend(slots[id].floats.clone());
                free.extend(slots[id].bytes.clone());
            }
        }
    }
    Ok(slots)
}

impl Build<'_> {
    pub(crate) fn width(&self, id: usize) -> usize {
        self.graph.activations[id].width
    }

    /// Whether the rows of an intermediate are those of the wanted logits.
    pub(crate) fn is_compact(&self, id: usize) -> bool {
        self.compact[id]
    }

    /// Whether the operation at hand is only run for wanted rows.
    pub(crate) fn in_tail(&self) -> bool {
        self.at >= self.tail
    }

    pub(crate) fn weight(&self, id: usize) -> Result<Weight, GpuError> {
        self.weights[id]
            .clone()
            .ok_or_else(|| GpuError::invalid("there is no such weight"))
    }

    pub(crate) fn vector(&self, id: usize) -> Result<wgpu::Buffer, GpuError> {
        self.weight(id)?
            .vector
            .ok_or_else(|| GpuError::invalid("the weight is no vector of floats"))
    }

    pub(crate) fn floats(&self, id: usize) -> Result<wgpu::Buffer, GpuError> {
        self.slots[id]
            .floats
            .clone()
            .ok_or_else(|| GpuError::invalid("an intermediate has no floats"))
    }

    pub(crate) fn bytes(&self, id: usize) -> Result<wgpu::Buffer, GpuError> {
        self.slots[id]
            .bytes
            .clone()
            .ok_or_else(|| GpuError::invalid("an intermediate has no bytes"))
    }

    pub(crate) fn build(&self, kernel: Kernel, tail: bool) -> Result<Dispatch, GpuError> {
        kernel.flag("TAIL", tail).build(self.gpu, &self.step)
    }

    /// A kernel that runs for all tokens.
    pub(crate) fn body(&self, kernel: Kernel) -> Result<Dispatch, GpuError> {
        self.build(kernel, false)
    }

    pub(crate) fn stage(&mut self, variants: Vec<Variant>, tail: bool) {
        self.stages.push(Stage { variants, tail });
    }

    /// Makes the bytes of an intermediate that was written as floats, if anything reads them.
    pub(crate) fn quantise_after(&mut self, id: usize) -> Result<(), GpuError> {
        if self.slots[id].bytes.is_none() {
            return Ok(());
        }
        let tail = self.in_tail();
        let kernel = Kernel::new("quantise", include_str!("wgsl/quantise.wgsl"))
            .count("WIDTH", self.width(id))
            .count("THREADS", 64)
            .read("input", "f32", &self.floats(id)?)
            .write("bytes_out", "u32", &self.bytes(id)?)
            .write("faults", "atomic<u32>", &self.faults)
            .with(if self.gpu.abilities.doubles {
                include_str!("wgsl/divide_wide.wgsl")
            } else {
                include_str!("wgsl/divide_narrow.wgsl")
            })
            .with(include_str!("wgsl/bytes_out.wgsl"));
        let variant = Variant {
            from_rows: 1,
            x: self.width(id).div_ceil(4 * 64),
            rows_per_y: 1,
            dispatch: self.build(kernel, tail)?,
        };
        self.stage(vec![variant], tail);
        Ok(())
    }
}

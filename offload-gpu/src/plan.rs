//! A graph as kernels on buffers, made once.

use crate::check;
use crate::device::Gpu;
use crate::encode::Form;
use crate::error::GpuError;
use crate::fuse::{self, Shortcut};
use crate::graph::{Graph, Op};
use crate::layout::{self, Layout};
use crate::memory::{Shape, Weight};
use crate::op;
use crate::pipeline::{Dispatch, Kernel};
use std::ops::Range;

/// How many workgroups there are beside one another.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Lines {
    /// One for so many rows.
    Rows(u32),
    /// One.
    Once,
    /// One for every chunk that the step's position sees through this window; 0: through none.
    Chunks(usize),
    /// One, if it sees more than one chunk.
    Merge(usize),
}

/// What the size of a dispatch depends on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Extent {
    pub(crate) rows: u32,
    pub(crate) position: usize,
}

/// One kernel of an operation, for so many rows and more.
pub(crate) struct Variant {
    pub(crate) from_rows: u32,
    pub(crate) x: usize,
    pub(crate) y: Lines,
    pub(crate) dispatch: Dispatch,
}

impl Lines {
    pub(crate) fn count(self, extent: Extent) -> u32 {
        let chunks = |window: usize| {
            let end = extent.position + 1;
            let first = if window > 0 {
                end.saturating_sub(window)
            } else {
                0
            };
            (extent.position / layout::CHUNK - first / layout::CHUNK + 1) as u32
        };
        match self {
            Self::Rows(per) => extent.rows.div_ceil(per),
            Self::Once => 1,
            Self::Chunks(window) => chunks(window),
            Self::Merge(window) => u32::from(chunks(window) > 1),
        }
    }
}

/// A kernel to run: the last variant that the number of rows reaches.
pub(crate) struct Stage {
    pub(crate) variants: Vec<Variant>,
    /// Only for rows whose logits are wanted.
    pub(crate) tail: bool,
    /// Only for fewer rows than that.
    pub(crate) below: u32,
}

impl Stage {
    /// The kernel for so many rows.
    pub(crate) fn variant(&self, rows: u32) -> Option<&Variant> {
        let fits = |variant: &&Variant| variant.from_rows <= rows && rows < self.below;
        self.variants.iter().rev().find(fits)
    }
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
    /// Kept because kernels use them.
    _caches: Vec<CacheMemory>,
    /// Rows of the embedding, if tokens are read.
    pub(crate) vocabulary: Option<usize>,
    /// The first operation that runs for wanted rows alone.
    pub(crate) tail_from: usize,
    /// Positions read.
    pub(crate) read: usize,
    /// Positions whose angles are on the device.
    pub(crate) turns: Range<usize>,
    /// Whether a step may have reported faults that are still there.
    pub(crate) faulty: bool,
    /// Host memory that results are copied to, kept between steps.
    pub(crate) landing: Option<wgpu::Buffer>,
    /// The commands of a step that may be asked for next.
    pub(crate) ahead: Option<(Form, wgpu::CommandBuffer)>,
    /// Bytes of device memory that the plan holds.
    pub bytes: u64,
}

/// A plan in the making.
pub(crate) struct Build<'a> {
    pub(crate) gpu: &'a Gpu,
    pub(crate) graph: &'a Graph,
    weights: &'a [Weight],
    pub(crate) slots: Vec<Slot>,
    compact: Vec<bool>,
    /// The first operation that only wanted rows need.
    tail: usize,
    at: usize,
    /// Stages are for so many rows and more,
    floor: u32,
    /// and for fewer than that.
    below: u32,
    stages: Vec<Stage>,
    wants_floats: Vec<bool>,
    partials: Option<wgpu::Buffer>,
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
    pub fn new(gpu: &Gpu, mut graph: Graph, weights: &[Weight]) -> Result<Self, GpuError> {
        let shapes: Vec<Shape> = weights.iter().map(|weight| weight.shape).collect();
        check::check(&graph, &shapes)?;
        if let Some(unfinished) = weights.iter().position(|weight| !weight.is_complete()) {
            let what = format!("rows of weight {unfinished} were not uploaded");
            return Err(GpuError::invalid(what));
        }
        let origins = fuse::residuals(&mut graph);
        let shortcuts = shortcuts(gpu, &graph, &shapes);
        let layout = Layout::new(&graph, &shapes, &shortcuts);
        let bytes = cached(&graph) + layout.total();
        let uniform = wgpu::BufferUsages::UNIFORM | wgpu::BufferUsages::COPY_DST;
        let angles = graph.ropes.iter().map(|rope| {
            let floats = 2 * rope.frequencies.len() * graph.batch;
            gpu.storage("angles", 4 * floats as u64)
        });
        let mut build = Build {
            slots: slots(gpu, &layout)?,
            compact: layout.compact,
            tail: layout.tail,
            at: 0,
            floor: 0,
            below: u32::MAX,
            wants_floats: layout.wants_floats,
            partials: None,
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
        // What comes from the host comes as floats.
        for id in 0..graph.activations.len() {
            if !graph.ops.iter().any(|op| op.out() == id) {
                build.quantise_after(id)?;
            }
        }
        for index in 0..graph.ops.len() {
            build.at = index;
            let replaced = |s: &&Shortcut| s.at == index || s.others.contains(&index);
            build.floor = shortcuts.iter().find(replaced).map_or(0, |s| s.below);
            let failure = |error: GpuError| error.of_op(origins[index]);
            if build.floor < u32::MAX {
                op::add(&mut build, index).map_err(failure)?;
            }
            build.floor = 0;
            for shortcut in shortcuts.iter().filter(|shortcut| shortcut.at == index) {
                build.below = shortcut.below;
                op::shortcut(&mut build, shortcut).map_err(failure)?;
                build.below = u32::MAX;
            }
        }
        let choice = op::largest(&build)?;
        let vocabulary = graph.ops.iter().find_map(|op| match op {
            Op::Embed { table, .. } => Some(shapes[*table].rows),
            _ => None,
        });
        let Build {
            slots,
            compact,
            tail,
            stages,
            angles,
            step,
            tokens,
            faults,
            chosen,
            caches,
            ..
        } = build;
        Ok(Self {
            bytes,
            vocabulary,
            landing: None,
            ahead: None,
            turns: 0..0,
            faulty: false,
            tail_from: tail,
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
            _caches: caches,
            read: 0,
        })
    }

    /// Bytes of keys, values and intermediates that a plan of `graph` takes.
    ///
    /// # Errors
    ///
    /// [`GpuError`] if the graph contradicts itself.
    pub fn measure(graph: &Graph, weights: &[Shape]) -> Result<u64, GpuError> {
        check::check(graph, weights)?;
        Ok(cached(graph) + Layout::new(graph, weights, &[]).total())
    }

    /// How far behind the newest position, beyond a window, a step may begin; `None`: anywhere.
    pub fn spare(&self) -> Option<usize> {
        let graph = &self.graph;
        let windows = graph.caches.iter().filter_map(|cache| {
            let held = layout::ring(graph, cache);
            cache
                .window
                .filter(|_| held < graph.context)
                .map(|window| held - window)
        });
        windows.min()
    }
}

/// Bytes of all keys and values.
fn cached(graph: &Graph) -> u64 {
    let caches = graph.caches.iter();
    caches
        .flat_map(|cache| layout::cache_bytes(graph, cache))
        .sum()
}

/// The kernels for several operations that can be made; `FIDELIS_GPU_PLAIN` in the environment: none.
fn shortcuts(gpu: &Gpu, graph: &Graph, weights: &[Shape]) -> Vec<Shortcut> {
    if std::env::var_os("FIDELIS_GPU_PLAIN").is_some() {
        return vec![];
    }
    let mut shortcuts = fuse::shortcuts(graph);
    shortcuts.retain(|shortcut| op::has_shortcut(gpu, graph, weights, shortcut));
    shortcuts
}

/// The buffers of a layout.
fn slots(gpu: &Gpu, layout: &Layout) -> Result<Vec<Slot>, GpuError> {
    let buffers = layout
        .sizes
        .iter()
        .map(|&size| gpu.storage("intermediates", size))
        .collect::<Result<Vec<_>, _>>()?;
    let buffer = |at: &Option<usize>| at.map(|at| buffers[at].clone());
    Ok(layout
        .floats
        .iter()
        .zip(&layout.bytes)
        .map(|(floats, bytes)| Slot {
            floats: buffer(floats),
            bytes: buffer(bytes),
        })
        .collect())
}

/// Rings for keys and values.
fn caches(gpu: &Gpu, graph: &Graph) -> Result<Vec<CacheMemory>, GpuError> {
    let memory = graph.caches.iter().map(|cache| {
        let [keys, values] = layout::cache_bytes(graph, cache);
        Ok(CacheMemory {
            keys: gpu.storage("keys", keys)?,
            values: gpu.storage("values", values)?,
            positions: layout::ring(graph, cache),
        })
    });
    memory.collect()
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

    pub(crate) fn weight(&self, id: usize) -> Weight {
        self.weights[id].clone()
    }

    pub(crate) fn vector(&self, id: usize) -> Result<wgpu::Buffer, GpuError> {
        self.weight(id)
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

    pub(crate) fn stage(&mut self, mut variants: Vec<Variant>, tail: bool) {
        for variant in &mut variants {
            variant.from_rows = variant.from_rows.max(self.floor);
        }
        self.stages.push(Stage {
            variants,
            tail,
            below: self.below,
        });
    }

    /// Whether anything reads the floats of an intermediate.
    pub(crate) fn wants_floats(&self, id: usize) -> bool {
        self.wants_floats[id]
    }

    /// Room for what the chunks of a layer's attention leave for one another; layers share it.
    pub(crate) fn partials(&mut self, bytes: u64) -> Result<wgpu::Buffer, GpuError> {
        match &self.partials {
            Some(partials) if partials.size() >= bytes => Ok(partials.clone()),
            _ => {
                let partials = self.gpu.storage("chunks of attention", bytes)?;
                self.partials = Some(partials.clone());
                Ok(partials)
            }
        }
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
            y: Lines::Rows(1),
            dispatch: self.build(kernel, tail)?,
        };
        self.stage(vec![variant], tail);
        Ok(())
    }
}

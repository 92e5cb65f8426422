//! Which intermediates need which buffers, and which buffers several can share.

use crate::fuse::Shortcut;
use crate::graph::{Cache, Graph, Op, Tier};
use crate::memory::Shape;

/// Positions that keys are grouped by, and that attention takes together.
pub(crate) const CHUNK: usize = 128;

/// Sizes of buffers, and which of them an intermediate uses.
#[derive(Debug, Default)]
pub(crate) struct Layout {
    /// Bytes of each buffer.
    pub(crate) sizes: Vec<u64>,
    /// The buffer of an intermediate's floats.
    pub(crate) floats: Vec<Option<usize>>,
    /// The buffer of an intermediate's bytes, the input of products.
    pub(crate) bytes: Vec<Option<usize>>,
    /// Whether an intermediate has rows for the wanted tokens alone.
    pub(crate) compact: Vec<bool>,
    /// The first operation that only wanted rows need.
    pub(crate) tail: usize,
    /// Whether anything reads an intermediate's floats.
    pub(crate) wants_floats: Vec<bool>,
}

impl Layout {
    /// Plans the buffers of `graph`; those of intermediates that are not observed are shared when their times do not overlap.
    pub(crate) fn new(graph: &Graph, weights: &[Shape], shortcuts: &[Shortcut]) -> Self {
        let count = graph.activations.len();
        let tail = graph
            .ops
            .iter()
            .rposition(|op| matches!(op, Op::Attend(_)))
            .map_or(graph.ops.len(), |last| last + 1);
        let mut layout = Self {
            floats: vec![None; count],
            bytes: vec![None; count],
            compact: compact(graph, tail),
            tail,
            sizes: vec![],
            wants_floats: vec![false; count],
        };
        let mut last_use = vec![0; count];
        for (index, op) in graph.ops.iter().enumerate() {
            for id in op.inputs().into_iter().chain([op.out()]) {
                last_use[id] = index;
            }
        }
        // A kernel for several operations reads at the last of them.
        for shortcut in shortcuts {
            for id in shortcut.inputs() {
                last_use[id] = last_use[id].max(shortcut.at);
            }
        }
        let keeps = |id: usize| {
            graph.activations[id].observed || id == graph.logits || graph.input == Some(id)
        };
        for id in (0..count).filter(|&id| keeps(id)) {
            layout.place(graph, weights, id, &mut vec![]);
        }
        let mut free = vec![];
        for (index, op) in graph.ops.iter().enumerate() {
            let out = op.out();
            if !keeps(out) {
                layout.place(graph, weights, out, &mut free);
            }
            let mut ended = op.inputs();
            ended.push(out);
            let here = shortcuts.iter().filter(|shortcut| shortcut.at == index);
            ended.extend(here.flat_map(Shortcut::inputs));
            ended.sort_unstable();
            ended.dedup();
            for id in ended {
                if last_use[id] == index && !keeps(id) {
                    free.extend(layout.floats[id].into_iter().chain(layout.bytes[id]));
                }
            }
        }
        layout
    }

    /// Bytes of all buffers.
    pub(crate) fn total(&self) -> u64 {
        self.sizes.iter().sum()
    }

    fn place(&mut self, graph: &Graph, weights: &[Shape], id: usize, free: &mut Vec<usize>) {
        let (floats, bytes) = forms(graph, weights, id);
        self.wants_floats[id] = floats;
        // Only norms and gates write bytes themselves.
        let own = match graph.ops.iter().find(|op| op.out() == id) {
            Some(Op::Norm { heads, .. }) => *heads == 1,
            Some(Op::Gate { .. }) => true,
            _ => false,
        };
        let floats = floats || !own || !bytes;
        let width = graph.activations[id].width as u64;
        let rows = if self.compact[id] {
            graph.wanted
        } else {
            graph.batch
        } as u64;
        if floats {
            self.floats[id] = Some(self.take(4 * width * rows, free));
        }
        if bytes {
            self.bytes[id] = Some(self.take(48 * (width / 32) * rows, free));
        }
    }

    fn take(&mut self, bytes: u64, free: &mut Vec<usize>) -> usize {
        match free.iter().position(|&buffer| self.sizes[buffer] == bytes) {
            Some(at) => free.swap_remove(at),
            None => {
                self.sizes.push(bytes);
                self.sizes.len() - 1
            }
        }
    }
}

/// Positions that a layer's ring holds: whole chunks, a window and a batch at least.
pub(crate) fn ring(graph: &Graph, cache: &Cache) -> usize {
    let needed = cache.window.map_or(graph.context, |window| {
        let ring = window.saturating_add(graph.batch).saturating_add(CHUNK);
        graph.context.min(ring)
    });
    needed.next_multiple_of(CHUNK)
}

/// Bytes of a layer's keys, and of its values.
pub(crate) fn cache_bytes(graph: &Graph, cache: &Cache) -> [u64; 2] {
    let format = cache.format;
    let bytes = |width: usize| (cache.heads * ring(graph, cache) * format.bytes(width)) as u64;
    [
        bytes(cache.key_width),
        bytes(cache.value_width.next_multiple_of(format.value_multiple())),
    ]
}

/// The intermediates that hold rows for wanted tokens only: what follows from the last product on.
fn compact(graph: &Graph, tail: usize) -> Vec<bool> {
    let none = vec![false; graph.activations.len()];
    if !graph.ops[tail..].iter().any(|op| op.out() == graph.logits) {
        return none;
    }
    let mut compact = none.clone();
    compact[graph.logits] = true;
    for op in graph.ops[tail..].iter().rev() {
        match *op {
            Op::SoftCap { input, out, .. } | Op::Bias { input, out, .. } if compact[out] => {
                compact[input] = true;
            }
            Op::MatMul {
                residual: Some(residual),
                ..
            } if compact[residual] => return none,
            // Only products, biases and caps can write such rows.
            Op::MatMul { .. } | Op::SoftCap { .. } | Op::Bias { .. } => {}
            op if compact[op.out()] => return none,
            _ => {}
        }
    }
    // What another operation reads as well keeps all its rows.
    let read_elsewhere = graph.ops.iter().any(|op| {
        let inputs = op.inputs();
        !compact[op.out()] && inputs.iter().any(|&input| compact[input])
    });
    let from_outside = (0..compact.len())
        .any(|id| compact[id] && !graph.ops[tail..].iter().any(|op| op.out() == id));
    if read_elsewhere || from_outside {
        none
    } else {
        compact
    }
}

/// Whether the floats, and whether the bytes of an intermediate are read.
fn forms(graph: &Graph, weights: &[Shape], id: usize) -> (bool, bool) {
    let mut floats = graph.activations[id].observed || graph.logits == id;
    let mut bytes = false;
    for op in graph.ops.iter().filter(|op| op.inputs().contains(&id)) {
        match op {
            Op::MatMul {
                input,
                weight,
                residual,
                ..
            } if graph.tier == Tier::Fast && !weights[*weight].format.is_float => {
                bytes |= *input == id;
                floats |= *residual == Some(id);
            }
            _ => floats = true,
        }
    }
    (floats, bytes)
}

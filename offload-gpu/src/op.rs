//! One file per kind of operation: which kernels run it, on which buffers.

mod attend;
mod elementwise;
mod embed;
mod largest;
mod norm;
mod product;
mod rope;

use crate::device::Gpu;
use crate::error::GpuError;
use crate::fuse::{Shortcut, ShortcutKind};
use crate::graph::{Graph, Op};
use crate::memory::Shape;
use crate::pipeline::Kernel;
use crate::plan::Build;

/// Adds the stages of operation `index`.
pub(crate) fn add(build: &mut Build<'_>, index: usize) -> Result<(), GpuError> {
    match build.graph.ops[index] {
        Op::Embed { table, scale, out } => embed::add(build, table, scale, out),
        Op::Norm {
            input,
            weight,
            epsilon,
            heads,
            out,
        } => {
            let norm = norm::Norm {
                input,
                weight,
                epsilon,
                heads,
                out,
            };
            norm::add(build, &norm)
        }
        Op::MatMul {
            input,
            weight,
            first,
            residual,
            out,
        } => {
            let product = product::Product {
                input,
                weight,
                first,
                residual,
                out,
            };
            product::add(build, &product)
        }
        Op::Bias { input, bias, out } => elementwise::bias(build, input, bias, out),
        Op::Rope {
            input,
            heads,
            rope,
            out,
        } => rope::add(build, input, heads, rope, out),
        Op::Attend(attend) => attend::add(build, &attend),
        Op::Gate {
            gate,
            up,
            curve,
            out,
        } => elementwise::gate(build, gate, up, curve, out),
        Op::Add { a, b, out } => elementwise::sum(build, a, b, out),
        Op::SoftCap { input, cap, out } => elementwise::soft_cap(build, input, cap, out),
    }
}

/// Adds the stages of a kernel for several operations.
pub(crate) fn shortcut(build: &mut Build<'_>, shortcut: &Shortcut) -> Result<(), GpuError> {
    match &shortcut.kind {
        ShortcutKind::Attend(attended) => attend::one(build, attended),
        ShortcutKind::Gated(gated) => product::gated(build, gated, shortcut.at),
        ShortcutKind::Together(together) => product::join(build, together),
        ShortcutKind::Norms(norms) => norm::norms(build, norms),
    }
}

/// Whether there is a kernel for these operations together, on this device and for these weights.
pub(crate) fn has_shortcut(
    gpu: &Gpu,
    graph: &Graph,
    weights: &[Shape],
    shortcut: &Shortcut,
) -> bool {
    match &shortcut.kind {
        ShortcutKind::Attend(attended) => {
            attend::can_attend(gpu, &graph.caches[attended.attend.cache])
        }
        ShortcutKind::Gated(gated) => product::can_gate(gpu, graph, weights, gated, shortcut.at),
        ShortcutKind::Together(together) => product::can_join(gpu, graph, weights, together),
        ShortcutKind::Norms(norms) => norm::can_chain(graph, norms),
    }
}

pub(crate) use largest::largest;

/// Correctly rounded division where the device has doubles.
fn division(build: &Build<'_>) -> &'static str {
    if build.gpu.abilities.doubles {
        include_str!("wgsl/divide_wide.wgsl")
    } else {
        include_str!("wgsl/divide_narrow.wgsl")
    }
}

/// Sums of squares, as exact as the device allows.
fn squares(build: &Build<'_>) -> &'static str {
    if build.gpu.abilities.doubles {
        include_str!("wgsl/wide_doubles.wgsl")
    } else {
        include_str!("wgsl/wide_pairs.wgsl")
    }
}

/// The hyperbolic tangent, with what it calls.
fn tangent(build: &Build<'_>) -> &'static str {
    if build.gpu.abilities.doubles {
        include_str!("wgsl/tanh_wide.wgsl")
    } else {
        include_str!("wgsl/tanh_narrow.wgsl")
    }
}

/// Where results of `out` go: as floats, as bytes, as what is read later.
fn results(build: &Build<'_>, kernel: Kernel, out: usize, threads: usize) -> Kernel {
    let slot = &build.slots[out];
    let mut kernel = kernel
        .count("THREADS", threads)
        .flag("BYTES", slot.bytes.is_some());
    kernel = match &slot.floats {
        Some(floats) => kernel
            .write("out", "f32", floats)
            .with("fn store_float(at: u32, value: f32) {\n    out[at] = value;\n}\n"),
        None => kernel.with("fn store_float(at: u32, value: f32) {}\n"),
    };
    match &slot.bytes {
        Some(bytes) => kernel
            .write("bytes_out", "u32", bytes)
            .write("faults", "atomic<u32>", &build.faults)
            .with(division(build))
            .with(include_str!("wgsl/bytes_out.wgsl")),
        None => kernel.with(include_str!("wgsl/bytes_none.wgsl")),
    }
}

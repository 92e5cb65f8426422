//! `out = x / √(mean x² + epsilon) · weight`.

use super::results;
use crate::device::Gpu;
use crate::error::GpuError;
use crate::fuse::Norms;
use crate::graph::Graph;
use crate::pipeline::Kernel;
use crate::plan::{Build, Lines, Variant};

/// A norm.
pub(super) struct Norm {
    pub(super) input: usize,
    pub(super) weight: usize,
    pub(super) epsilon: f32,
    pub(super) heads: usize,
    pub(super) out: usize,
}

const THREADS: usize = 256;

pub(super) fn add(build: &mut Build<'_>, norm: &Norm) -> Result<(), GpuError> {
    let width = build.width(norm.out) / norm.heads;
    let input = build.floats(norm.input)?;
    let weight = build.vector(norm.weight)?;
    let kernel = Kernel::new("norm", include_str!("../wgsl/norm.wgsl"))
        .count("WIDTH", width)
        .count("HEADS", norm.heads)
        .real("EPSILON", norm.epsilon)
        .read("input", "f32", &input)
        .read("weight", "f32", &weight)
        .with(super::squares(build));
    let threads = if width < THREADS { 64 } else { THREADS };
    // A group of 32 may lie across the parts of a row: those are quantised afterwards.
    let later = norm.heads > 1 && build.slots[norm.out].bytes.is_some();
    let kernel = if later {
        let out = build.floats(norm.out)?;
        kernel
            .count("THREADS", threads)
            .flag("BYTES", false)
            .write("out", "f32", &out)
            .with("fn store_float(at: u32, value: f32) {\n    out[at] = value;\n}\n")
            .with(include_str!("../wgsl/bytes_none.wgsl"))
    } else {
        results(build, kernel, norm.out, threads)
    };
    let tail = build.in_tail();
    let dispatch = build.build(kernel, tail)?;
    let variant = Variant {
        from_rows: 1,
        x: norm.heads,
        y: Lines::Rows(1),
        dispatch,
    };
    build.stage(vec![variant], tail);
    if later {
        build.quantise_after(norm.out)?;
    }
    Ok(())
}

/// Whether a row fits the workgroup's memory, with what else lies there.
pub(super) fn can_chain(gpu: &Gpu, graph: &Graph, norms: &Norms) -> bool {
    let width = graph.activations[norms.out].width;
    4 * width + (4 << 10) <= gpu.abilities.workgroup_bytes as usize
}

/// A norm, a sum and a norm.
pub(super) fn norms(build: &mut Build<'_>, norms: &Norms) -> Result<(), GpuError> {
    let kernel = Kernel::new("norm_sum_norm", include_str!("../wgsl/norm_sum_norm.wgsl"))
        .count("WIDTH", build.width(norms.out))
        .real("EPSILON", norms.first.1)
        .real("NEXT_EPSILON", norms.second.1)
        .read("input", "f32", &build.floats(norms.input)?)
        .read("weight", "f32", &build.vector(norms.first.0)?)
        .read("other", "f32", &build.floats(norms.other)?)
        .read("next_weight", "f32", &build.vector(norms.second.0)?)
        .write("between", "f32", &build.floats(norms.sum)?)
        .with(super::squares(build));
    let kernel = results(build, kernel, norms.out, THREADS);
    let tail = build.in_tail();
    let variant = Variant {
        from_rows: 1,
        x: 1,
        y: Lines::Rows(1),
        dispatch: build.build(kernel, tail)?,
    };
    build.stage(vec![variant], tail);
    Ok(())
}

//! `out = x / √(mean x² + epsilon) · weight`.

use super::results;
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

/// Lanes of a workgroup, each of which has fours of adjacent elements, and how many fours.
fn lanes(build: &Build<'_>, width: usize) -> [usize; 2] {
    let fours = width.div_ceil(4);
    let most = 512.min(build.gpu.abilities.workgroup as usize);
    let lanes = fours.next_multiple_of(64).min(most);
    [lanes, fours.div_ceil(lanes)]
}

pub(super) fn add(build: &mut Build<'_>, norm: &Norm) -> Result<(), GpuError> {
    let width = build.width(norm.out) / norm.heads;
    let [threads, fours] = lanes(build, width);
    let input = build.floats(norm.input)?;
    let weight = build.vector(norm.weight)?;
    let kernel = Kernel::new("norm", include_str!("../wgsl/norm.wgsl"))
        .count("WIDTH", width)
        .count("HEADS", norm.heads)
        .real("EPSILON", norm.epsilon)
        .read("input", "f32", &input)
        .read("weight", "f32", &weight)
        .repeat("PER", 4 * fours)
        .repeat("WORDS", fours)
        .with(include_str!("../wgsl/root.wgsl"))
        .with(super::squares(build));
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

/// Whether a row fits the registers of a workgroup.
pub(super) fn can_chain(graph: &Graph, norms: &Norms) -> bool {
    graph.activations[norms.out].width <= 1 << 14
}

/// A norm, a sum and a norm.
pub(super) fn norms(build: &mut Build<'_>, norms: &Norms) -> Result<(), GpuError> {
    let [threads, fours] = lanes(build, build.width(norms.out));
    let kernel = Kernel::new("norm_sum_norm", include_str!("../wgsl/norm_sum_norm.wgsl"))
        .count("WIDTH", build.width(norms.out))
        .real("EPSILON", norms.first.1)
        .real("NEXT_EPSILON", norms.second.1)
        .read("input", "f32", &build.floats(norms.input)?)
        .read("weight", "f32", &build.vector(norms.first.0)?)
        .read("other", "f32", &build.floats(norms.other)?)
        .read("next_weight", "f32", &build.vector(norms.second.0)?)
        .write("between", "f32", &build.floats(norms.sum)?)
        .repeat("PER", 4 * fours)
        .repeat("WORDS", fours)
        .with(include_str!("../wgsl/root.wgsl"))
        .with(super::squares(build));
    let kernel = results(build, kernel, norms.out, threads);
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

//! Heads turned by their position's angles.

use crate::error::GpuError;
use crate::pipeline::Kernel;
use crate::plan::{Build, Lines, Variant};

pub(super) fn add(
    build: &mut Build<'_>,
    input: usize,
    heads: usize,
    rope: usize,
    out: usize,
) -> Result<(), GpuError> {
    let width = build.width(out);
    let tail = build.in_tail();
    let table = &build.graph.ropes[rope];
    let kernel = Kernel::new("rope", include_str!("../wgsl/rope.wgsl"))
        .count("HEADS", heads)
        .count("WIDTH", width / heads)
        .count("PAIRS", table.frequencies.len())
        .flag("NEIGHBOURS", table.neighbours)
        .read("input", "f32", &build.floats(input)?)
        .read("angles", "f32", &build.angles[rope])
        .write("out", "f32", &build.floats(out)?);
    let variant = Variant {
        from_rows: 1,
        x: width.div_ceil(64),
        y: Lines::Rows(1),
        dispatch: build.build(kernel, tail)?,
    };
    build.stage(vec![variant], tail);
    build.quantise_after(out)
}

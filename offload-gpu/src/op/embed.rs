//! `out = scale · table[token]`.

use crate::error::GpuError;
use crate::pipeline::Kernel;
use crate::plan::{Build, Lines, Variant};

pub(super) fn add(
    build: &mut Build<'_>,
    table: usize,
    scale: f32,
    out: usize,
) -> Result<(), GpuError> {
    let weight = build.weight(table);
    let floats = build.floats(out)?;
    for part in &weight.parts {
        let (main, lanes) = if weight.shape.format.is_float {
            (
                include_str!("../wgsl/embed_floats.wgsl"),
                weight.shape.width,
            )
        } else {
            (include_str!("../wgsl/embed.wgsl"), weight.shape.width / 32)
        };
        let kernel = Kernel::new("embed", main)
            .count("FIRST", part.rows.start)
            .count("ROWS", part.rows.len())
            .real("SCALE", scale)
            .read("tokens", "u32", &build.tokens)
            .write("out", "f32", &floats);
        let kernel = super::product::reading(kernel, &weight, part);
        let variant = Variant {
            from_rows: 1,
            x: lanes.div_ceil(64),
            y: Lines::Rows(1),
            dispatch: build.body(kernel)?,
        };
        build.stage(vec![variant], false);
    }
    build.quantise_after(out)
}

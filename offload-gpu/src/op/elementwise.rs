//! Gates, sums, biases and caps.

use super::{division, results, tangent};
use crate::error::GpuError;
use crate::graph::Curve;
use crate::pipeline::Kernel;
use crate::plan::{Build, Lines, Variant};

const THREADS: usize = 64;

pub(super) fn gate(
    build: &mut Build<'_>,
    gate: usize,
    up: usize,
    curve: Curve,
    out: usize,
) -> Result<(), GpuError> {
    let width = build.width(out);
    let tail = build.in_tail();
    let kernel = Kernel::new("gate", include_str!("../wgsl/gate.wgsl"))
        .count("WIDTH", width)
        .read("gate", "f32", &build.floats(gate)?)
        .read("up", "f32", &build.floats(up)?);
    let kernel = curved(build, kernel, curve, out);
    let kernel = results(build, kernel, out, THREADS);
    let variant = Variant {
        from_rows: 1,
        x: width.div_ceil(4 * THREADS),
        y: Lines::Rows(1),
        dispatch: build.build(kernel, tail)?,
    };
    build.stage(vec![variant], tail);
    Ok(())
}

/// The function `curve` of a gate whose result goes to `out`.
pub(super) fn curved(build: &Build<'_>, kernel: Kernel, curve: Curve, out: usize) -> Kernel {
    let curve = match curve {
        Curve::Silu => "silu",
        Curve::GeluTanh => "gelu_tanh",
    };
    let kernel = kernel
        .with(include_str!("../wgsl/exponential.wgsl"))
        .with(include_str!("../wgsl/curves.wgsl"))
        .with(format!(
            "fn curve(x: f32) -> f32 {{\n    return {curve}(x);\n}}\n"
        ));
    // Bytes bring the division with them.
    match build.slots[out].bytes {
        Some(_) => kernel,
        None => kernel.with(division(build)),
    }
}

pub(super) fn sum(build: &mut Build<'_>, a: usize, b: usize, out: usize) -> Result<(), GpuError> {
    let other = build.floats(b)?;
    added(build, a, &other, false, out)
}

pub(super) fn bias(
    build: &mut Build<'_>,
    input: usize,
    bias: usize,
    out: usize,
) -> Result<(), GpuError> {
    let vector = build.vector(bias)?;
    added(build, input, &vector, true, out)
}

fn added(
    build: &mut Build<'_>,
    a: usize,
    b: &wgpu::Buffer,
    vector: bool,
    out: usize,
) -> Result<(), GpuError> {
    let width = build.width(out);
    let tail = build.in_tail();
    let kernel = Kernel::new("add", include_str!("../wgsl/add.wgsl"))
        .count("WIDTH", width)
        .flag("VECTOR", vector)
        .flag("COMPACT", build.is_compact(out))
        .read("a", "f32", &build.floats(a)?)
        .read("b", "f32", b)
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

pub(super) fn soft_cap(
    build: &mut Build<'_>,
    input: usize,
    cap: f32,
    out: usize,
) -> Result<(), GpuError> {
    let width = build.width(out);
    let tail = build.in_tail();
    let kernel = Kernel::new("soft_cap", include_str!("../wgsl/soft_cap.wgsl"))
        .count("WIDTH", width)
        .real("CAP", cap)
        .flag("COMPACT", build.is_compact(out))
        .read("input", "f32", &build.floats(input)?)
        .write("out", "f32", &build.floats(out)?)
        .with(include_str!("../wgsl/exponential.wgsl"))
        .with(division(build))
        .with(tangent(build));
    let variant = Variant {
        from_rows: 1,
        x: width.div_ceil(64),
        y: Lines::Rows(1),
        dispatch: build.build(kernel, tail)?,
    };
    build.stage(vec![variant], tail);
    build.quantise_after(out)
}

//! `out[j] = weight[first + j] · input`.

use crate::error::GpuError;
use crate::graph::Tier;
use crate::memory::{Part, Weight};
use crate::pipeline::Kernel;
use crate::plan::{Build, Variant};

/// A product.
pub(super) struct Product {
    pub(super) input: usize,
    pub(super) weight: usize,
    pub(super) first: usize,
    pub(super) out: usize,
}

/// Rows that a workgroup computes of one token.
const ROWS: usize = 16;

/// Lanes that share a row.
const LANES: usize = 16;

/// Groups whose terms wait in workgroup memory.
const TILE: usize = 32;

/// From how many tokens on weights are unpacked for many at a time.
const TILES_FROM: u32 = 8;

/// A kernel that reads a part of a weight.
pub(super) fn reading(mut kernel: Kernel, weight: &Weight, part: &Part) -> Kernel {
    kernel = kernel
        .count("WIDTH", weight.shape.width)
        .read("weight_words", "u32", &part.buffer);
    if weight.shape.format.is_float {
        return kernel.with(weight.shape.format.source);
    }
    for (i, plane) in part.planes.iter().take(weight.shape.format.fields.len()).enumerate() {
        kernel = kernel.count(&format!("PLANE_{i}"), *plane);
    }
    kernel
        .count("GROUPS", weight.shape.width / 32)
        .read("weight_fours", "vec4<u32>", &part.buffer)
        .with(include_str!("../wgsl/format/read.wgsl"))
        .with(weight.shape.format.source)
}

pub(super) fn add(build: &mut Build<'_>, product: &Product) -> Result<(), GpuError> {
    let weight = build.weight(product.weight);
    let rows = product.first..product.first + build.width(product.out);
    let tail = build.in_tail();
    for part in &weight.parts {
        let (start, end) = (
            rows.start.max(part.rows.start),
            rows.end.min(part.rows.end),
        );
        if start >= end {
            continue;
        }
        let piece = Piece {
            weight: &weight,
            part,
            first: start - part.rows.start,
            rows: end - start,
            out_first: start - product.first,
        };
        let variants = if weight.shape.format.is_float {
            floats(build, product, &piece)?
        } else if build.graph.tier == Tier::Fast {
            bytes(build, product, &piece)?
        } else {
            decoded(build, product, &piece)?
        };
        build.stage(variants, tail);
    }
    build.quantise_after(product.out)
}

/// Rows of a weight that lie in one buffer.
struct Piece<'a> {
    weight: &'a Weight,
    part: &'a Part,
    first: usize,
    rows: usize,
    out_first: usize,
}

/// What all kernels of products share.
fn kernel(
    build: &Build<'_>,
    name: &'static str,
    main: &str,
    product: &Product,
    piece: &Piece<'_>,
) -> Result<Kernel, GpuError> {
    let kernel = Kernel::new(name, main)
        .count("FIRST", piece.first)
        .count("ROWS", piece.rows)
        .count("OUT_FIRST", piece.out_first)
        .count("OUT_WIDTH", build.width(product.out))
        .flag("COMPACT", build.is_compact(product.out))
        .write("out", "f32", &build.floats(product.out)?)
        .with(include_str!("../wgsl/emit.wgsl"));
    Ok(reading(kernel, piece.weight, piece.part))
}

fn bytes(
    build: &mut Build<'_>,
    product: &Product,
    piece: &Piece<'_>,
) -> Result<Vec<Variant>, GpuError> {
    let input = build.bytes(product.input)?;
    let tail = build.in_tail();
    let min = piece.weight.shape.format.has_min;
    let few = kernel(
        build,
        "product_bytes",
        include_str!("../wgsl/product_bytes.wgsl"),
        product,
        piece,
    )?
    .count("ROWS_HERE", ROWS)
    .count("LANES", LANES)
    .count("TILE_GROUPS", TILE)
    .count("MIN_TERMS", if min { 2 * ROWS * (TILE + 1) } else { 1 })
    .read("input", "vec4<u32>", &input)
    .with(include_str!("../wgsl/terms.wgsl"));
    let many = kernel(
        build,
        "product_tiles",
        include_str!("../wgsl/product_tiles.wgsl"),
        product,
        piece,
    )?
    // Only `Q2_K` has both halves and minima.
    .count("MINS", if piece.weight.shape.format.id == 10 { 128 } else { 1 })
    .read("input", "vec4<u32>", &input)
    .with(include_str!("../wgsl/terms.wgsl"));
    Ok(vec![
        Variant {
            from_rows: 1,
            x: piece.rows.div_ceil(ROWS),
            rows_per_y: 1,
            dispatch: build.build(few, tail)?,
        },
        Variant {
            from_rows: TILES_FROM,
            x: piece.rows.div_ceil(64),
            rows_per_y: 64,
            dispatch: build.build(many, tail)?,
        },
    ])
}

fn decoded(
    build: &mut Build<'_>,
    product: &Product,
    piece: &Piece<'_>,
) -> Result<Vec<Variant>, GpuError> {
    let input = build.floats(product.input)?;
    let tail = build.in_tail();
    let one = kernel(
        build,
        "product_decoded",
        include_str!("../wgsl/product_decoded.wgsl"),
        product,
        piece,
    )?
    .count("ROWS_HERE", ROWS)
    .count("LANES", LANES)
    .read("input", "vec4<f32>", &input);
    Ok(vec![Variant {
        from_rows: 1,
        x: piece.rows.div_ceil(ROWS),
        rows_per_y: 1,
        dispatch: build.build(one, tail)?,
    }])
}

fn floats(
    build: &mut Build<'_>,
    product: &Product,
    piece: &Piece<'_>,
) -> Result<Vec<Variant>, GpuError> {
    let input = build.floats(product.input)?;
    let tail = build.in_tail();
    let four = kernel(
        build,
        "product_floats",
        include_str!("../wgsl/product_floats.wgsl"),
        product,
        piece,
    )?
    .read("input", "f32", &input);
    Ok(vec![Variant {
        from_rows: 1,
        x: piece.rows.div_ceil(8),
        rows_per_y: 4,
        dispatch: build.build(four, tail)?,
    }])
}

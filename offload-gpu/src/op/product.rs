//! `out[j] = weight[first + j] · input`.

mod together;

pub(super) use together::{can_join, join};

use crate::device::Gpu;
use crate::error::GpuError;
use crate::format;
use crate::fuse::Gated;
use crate::graph::{Graph, Op, Tier};
use crate::memory::{Part, Shape, Weight};
use crate::pipeline::Kernel;
use crate::plan::{Build, Lines, Variant};

/// A product.
pub(super) struct Product {
    pub(super) input: usize,
    pub(super) weight: usize,
    pub(super) first: usize,
    pub(super) residual: Option<usize>,
    pub(super) out: usize,
}

/// Rows that a workgroup computes of one token.
const ROWS: usize = 8;

/// Lanes that share a row.
const LANES: usize = 32;

/// Products of no more rows have workgroups of twice as many.
const FEW_ROWS: usize = 2112;

/// Rows, and tokens, of a workgroup that unpacks weights for many tokens.
const TILE: usize = 64;

/// Groups of weights that are on their way to a lane at a time, at most.
const MOST_PER: usize = 8;

/// From how many tokens on weights are unpacked for many at a time.
const TILES_FROM: u32 = 8;

/// A kernel that reads a part of a weight.
pub(super) fn reading(mut kernel: Kernel, weight: &Weight, part: &Part) -> Kernel {
    kernel = kernel
        .count("WIDTH", weight.shape.width)
        .read("weight_words", "u32", &part.buffer);
    let format = weight.shape.format;
    if format.is_float {
        return kernel.with(format.reading());
    }
    for (name, words) in format.constants(&part.planes) {
        kernel = kernel.count(&name, words);
    }
    kernel
        .count("GROUPS", weight.shape.width / 32)
        .read("weight_fours", "vec4<u32>", &part.buffer)
        .with(include_str!("../wgsl/format/read.wgsl"))
        .with(format.reading())
}

/// The same functions, called `up_…`, for a second weight of the same shape in `part`.
fn reading_up(kernel: Kernel, weight: &Weight, part: &Part) -> Kernel {
    let (mut text, reading) = (String::new(), weight.shape.format.reading());
    for line in reading.lines().filter(|line| !line.starts_with("const ")) {
        text.push_str(line);
        text.push('\n');
    }
    for name in [
        "weight_words",
        "weight_fours",
        "half_at(",
        "point_at(",
        "sub_scale(",
        "unpack(",
    ] {
        text = text.replace(name, &format!("up_{name}"));
    }
    kernel
        .read("up_weight_words", "u32", &part.buffer)
        .read("up_weight_fours", "vec4<u32>", &part.buffer)
        .with(text)
}

/// Lanes that share a row of a gated pair.
const GATED_LANES: usize = 8;

/// Groups of weights that are on their way to one of them at a time, at most: two workgroups share a processor's registers.
const GATED_PER: usize = 4;

/// Groups of a row that are a lane's, as far as they are on their way at a time: all, or equal shares of them, of `most` at most.
fn per(groups: usize, lanes: usize, most: usize) -> usize {
    let rounds = groups.div_ceil(lanes * most);
    groups.div_ceil(lanes * rounds.max(1))
}

/// Rows that a workgroup computes of one token: more where there are few, so that a large device computes all at once.
fn rows_here(gpu: &Gpu, rows: usize, per: usize) -> usize {
    let tile = LANES * per;
    let (lanes, bytes) = (2 * ROWS * LANES, 16 * ROWS * (tile | 1) + 48 * tile);
    let fits = lanes <= gpu.abilities.workgroup as usize
        && bytes <= gpu.abilities.workgroup_bytes as usize;
    if rows <= FEW_ROWS && fits {
        2 * ROWS
    } else {
        ROWS
    }
}

/// Whether two products can be made and gated by one kernel.
pub(super) fn can_gate(
    gpu: &Gpu,
    graph: &Graph,
    weights: &[Shape],
    gated: &Gated,
    at: usize,
) -> bool {
    let [gate, up] = [weights[gated.gate.0], weights[gated.up.0]];
    let whole = |shape: Shape| {
        let parts = format::parts(shape.format, shape.rows, shape.width, gpu.binding_limit);
        parts.is_ok_and(|parts| parts.len() == 1)
    };
    let width = graph.activations[graph.ops[at].out()].width;
    graph.tier == Tier::Fast
        && !gate.format.is_float
        && (gate.format.id, gate.rows, gate.width) == (up.format.id, up.rows, up.width)
        && whole(gate)
        && width.is_multiple_of(32)
        && gpu.abilities.workgroup as usize >= 64 * GATED_LANES
}

/// Two products and their gate, for few tokens.
pub(super) fn gated(build: &mut Build<'_>, gated: &Gated, at: usize) -> Result<(), GpuError> {
    let Op::Gate { curve, out, .. } = build.graph.ops[at] else {
        return Err(GpuError::invalid("no gate"));
    };
    let [gate, up] = [build.weight(gated.gate.0), build.weight(gated.up.0)];
    let width = build.width(out);
    let tail = build.in_tail();
    let kernel = Kernel::new("product_gated", include_str!("../wgsl/product_gated.wgsl"))
        .count("FIRST", gated.gate.1)
        .count("UP_FIRST", gated.up.1)
        .count("WIDTH_OUT", width)
        .count("LANES", GATED_LANES)
        .count("TERM_ROWS", 64)
        .repeat("PER", per(gate.shape.width / 32, GATED_LANES, GATED_PER))
        .with(include_str!("../wgsl/row_room.wgsl"))
        .with(include_str!("../wgsl/row_sums.wgsl"))
        .read("input", "vec4<u32>", &build.bytes(gated.input)?)
        .with(include_str!("../wgsl/terms.wgsl"));
    let kernel = reading(kernel, &gate, &gate.parts[0]);
    let kernel = reading_up(kernel, &up, &up.parts[0]);
    let kernel = super::elementwise::curved(build, kernel, curve, out);
    let kernel = super::results(build, kernel, out, 64 * GATED_LANES);
    let variant = Variant {
        from_rows: 1,
        x: width / 32,
        y: Lines::Rows(1),
        dispatch: build.build(kernel, tail)?,
    };
    build.stage(vec![variant], tail);
    Ok(())
}

pub(super) fn add(build: &mut Build<'_>, product: &Product) -> Result<(), GpuError> {
    let weight = build.weight(product.weight);
    let rows = product.first..product.first + build.width(product.out);
    let tail = build.in_tail();
    for part in &weight.parts {
        let (start, end) = (rows.start.max(part.rows.start), rows.end.min(part.rows.end));
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
        .write("out", "f32", &build.floats(product.out)?);
    let kernel = match product.residual {
        None => kernel.with(include_str!("../wgsl/emit.wgsl")),
        Some(residual) => kernel
            .read("residual", "f32", &build.floats(residual)?)
            .with(include_str!("../wgsl/emit_added.wgsl")),
    };
    Ok(reading(kernel, piece.weight, piece.part))
}

fn bytes(
    build: &mut Build<'_>,
    product: &Product,
    piece: &Piece<'_>,
) -> Result<Vec<Variant>, GpuError> {
    let input = build.bytes(product.input)?;
    let tail = build.in_tail();
    let each = per(piece.weight.shape.width / 32, LANES, MOST_PER);
    let here = rows_here(build.gpu, piece.rows, each);
    let few = kernel(
        build,
        "product_bytes",
        include_str!("../wgsl/product_bytes.wgsl"),
        product,
        piece,
    )?
    .count("ROWS_HERE", here)
    .count("TERM_ROWS", here)
    .count("LANES", LANES)
    .count("THREADS", here * LANES)
    .repeat("PER", each)
    .with(include_str!("../wgsl/row_room.wgsl"))
    .with(include_str!("../wgsl/row_sums.wgsl"))
    .with(include_str!("../wgsl/product_rows.wgsl"))
    .read("input", "vec4<u32>", &input)
    .with(include_str!("../wgsl/terms.wgsl"));
    // Only `Q2_K` has both halves and minima.
    let halves = piece.weight.shape.format.id == 10;
    let (name, text) = if halves {
        (
            "product_halves",
            include_str!("../wgsl/product_halves.wgsl"),
        )
    } else {
        ("product_tiles", include_str!("../wgsl/product_tiles.wgsl"))
    };
    let many = kernel(build, name, text, product, piece)?.read("input", "vec4<u32>", &input);
    let many = if halves {
        many.count("MINS", 128)
            .with(include_str!("../wgsl/terms.wgsl"))
    } else {
        many.with(include_str!("../wgsl/tile_room.wgsl"))
            .with(include_str!("../wgsl/product_tile.wgsl"))
    };
    Ok(vec![
        Variant {
            from_rows: 1,
            x: piece.rows.div_ceil(here),
            y: Lines::Rows(1),
            dispatch: build.build(few, tail)?,
        },
        Variant {
            from_rows: TILES_FROM,
            x: piece.rows.div_ceil(TILE),
            y: Lines::Rows(64),
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
        y: Lines::Rows(1),
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
        y: Lines::Rows(4),
        dispatch: build.build(four, tail)?,
    }])
}

//! `out[j] = weight[first + j] · input`.

use crate::device::Gpu;
use crate::error::GpuError;
use crate::format;
use crate::fuse::Gated;
use crate::graph::{Graph, Op, Tier};
use crate::memory::{Part, Shape, Weight};
use crate::pipeline::Kernel;
use crate::plan::{Build, Lines, Variant};
use std::fmt::Write as _;

/// A product.
pub(super) struct Product {
    pub(super) input: usize,
    pub(super) weight: usize,
    pub(super) first: usize,
    pub(super) residual: Option<usize>,
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
        .with(include_str!("../wgsl/format/half.wgsl"))
        .with(weight.shape.format.source)
}

/// The same functions, called `up_…`, for a second weight of the same shape in `part`.
fn reading_up(kernel: Kernel, weight: &Weight, part: &Part) -> Kernel {
    let mut text = include_str!("../wgsl/format/half.wgsl").to_owned();
    let lines = weight.shape.format.source.lines();
    for line in lines.filter(|line| !line.starts_with("const ")) {
        text.push_str(line);
        text.push('\n');
    }
    for name in [
        "weight_words",
        "weight_fours",
        "half_at(",
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
    let min = gate.shape.format.has_min;
    let kernel = Kernel::new("product_gated", include_str!("../wgsl/product_gated.wgsl"))
        .count("FIRST", gated.gate.1)
        .count("UP_FIRST", gated.up.1)
        .count("WIDTH_OUT", width)
        .count("LANES", GATED_LANES)
        .count("TILE_GROUPS", TILE)
        .count("MIN_TERMS", if min { 2 * 64 * (TILE + 1) } else { 1 })
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
    let mut variants = vec![
        Variant {
            from_rows: 1,
            x: piece.rows.div_ceil(ROWS),
            y: Lines::Rows(1),
            dispatch: build.build(few, tail)?,
        },
        Variant {
            from_rows: TILES_FROM,
            x: piece.rows.div_ceil(64),
            y: Lines::Rows(64),
            dispatch: build.build(many, tail)?,
        },
    ];
    if build.graph.halves && build.gpu.abilities.matrices {
        for tile in &HALF_TILES {
            if let Some(variant) = halves(build, product, piece, tile)? {
                variants.push(variant);
            }
        }
    }
    Ok(variants)
}

/// The shape of a workgroup's share of a product of halves, in matrices of 16 × 16.
struct HalfTile {
    /// Subgroups beside one another, along rows and along tokens.
    parts: [usize; 2],
    /// Matrices of a subgroup, along rows and along tokens.
    matrices: [usize; 2],
    /// It is taken if there are so many workgroups at least.
    groups: usize,
}

/// Smaller tiles keep more of a device busy, larger ones read less.
const HALF_TILES: [HalfTile; 2] = [
    HalfTile {
        parts: [2, 2],
        matrices: [2, 2],
        groups: 0,
    },
    HalfTile {
        parts: [4, 2],
        matrices: [2, 4],
        groups: 256,
    },
];

/// From how many tokens on products are made of halves.
const HALVES_FROM: usize = 16;

/// The product by cooperative matrices.
fn halves(
    build: &Build<'_>,
    product: &Product,
    piece: &Piece<'_>,
    tile: &HalfTile,
) -> Result<Option<Variant>, GpuError> {
    let [rows, tokens] = [0, 1].map(|i| 16 * tile.parts[i] * tile.matrices[i]);
    let across = piece.rows.div_ceil(rows);
    let from_rows = HALVES_FROM.max((tile.groups.div_ceil(across).max(1) - 1) * tokens + 1);
    if from_rows > build.graph.batch {
        return Ok(None);
    }
    let kernel = kernel(build, "product_halves", &half_text(tile), product, piece)?
        .enable("f16")
        .enable("wgpu_cooperative_matrix")
        .unchecked()
        .count("TILE_ROWS", rows)
        .count("TILE_TOKENS", tokens)
        .count("THREADS", 32 * tile.parts[0] * tile.parts[1])
        .count("ROW_PARTS", tile.parts[0])
        .count("COLUMNS", tile.matrices[0])
        .count("LINES", tile.matrices[1])
        .read("input", "vec4<u32>", &build.bytes(product.input)?);
    Ok(Some(Variant {
        from_rows: from_rows as u32,
        x: across,
        y: Lines::Rows(tokens as u32),
        dispatch: build.build(kernel, build.in_tail())?,
    }))
}

/// The kernel's text, with a line for every matrix: there are no arrays of them.
fn half_text(tile: &HalfTile) -> String {
    let [columns, lines] = tile.matrices;
    let each = || (0..lines).flat_map(|i| (0..columns).map(move |j| (i, j)));
    let mut begin = String::new();
    let mut multiply = String::new();
    let mut end = String::new();
    for i in 0..lines {
        let _ = writeln!(
            multiply,
            "let x{i} = coopLoadT<coop_mat16x16<f16, A>>(&x_tile[(token_part + {}u) * STRIDE + k], STRIDE);",
            16 * i
        );
    }
    for j in 0..columns {
        let _ = writeln!(
            multiply,
            "let w{j} = coopLoad<coop_mat16x16<f16, B>>(&w_tile[(row_part + {}u) * STRIDE + k], STRIDE);",
            16 * j
        );
    }
    for (i, j) in each() {
        let _ = writeln!(begin, "var sum_{i}_{j} = coop_mat16x16<f32, C>();");
        let _ = writeln!(multiply, "sum_{i}_{j} = coopMultiplyAdd(x{i}, w{j}, sum_{i}_{j});");
        let _ = writeln!(
            end,
            "{{
    let sum = sum_{i}_{j};
    let at = 256u * subgroup;
    let stride = 16u;
    coopStoreT(sum, &staged[at], stride);
    workgroupBarrier();
    store(lane % 32u, at, first_row + row_part + {}u, first_token + token_part + {}u);
    workgroupBarrier();
}}",
            16 * j,
            16 * i
        );
    }
    include_str!("../wgsl/product_halves.wgsl")
        .replace("//BEGIN", &begin)
        .replace("//MULTIPLY", &multiply)
        .replace("//END", &end)
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

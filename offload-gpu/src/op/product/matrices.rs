//! Products of many tokens by cooperative matrices.

use super::{Piece, Product, kernel};
use crate::error::GpuError;
use crate::plan::{Build, Lines, Variant};
use std::fmt::Write as _;

/// The shape of a workgroup's share of a product, in matrices of 16 × 16.
pub(super) struct Tile {
    /// Subgroups beside one another, along rows and along tokens.
    parts: [usize; 2],
    /// Matrices of a subgroup, along rows and along tokens.
    matrices: [usize; 2],
    /// It is taken if there are so many workgroups at least.
    groups: usize,
}

/// The tiles there are, later ones before earlier ones.
pub(super) const TILES: [Tile; 1] = [Tile {
    parts: [2, 2],
    matrices: [2, 2],
    groups: 0,
}];

/// Floats between rows of sums on their way to the lanes: those that are read together lie in different banks.
const PITCH: usize = 20;

/// From how many tokens on.
const FROM: usize = 16;

/// The kernel for a tile, if steps are ever large enough for it.
pub(super) fn variant(
    build: &Build<'_>,
    product: &Product,
    piece: &Piece<'_>,
    tile: &Tile,
) -> Result<Option<Variant>, GpuError> {
    let [rows, tokens] = [0, 1].map(|i| 16 * tile.parts[i] * tile.matrices[i]);
    let across = piece.rows.div_ceil(rows);
    let from_rows = FROM.max((tile.groups.div_ceil(across).max(1) - 1) * tokens + 1);
    if from_rows > build.graph.batch {
        return Ok(None);
    }
    let halves = piece.weight.shape.format.has_halves();
    // Lanes of a subgroup need no others, if they are known to be one.
    let barrier = match build.gpu.abilities.subgroup {
        Some(32) if build.gpu.abilities.subgroup_barrier => "subgroupBarrier",
        _ => "workgroupBarrier",
    };
    let text = text(tile, halves, barrier);
    let kernel = kernel(build, "product_matrices", &text, product, piece)?
        .enable("f16")
        .enable("wgpu_cooperative_matrix")
        .count("TILE_ROWS", rows)
        .count("TILE_TOKENS", tokens)
        .count("THREADS", 32 * tile.parts[0] * tile.parts[1])
        .count("ROW_PARTS", tile.parts[0])
        .count("COLUMNS", tile.matrices[0])
        .count("LINES", tile.matrices[1])
        .count(
            "STAGED",
            16 * PITCH * tile.matrices[0] * if halves { 2 } else { 1 },
        )
        .read("input", "vec4<u32>", &build.bytes(product.input)?);
    Ok(Some(Variant {
        from_rows: from_rows as u32,
        x: across,
        y: Lines::Rows(tokens as u32),
        dispatch: build.build(kernel, build.in_tail())?,
    }))
}

/// The kernel's text, with lines for every matrix: there are no arrays of them.
fn text(tile: &Tile, halves: bool, barrier: &str) -> String {
    let [columns, lines] = tile.matrices;
    let [mut begin, mut group, mut end] = [const { String::new() }; 3];
    for j in 0..columns {
        let at = 16 * j;
        let _ = writeln!(
            group,
            "let low{j} = coopLoad<coop_mat16x16<f16, B>>(&w_tile[(w_first + {at}u) * STRIDE], STRIDE);
let high{j} = coopLoad<coop_mat16x16<f16, B>>(&w_tile[(w_first + {at}u) * STRIDE + 4u], STRIDE);
let w{j} = w_factors[w_first + {at}u + within % 16u];"
        );
    }
    for i in 0..lines {
        let at = 16 * i;
        let _ = writeln!(
            group,
            "let x_low{i} = coopLoadT<coop_mat16x16<f16, A>>(&x_tile[(x_first + {at}u) * STRIDE], STRIDE);
let x_high{i} = coopLoadT<coop_mat16x16<f16, A>>(&x_tile[(x_first + {at}u) * STRIDE + 4u], STRIDE);"
        );
        for j in 0..columns {
            let multiply =
                |half: &str| format!("sum = coopMultiplyAdd(x_{half}{i}, {half}{j}, sum);");
            let both = [multiply("low"), multiply("high")];
            // Halves that have scales of their own are two sums.
            let parts = if halves { 2 } else { 1 };
            for (part, steps) in both.chunks(2 / parts).enumerate() {
                let _ = writeln!(
                    group,
                    "{{
    var sum = coop_mat16x16<f32, C>();
    {}
    let result = sum;
    let at = stage + {}u;
    let stride = {PITCH}u;
    coopStoreT(result, &staged[at], stride);
}}",
                    steps.join("\n    "),
                    16 * PITCH * (parts * j + part)
                );
            }
        }
        let _ = writeln!(group, "{barrier}();");
        for e in 0..8 {
            // A subgroup reads rows that lie in different banks.
            let line = e % 4 + 8 * (e / 4);
            let _ = writeln!(
                group,
                "let f{i}_{e} = x_factors[x_first + {}u + 4u * (within / 16u)];",
                at + line
            );
            for j in 0..columns {
                let from = |part: usize| {
                    let at = if halves { 2 * j + part } else { j };
                    format!(
                        "staged[stage + {}u + {}u * (within / 16u) + within % 16u]",
                        16 * PITCH * at + PITCH * line,
                        4 * PITCH
                    )
                };
                let total = if halves {
                    format!("{} * w{j}.z + {} * w{j}.w", from(0), from(1))
                } else {
                    from(0)
                };
                let _ = writeln!(begin, "var y{i}_{j}_{e} = 0.0;");
                let _ = writeln!(
                    group,
                    "y{i}_{j}_{e} = step_of(y{i}_{j}_{e}, {total}, w{j}.xy, f{i}_{e});"
                );
                let _ = writeln!(
                    end,
                    "{{
    let r = first_row + row_part + {}u + within % 16u;
    let t = first_token + token_part + {}u + 4u * (within / 16u);
    if r < ROWS && t < count {{
        emit(row_of(t), t, r, y{i}_{j}_{e});
    }}
}}",
                    16 * j,
                    at + line
                );
            }
        }
        let _ = writeln!(group, "{barrier}();");
    }
    include_str!("../../wgsl/product_matrices.wgsl")
        .replace("//BEGIN", &begin)
        .replace("//GROUP", &group)
        .replace("//END", &end)
}

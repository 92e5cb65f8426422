//! Several products of the same input by one kernel, so that none waits for another.

use super::{LANES, MOST_PER, ROWS, TILE, TILES_FROM, per};
use crate::device::Gpu;
use crate::error::GpuError;
use crate::format;
use crate::fuse::Together;
use crate::graph::{Graph, Tier};
use crate::memory::Shape;
use crate::pipeline::Kernel;
use crate::plan::{Build, Lines, Variant};
use std::fmt::Write as _;

/// What every product has of its own in the kernel's text.
const OWN: [&str; 27] = [
    "FIRST",
    "HALVES",
    "MIN",
    "OFFSET",
    "OUT_WIDTH",
    "PLANE_0",
    "PLANE_1",
    "PLANE_2",
    "PLANE_3",
    "PLANE_4",
    "POINTS",
    "ROWS",
    "centred",
    "emit",
    "half_at",
    "leave",
    "out",
    "point_at",
    "product_of",
    "product_rows",
    "product_tile",
    "sub_scale",
    "summed",
    "total",
    "unpack",
    "weight_fours",
    "weight_words",
];

/// Whether there is a kernel for these products together.
pub(in crate::op) fn can_join(
    gpu: &Gpu,
    graph: &Graph,
    weights: &[Shape],
    together: &Together,
) -> bool {
    let fits = |&(weight, _, _): &(usize, usize, usize)| {
        let shape = weights[weight];
        let parts = format::parts(shape.format, shape.rows, shape.width, gpu.binding_limit);
        // Only `Q2_K` has minima of halves, which tiles do not know.
        !shape.format.is_float && shape.format.id != 10 && parts.is_ok_and(|parts| parts.len() == 1)
    };
    graph.tier == Tier::Fast
        && gpu.abilities.storage_buffers >= 12
        && together.products.iter().all(fits)
}

/// How the products of a step are divided among workgroups.
struct Way {
    name: &'static str,
    /// From so many tokens on.
    from_rows: u32,
    lanes: usize,
    /// Rows of a workgroup.
    rows: usize,
    /// Tokens of a workgroup.
    tokens: u32,
    /// What all products share.
    room: &'static str,
    /// What each has of its own.
    own: &'static [&'static str],
    function: &'static str,
}

const WAYS: [Way; 2] = [
    Way {
        name: "products",
        from_rows: 1,
        lanes: ROWS * LANES,
        rows: ROWS,
        tokens: 1,
        room: include_str!("../../wgsl/row_room.wgsl"),
        own: &[
            include_str!("../../wgsl/terms.wgsl"),
            include_str!("../../wgsl/row_sums.wgsl"),
            include_str!("../../wgsl/product_rows.wgsl"),
        ],
        function: "product_rows",
    },
    Way {
        name: "tiles",
        from_rows: TILES_FROM,
        lanes: 128,
        rows: TILE,
        tokens: 64,
        room: include_str!("../../wgsl/tile_room.wgsl"),
        own: &[include_str!("../../wgsl/product_tile.wgsl")],
        function: "product_tile",
    },
];

/// The products.
pub(in crate::op) fn join(build: &mut Build<'_>, together: &Together) -> Result<(), GpuError> {
    let tail = build.in_tail();
    let variants = WAYS.iter().map(|way| variant(build, together, way));
    let variants = variants.collect::<Result<Vec<_>, _>>()?;
    build.stage(variants, tail);
    for &(_, _, out) in &together.products {
        build.quantise_after(out)?;
    }
    Ok(())
}

fn variant(build: &Build<'_>, together: &Together, way: &Way) -> Result<Variant, GpuError> {
    let groups = build.width(together.input) / 32;
    let mut main = String::from(
        "@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
",
    );
    let mut kernel = Kernel::new(way.name, "")
        .count("ROWS_HERE", ROWS)
        .count("TERM_ROWS", ROWS)
        .count("LANES", LANES)
        .count("THREADS", way.lanes)
        .count("GROUPS", groups)
        .repeat("PER", per(groups, LANES, MOST_PER))
        .read("input", "vec4<u32>", &build.bytes(together.input)?)
        .with(include_str!("../../wgsl/format/read.wgsl"))
        .with(way.room);
    let mut blocks = 0;
    for (i, &(weight, first, out)) in together.products.iter().enumerate() {
        let weight = build.weight(weight);
        let (width, format) = (build.width(out), weight.shape.format);
        let part = &weight.parts[0];
        for (name, words) in format.constants(&part.planes) {
            kernel = kernel.count(&format!("{name}_{i}"), words);
        }
        let text = [
            &format.reading(),
            &way.own.concat(),
            "fn emit(source: u32, line: u32, j: u32, y: f32) {\n    out[source * OUT_WIDTH + j] = y;\n}\n",
        ];
        kernel = kernel
            .count(&format!("FIRST_{i}"), first)
            .count(&format!("ROWS_{i}"), width)
            .count(&format!("OUT_WIDTH_{i}"), width)
            .read(&format!("weight_words_{i}"), "u32", &part.buffer)
            .read(&format!("weight_fours_{i}"), "vec4<u32>", &part.buffer)
            .write(&format!("out_{i}"), "f32", &build.floats(out)?)
            .with(renamed(&text.concat(), i));
        let from = blocks;
        blocks += width.div_ceil(way.rows);
        let _ = writeln!(
            main,
            "    if group.x >= {from}u && group.x < {blocks}u {{
        {}_{i}(lane, group.x - {from}u, group.y);
    }}",
            way.function
        );
    }
    main.push_str("}\n");
    Ok(Variant {
        from_rows: way.from_rows,
        x: blocks,
        y: Lines::Rows(way.tokens),
        dispatch: build.build(kernel.with(main), build.in_tail())?,
    })
}

/// The text with the names that are a product's own ending in its number.
fn renamed(text: &str, number: usize) -> String {
    let mut result = String::with_capacity(text.len() + text.len() / 8);
    let is_name = |c: char| c.is_alphanumeric() || c == '_';
    let mut rest = text;
    while let Some(begin) = rest.find(is_name) {
        let (before, after) = rest.split_at(begin);
        let end = after.find(|c| !is_name(c)).unwrap_or(after.len());
        let (name, later) = after.split_at(end);
        result.push_str(before);
        result.push_str(name);
        if OWN.contains(&name) {
            let _ = write!(result, "_{number}");
        }
        rest = later;
    }
    result.push_str(rest);
    result
}

#[cfg(test)]
mod tests {
    use super::renamed;

    #[test]
    fn only_whole_names_of_a_products_own_are_renamed() {
        assert_eq!(
            renamed(
                "out[FIRST + layout] = unpack(unpack2x16float(w$i), $iu);",
                2
            ),
            "out_2[FIRST_2 + layout] = unpack_2(unpack2x16float(w$i), $iu);"
        );
    }
}

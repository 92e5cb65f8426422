//! Several products of few tokens by one kernel, so that none waits for another.

use super::{LANES, ROWS, per};
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
const OWN: [&str; 21] = [
    "FIRST",
    "HALVES",
    "MIN",
    "OFFSET",
    "OUT_WIDTH",
    "PLANE_0",
    "PLANE_1",
    "PLANE_2",
    "PLANE_3",
    "ROWS",
    "emit",
    "half_at",
    "leave",
    "out",
    "product_of",
    "product_rows",
    "sub_scale",
    "summed",
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
        !shape.format.is_float && parts.is_ok_and(|parts| parts.len() == 1)
    };
    graph.tier == Tier::Fast
        && gpu.abilities.storage_buffers >= 12
        && together.products.iter().all(fits)
}

/// The products.
pub(in crate::op) fn join(build: &mut Build<'_>, together: &Together) -> Result<(), GpuError> {
    let groups = build.width(together.input) / 32;
    let mut main = String::from(
        "@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
",
    );
    let mut kernel = Kernel::new("products", "")
        .count("ROWS_HERE", ROWS)
        .count("TERM_ROWS", ROWS)
        .count("LANES", LANES)
        .count("THREADS", ROWS * LANES)
        .count("GROUPS", groups)
        .repeat("PER", per(groups, LANES))
        .read("input", "vec4<u32>", &build.bytes(together.input)?)
        .with(include_str!("../../wgsl/format/read.wgsl"))
        .with(include_str!("../../wgsl/row_room.wgsl"));
    let mut blocks = 0;
    for (i, &(weight, first, out)) in together.products.iter().enumerate() {
        let weight = build.weight(weight);
        let (width, format) = (build.width(out), weight.shape.format);
        let part = &weight.parts[0];
        for (field, plane) in part.planes.iter().take(format.fields.len()).enumerate() {
            kernel = kernel.count(&format!("PLANE_{field}_{i}"), *plane);
        }
        let text = [
            include_str!("../../wgsl/format/half.wgsl"),
            format.source,
            include_str!("../../wgsl/terms.wgsl"),
            include_str!("../../wgsl/row_sums.wgsl"),
            include_str!("../../wgsl/product_rows.wgsl"),
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
        blocks += width.div_ceil(ROWS);
        let _ = writeln!(
            main,
            "    if group.x >= {from}u && group.x < {blocks}u {{
        product_rows_{i}(lane, group.x - {from}u, group.y);
    }}"
        );
    }
    main.push_str("}\n");
    let tail = build.in_tail();
    let variant = Variant {
        from_rows: 1,
        x: blocks,
        y: Lines::Rows(1),
        dispatch: build.build(kernel.with(main), tail)?,
    };
    build.stage(vec![variant], tail);
    for &(_, _, out) in &together.products {
        build.quantise_after(out)?;
    }
    Ok(())
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

//! The token of the largest logit, so that only its id comes back.

use crate::error::GpuError;
use crate::pipeline::Kernel;
use crate::plan::{Build, Lines, Stage, Variant};

/// Logits that one workgroup looks at.
const SPAN: usize = 4096;

/// The stages that choose a token of the last wanted row.
pub(crate) fn largest(build: &Build<'_>) -> Result<Vec<Stage>, GpuError> {
    let vocabulary = build.width(build.graph.logits);
    let spans = vocabulary.div_ceil(SPAN);
    let found = build.gpu.storage("the largest logits", 8 * spans as u64)?;
    let each = Kernel::new("largest", include_str!("../wgsl/largest.wgsl"))
        .count("VOCABULARY", vocabulary)
        .count("SPAN", SPAN)
        .flag("COMPACT", build.is_compact(build.graph.logits))
        .flag("TAIL", true)
        .read("logits", "f32", &build.floats(build.graph.logits)?)
        .write("found", "u32", &found)
        .write("faults", "atomic<u32>", &build.faults);
    let of_all = Kernel::new("chosen", include_str!("../wgsl/chosen.wgsl"))
        .count("SPANS", spans)
        .flag("TAIL", true)
        .read("found", "u32", &found)
        .write("chosen", "u32", &build.chosen);
    let stage = |dispatch, x| Stage {
        variants: vec![Variant {
            from_rows: 1,
            x,
            y: Lines::Once,
            dispatch,
        }],
        tail: true,
        below: u32::MAX,
    };
    Ok(vec![
        stage(each.build(build.gpu, &build.step)?, spans),
        stage(of_all.build(build.gpu, &build.step)?, 1),
    ])
}

//! Attention: the step's keys and values go to the cache, then queries meet them.

use super::{division, tangent};
use crate::error::GpuError;
use crate::graph::{Attend, CacheFormat};
use crate::pipeline::Kernel;
use crate::plan::{Build, Variant};

/// What a key or value must stay below to be remembered as a half: what rounds to the largest.
const HALF_LIMIT: f32 = 65_520.0;

pub(super) fn add(build: &mut Build<'_>, attend: &Attend) -> Result<(), GpuError> {
    remember(build, attend)?;
    let cache = build.graph.caches[attend.cache];
    let kernel = Kernel::new("attend", include_str!("../wgsl/attend.wgsl"))
        .count("HEADS", attend.heads)
        .count("WINDOW", cache.window.unwrap_or(0))
        .count("VALUE_PARTS", cache.value_width.div_ceil(128))
        .real("QUERY_SCALE", attend.query_scale)
        .real("SCORE_SCALE", attend.score_scale)
        .flag("CAPPED", attend.soft_cap.is_some())
        .real("SCORE_CAP", attend.soft_cap.unwrap_or(1.0))
        .read("query", "f32", &build.floats(attend.query)?)
        .read("keys", "u32", &build.caches[attend.cache].keys)
        .read("values", "u32", &build.caches[attend.cache].values)
        .write("out", "f32", &build.floats(attend.out)?)
        .with(include_str!("../wgsl/exponential.wgsl"))
        .with(division(build))
        .with(tangent(build));
    let kernel = shaped(build, kernel, attend);
    let variant = Variant {
        from_rows: 1,
        x: attend.heads,
        rows_per_y: 1,
        dispatch: build.body(kernel)?,
    };
    build.stage(vec![variant], false);
    build.quantise_after(attend.out)
}

/// The cache's layout, as constants.
fn shaped(build: &Build<'_>, kernel: Kernel, attend: &Attend) -> Kernel {
    let cache = build.graph.caches[attend.cache];
    let pack = match cache.format {
        CacheFormat::F16 => 2,
        CacheFormat::F32 => 1,
    };
    kernel
        .count("CACHE_HEADS", cache.heads)
        .count("KEY_WIDTH", cache.key_width)
        .count("VALUE_WIDTH", cache.value_width)
        .count("VALUE_STRIDE", cache.value_width.next_multiple_of(2))
        .count("POSITIONS", build.caches[attend.cache].positions)
        .count("PACK", pack)
}

fn remember(build: &mut Build<'_>, attend: &Attend) -> Result<(), GpuError> {
    let cache = build.graph.caches[attend.cache];
    let (pack, limit) = match cache.format {
        CacheFormat::F16 => (2, HALF_LIMIT),
        CacheFormat::F32 => (1, f32::MAX),
    };
    let kernel = Kernel::new("remember", include_str!("../wgsl/remember.wgsl"))
        .real("CACHE_LIMIT", limit)
        .read("key", "f32", &build.floats(attend.key)?)
        .read("value", "f32", &build.floats(attend.value)?)
        .write("keys", "u32", &build.caches[attend.cache].keys)
        .write("values", "u32", &build.caches[attend.cache].values)
        .write("faults", "atomic<u32>", &build.faults)
        .with(include_str!("../wgsl/halves.wgsl"));
    let kernel = shaped(build, kernel, attend);
    let value_stride = cache.value_width.next_multiple_of(2);
    let lanes = cache.heads * (cache.key_width + value_stride / pack);
    let variant = Variant {
        from_rows: 1,
        x: lanes.div_ceil(64),
        rows_per_y: 1,
        dispatch: build.body(kernel)?,
    };
    build.stage(vec![variant], false);
    Ok(())
}

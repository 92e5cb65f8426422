//! Attention: the step's keys and values go to the cache, then queries meet them.

use super::{division, tangent};
use crate::device::Gpu;
use crate::error::GpuError;
use crate::fuse::Attended;
use crate::graph::{Attend, Cache, CacheFormat};
use crate::layout;
use crate::pipeline::Kernel;
use crate::plan::{Build, Lines, Variant};
use std::fmt::Write as _;

/// What a key or value must stay below to be remembered as a half: what rounds to the largest.
const HALF_LIMIT: f32 = 65_520.0;

/// Lanes of a workgroup: a chunk's positions.
const LANES: usize = layout::CHUNK;

/// Tokens of a workgroup.
const TOKENS: usize = 8;

pub(super) fn add(build: &mut Build<'_>, attend: &Attend) -> Result<(), GpuError> {
    remember(build, attend)?;
    let cache = build.graph.caches[attend.cache];
    // A lane weighs two elements at a time, where a word has as many.
    let words = cache.value_width.div_ceil(cache.format.pack().min(2));
    // Lanes that share a token's values, and how many such teams there are.
    let team = words.min(LANES);
    let teams = (1 << (LANES / team).ilog2()).min(TOKENS);
    let kernel = Kernel::new("attend", include_str!("../wgsl/attend.wgsl"))
        .count("HEADS", attend.heads)
        .count("WINDOW", cache.window.unwrap_or(0))
        .repeat("KEYS", largest_divisor(cache.key_width).min(16))
        .count("TEAM", team)
        .count("WORDS", words.div_ceil(team))
        .repeat("EACH", TOKENS / teams)
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
    let kernel = match cache.format {
        CacheFormat::F16 | CacheFormat::F32 => {
            kernel.with(include_str!("../wgsl/cached_floats.wgsl"))
        }
        CacheFormat::Q8_0 => kernel
            .with(include_str!("../wgsl/cached_places.wgsl"))
            .with(include_str!("../wgsl/cached_bytes.wgsl")),
    };
    let kernel = shaped(build, kernel, attend);
    let variant = Variant {
        from_rows: 1,
        x: attend.heads,
        y: Lines::Rows(TOKENS as u32),
        dispatch: build.body(kernel)?,
    };
    build.stage(vec![variant], false);
    build.quantise_after(attend.out)
}

/// The same for one token, from the projections on.
pub(super) fn one(build: &mut Build<'_>, attended: &Attended) -> Result<(), GpuError> {
    let attend = &attended.attend;
    let cache = build.graph.caches[attend.cache];
    let table = &build.graph.ropes[attended.rope];
    let window = cache.window.unwrap_or(0);
    let limit = limit(cache.format);
    let chunks = build.caches[attend.cache].positions / layout::CHUNK + 1;
    let floats = attend.heads * chunks * (cache.value_width + 2);
    let partials = build.partials(4 * floats as u64)?;
    let threads = threads(build.gpu, &cache);
    let pieces = Pieces::new(build.gpu, &cache, threads);
    let kernel = Kernel::new("attend_one", &pieces.text())
        .count("THREADS", threads)
        .count("KEY_PIECE", pieces.elements)
        .count("VALUE_PIECE", pieces.positions)
        .count("STAGED", pieces.staged())
        .real("CACHE_LIMIT", limit)
        .real("QUERY_SCALE", attend.query_scale)
        .real("SCORE_SCALE", attend.score_scale)
        .flag("CAPPED", attend.soft_cap.is_some())
        .real("SCORE_CAP", attend.soft_cap.unwrap_or(1.0))
        .count("PAIRS", table.frequencies.len())
        .flag("NEIGHBOURS", table.neighbours)
        .flag("NORMS", attended.norms.is_some())
        .repeat("KEY_FOURS", largest_divisor(cache.key_width).min(32) / 4)
        .repeat("VALUE_FOURS", pieces.positions.min(32) / 4)
        .repeat("SIXTEENTHS", cache.key_width / 16)
        .read("query", "f32", &build.floats(attended.query)?)
        .read("key", "f32", &build.floats(attended.key)?)
        .read("value", "f32", &build.floats(attend.value)?)
        .read("angles", "f32", &build.angles[attended.rope])
        .write("keys", "u32", &build.caches[attend.cache].keys)
        .write("values", "u32", &build.caches[attend.cache].values)
        .write("partials", "f32", &partials)
        .with(include_str!("../wgsl/halves.wgsl"))
        .with(tangent(build))
        .with(super::squares(build));
    let kernel = match attended.norms {
        None => kernel
            .real("QUERY_EPSILON", 0.0)
            .real("KEY_EPSILON", 0.0)
            .count("NORM_WEIGHTS", 1)
            .with("fn bring_weights(d: u32) {}\n"),
        Some([query, key]) => kernel
            .real("QUERY_EPSILON", query.1)
            .real("KEY_EPSILON", key.1)
            .read("query_norm", "f32", &build.vector(query.0)?)
            .read("key_norm", "f32", &build.vector(key.0)?)
            .count("NORM_WEIGHTS", 2 * cache.key_width)
            .with("fn bring_weights(d: u32) {\n    norm_weights[d] = query_norm[d];\n    norm_weights[KEY_WIDTH + d] = key_norm[d];\n}\n"),
    };
    // The bytes that a product reads can be made here, if its groups are a head's.
    let as_bytes = build.slots[attend.out].bytes.is_some()
        && !build.wants_floats(attend.out)
        && cache.value_width.is_multiple_of(32);
    let merge = Kernel::new("attend_merge", include_str!("../wgsl/attend_merge.wgsl"))
        .read("partials", "f32", &partials);
    let mut stages = vec![];
    for (kernel, lines, threads) in [
        (kernel, Lines::Chunks(window), threads),
        (merge, Lines::Merge(window), LANES),
    ] {
        let kernel = kernel
            .count("HEADS", attend.heads)
            .count("WINDOW", window)
            .count("CHUNKS", chunks)
            .with(include_str!("../wgsl/exponential.wgsl"));
        let kernel = shaped(build, kernel, attend);
        let kernel = finishing(build, kernel, attend.out, as_bytes, lines, threads)?;
        let dispatch = build.body(kernel)?;
        stages.push(Variant {
            from_rows: 1,
            x: attend.heads,
            y: lines,
            dispatch,
        });
    }
    for variant in stages {
        build.stage(vec![variant], false);
    }
    if as_bytes {
        return Ok(());
    }
    build.quantise_after(attend.out)
}

/// Lanes of a workgroup that attends for one token.
fn threads(gpu: &Gpu, cache: &Cache) -> usize {
    // Where subgroups are wide, so many lanes bring a chunk sooner; programs have no use for more.
    let wide = if gpu.abilities.subgroup == Some(32) {
        512
    } else {
        LANES
    };
    cache.value_width.next_multiple_of(LANES).max(wide)
}

/// Whether a workgroup can attend for one token.
pub(super) fn can_attend(gpu: &Gpu, cache: &Cache) -> bool {
    // A cache of bytes is read by the kernel for many tokens alone.
    cache.format != CacheFormat::Q8_0
        && gpu.abilities.storage_buffers >= 12
        && threads(gpu, cache) <= gpu.abilities.workgroup as usize
        && cache.key_width.is_multiple_of(16)
        && cache.key_width <= 512
        && cache.value_width <= 512
}

/// How keys and values of a chunk pass through workgroup memory.
struct Pieces {
    threads: usize,
    /// Words of an element of all keys of a chunk.
    key_row: usize,
    key_width: usize,
    /// Words of a value.
    value_words: usize,
    /// Elements of keys at a time.
    elements: usize,
    /// Positions of values at a time.
    positions: usize,
}

impl Pieces {
    fn new(gpu: &Gpu, cache: &Cache, threads: usize) -> Self {
        let pack = cache.format.pack();
        let room = if gpu.abilities.workgroup_bytes >= 46 << 10 {
            8192
        } else {
            4096
        };
        let value_words = cache.value_width.next_multiple_of(2) / pack;
        let key_row = LANES / pack;
        let keys = largest_divisor(cache.key_width).min(32);
        Self {
            threads,
            key_row,
            key_width: cache.key_width,
            value_words,
            elements: (room / key_row / keys * keys).min(cache.key_width),
            positions: (1 << (room / value_words).ilog2()).min(LANES),
        }
    }

    fn staged(&self) -> usize {
        (self.elements * self.key_row).max(self.positions * self.value_words)
    }

    /// Words of the pieces of keys, and of those of values.
    fn words(&self) -> [Vec<usize>; 2] {
        let split = |count: usize, at_most: usize, words: usize| {
            let begins = (0..count).step_by(at_most);
            begins
                .map(|begin| at_most.min(count - begin) * words)
                .collect()
        };
        [
            split(self.key_width, self.elements, self.key_row),
            split(LANES, self.positions, self.value_words),
        ]
    }

    /// The kernel's text, with lines for every word that a lane brings.
    fn text(&self) -> String {
        let [keys, values] = self.words();
        let (mut loads, mut key_text, mut value_text) =
            (String::new(), String::new(), String::new());
        let threads = self.threads;
        for (of, pieces, text) in [
            ("key", &keys, &mut key_text),
            ("value", &values, &mut value_text),
        ] {
            let (mut begin, mut name) = (0, 0);
            for &words in pieces {
                for first in (0..words).step_by(threads) {
                    // The last lines may have fewer words than there are lanes.
                    let (lane, guard) = if first + threads > words {
                        let left = words - first;
                        (
                            format!("min(lane, {}u)", left - 1),
                            format!("if lane < {left}u "),
                        )
                    } else {
                        ("lane".to_owned(), String::new())
                    };
                    let at = begin + first;
                    let _ = writeln!(
                        loads,
                        "let {of}_{name} = {of}s[first_{of} + {lane} + {at}u];"
                    );
                    let _ = writeln!(text, "{guard}{{ staged[lane + {first}u] = {of}_{name}; }}");
                    name += 1;
                }
                let _ = match of {
                    "key" => {
                        let (d, count) = (begin / self.key_row, words / self.key_row);
                        writeln!(
                            text,
                            "workgroupBarrier();
if is_last {{ place_key(lane, {d}u, {count}u, own, keeps, first_key); }}
workgroupBarrier();
if lane < 128u {{ score = scored(score, {d}u, {count}u, lane); }}
workgroupBarrier();"
                        )
                    }
                    _ => {
                        let p = begin / self.value_words;
                        writeln!(
                            text,
                            "workgroupBarrier();
if is_last && own / VALUE_PIECE == {}u && lane < VALUE_WORDS {{
    staged[(own - {p}u) * VALUE_WORDS + lane] = own_value[lane];
}}
workgroupBarrier();
if lane < VALUE_WIDTH {{ sum = weighed(sum, {p}u, to, lane); }}
workgroupBarrier();",
                            p / self.positions
                        )
                    }
                };
                begin += words;
            }
        }
        include_str!("../wgsl/attend_one.wgsl")
            .replace("//LOADS", &loads)
            .replace("//KEYS", &key_text)
            .replace("//VALUES", &value_text)
    }
}

/// How many elements of a key are asked for at a time: at most 64, and a power of two that divides their number.
fn largest_divisor(width: usize) -> usize {
    1 << width.trailing_zeros().min(6)
}

/// Where the elements of a head's result go.
fn finishing(
    build: &Build<'_>,
    kernel: Kernel,
    out: usize,
    as_bytes: bool,
    lines: Lines,
    threads: usize,
) -> Result<Kernel, GpuError> {
    let kernel = kernel.with(division(build));
    // The first kernel reports what the cache cannot hold, too.
    let kernel = if as_bytes || matches!(lines, Lines::Chunks(_)) {
        kernel.write("faults", "atomic<u32>", &build.faults)
    } else {
        kernel
    };
    // The kernel of the chunks has its own.
    let kernel = match lines {
        Lines::Chunks(_) => kernel,
        _ => kernel.count("THREADS", threads),
    };
    if as_bytes {
        return Ok(kernel
            .write("bytes_out", "u32", &build.bytes(out)?)
            .with(include_str!("../wgsl/bytes_out.wgsl"))
            .with(include_str!("../wgsl/finish_bytes.wgsl")));
    }
    Ok(kernel
        .write("out", "f32", &build.floats(out)?)
        .with(include_str!("../wgsl/finish_floats.wgsl")))
}

/// The cache's layout, as constants.
fn shaped(build: &Build<'_>, kernel: Kernel, attend: &Attend) -> Kernel {
    let cache = build.graph.caches[attend.cache];
    let value_stride = (cache.value_width).next_multiple_of(cache.format.value_multiple());
    kernel
        .count("CACHE_HEADS", cache.heads)
        .count("KEY_WIDTH", cache.key_width)
        .count("VALUE_WIDTH", cache.value_width)
        .count("VALUE_STRIDE", value_stride)
        .count("POSITIONS", build.caches[attend.cache].positions)
        .count("PACK", cache.format.pack())
}

/// What a key or value must stay below.
fn limit(format: CacheFormat) -> f32 {
    match format {
        CacheFormat::F16 => HALF_LIMIT,
        CacheFormat::F32 | CacheFormat::Q8_0 => f32::MAX,
    }
}

fn remember(build: &mut Build<'_>, attend: &Attend) -> Result<(), GpuError> {
    let cache = build.graph.caches[attend.cache];
    let (pack, multiple) = (cache.format.pack(), cache.format.value_multiple());
    let value_stride = cache.value_width.next_multiple_of(multiple);
    let (kernel, lanes) = match cache.format {
        CacheFormat::F16 | CacheFormat::F32 => (
            Kernel::new("remember", include_str!("../wgsl/remember.wgsl"))
                .real("CACHE_LIMIT", limit(cache.format))
                .with(include_str!("../wgsl/halves.wgsl")),
            cache.key_width + value_stride / pack,
        ),
        CacheFormat::Q8_0 => (
            Kernel::new("remember", include_str!("../wgsl/remember_bytes.wgsl"))
                .with(include_str!("../wgsl/cached_places.wgsl"))
                .with(division(build)),
            (cache.key_width + value_stride) / 32,
        ),
    };
    let kernel = kernel
        .read("key", "f32", &build.floats(attend.key)?)
        .read("value", "f32", &build.floats(attend.value)?)
        .write("keys", "u32", &build.caches[attend.cache].keys)
        .write("values", "u32", &build.caches[attend.cache].values)
        .write("faults", "atomic<u32>", &build.faults);
    let kernel = shaped(build, kernel, attend);
    let variant = Variant {
        from_rows: 1,
        x: (cache.heads * lanes).div_ceil(64),
        y: Lines::Rows(1),
        dispatch: build.body(kernel)?,
    };
    build.stage(vec![variant], false);
    Ok(())
}

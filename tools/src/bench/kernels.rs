//! The kernels alone, each format beside the machine's limits: one thread, rows of 2048.

use super::median;
use crate::probe::{self, Limits};
use crate::{output, progress};
use anyhow::{Context, Result};
use fidelis_simd::fast::{Decode, Order, Prefill, Scratch};
use fidelis_simd::input::{InputGroup, Quantise};
use fidelis_simd::{Format, Level};
use std::hint::black_box;
use std::time::Instant;

/// Elements of a row.
const WIDTH: usize = 2048;

/// Bytes of rows that are read with one token: more than caches hold.
const DECODED: usize = 192 << 20;

/// Rows that are multiplied with many tokens.
const ROWS: usize = 512;

/// Many tokens.
const TOKENS: usize = 252;

/// What people run, and what is written by `quantize`.
const FORMATS: [Format; 14] = [
    Format::Q4_0,
    Format::Q4_1,
    Format::Q5_0,
    Format::Q5_1,
    Format::Q8_0,
    Format::Q2_K,
    Format::Q3_K,
    Format::Q4_K,
    Format::Q5_K,
    Format::Q6_K,
    Format::IQ4_NL,
    Format::IQ4_XS,
    Format::MXFP4,
    Format::IQ2_S,
];

/// One line of the result.
struct Row {
    level: Level,
    format: Format,
    /// Bytes of weights per second with one token.
    bytes: f64,
    /// Multiplications and additions per second with many.
    operations: f64,
}

impl Row {
    fn shares(&self, limits: &Limits) -> [f64; 2] {
        [
            self.bytes / limits.bandwidth,
            self.operations / limits.operations,
        ]
    }
}

/// Measures every kernel of `levels`; `json` or a table.
pub(super) fn measure(levels: &[Level], repetitions: usize, json: bool) -> Result<()> {
    let best = *levels.last().context("there is no level")?;
    let memory = bytes(DECODED);
    let limits = probe::limits(best, 1, &[&memory])?;
    let groups = activations(best)?;
    let bar = progress::bar("measuring", (levels.len() * FORMATS.len()) as u64, false);
    let mut rows = Vec::new();
    for &level in levels {
        for format in FORMATS {
            rows.push(row(level, format, &memory, &groups, repetitions)?);
            bar.inc(1);
        }
    }
    bar.finish_and_clear();
    if json {
        as_json(&rows, &limits)
    } else {
        as_table(&rows, &limits)
    }
}

/// Bytes in which no format finds a scale that is not finite.
fn bytes(count: usize) -> Vec<u8> {
    (0..count as u32)
        .map(|i| i.wrapping_mul(2_654_435_761).to_le_bytes()[3] & 0x3b)
        .collect()
}

/// Activations of [`TOKENS`] tokens.
fn activations(level: Level) -> Result<Vec<InputGroup>> {
    let values: Vec<f32> = (0..TOKENS * WIDTH)
        .map(|i| ((i * 37) % 101) as f32 - 50.0)
        .collect();
    let mut groups = vec![InputGroup::default(); values.len() / 32];
    let quantise = Quantise {
        values: &values,
        groups: &mut groups,
    };
    level
        .run(quantise)
        .map_err(|at| anyhow::anyhow!("activation {} is not finite", at.index))?;
    Ok(groups)
}

fn row(
    level: Level,
    format: Format,
    memory: &[u8],
    groups: &[InputGroup],
    repetitions: usize,
) -> Result<Row> {
    let row_bytes = format.bytes_of(WIDTH).context("rows of whole blocks")?;
    let rows = memory.len() / row_bytes;
    let mut out = vec![0.0; rows];
    let decode = seconds(repetitions, || {
        Decode {
            format,
            rows: &memory[..rows * row_bytes],
            input: &groups[..WIDTH / 32],
            order: Order::best(),
            out: &mut out,
        }
        .on(level);
    });
    black_box(&out);
    let mut scratch = Scratch::default();
    let prefill = seconds(repetitions, || {
        Prefill {
            format,
            rows: &memory[..ROWS * row_bytes],
            width: WIDTH,
            inputs: groups,
            scratch: &mut scratch,
            emit: &mut |_, _, values| {
                black_box(values);
            },
        }
        .on(level);
    });
    Ok(Row {
        level,
        format,
        bytes: (rows * row_bytes) as f64 / decode,
        operations: 2.0 * (ROWS * WIDTH * TOKENS) as f64 / prefill,
    })
}

/// The median of some runs, after one that does not count.
fn seconds(repetitions: usize, mut work: impl FnMut()) -> f64 {
    work();
    let times: Vec<f64> = (0..repetitions)
        .map(|_| {
            let start = Instant::now();
            work();
            start.elapsed().as_secs_f64()
        })
        .collect();
    median(&times)
}

fn as_table(rows: &[Row], limits: &Limits) -> Result<()> {
    output::text(&format!(
        "One thread: {:.1} GB/s read, {:.2} Tops of byte products.\n\n| level | format | one token, GB/s | of the bandwidth | {TOKENS} tokens, Tops | of the int8 peak |\n|---|---|---:|---:|---:|---:|\n",
        limits.bandwidth / 1e9,
        limits.operations / 1e12
    ))?;
    for row in rows {
        let [decode, prefill] = row.shares(limits).map(|share| 100.0 * share);
        output::text(&format!(
            "| {} | {} | {:.1} | {decode:.0} % | {:.3} | {prefill:.0} % |\n",
            row.level.name(),
            row.format,
            row.bytes / 1e9,
            row.operations / 1e12
        ))?;
    }
    Ok(())
}

fn as_json(rows: &[Row], limits: &Limits) -> Result<()> {
    let kernels: Vec<_> = rows
        .iter()
        .map(|row| {
            let [decode, prefill] = row.shares(limits);
            serde_json::json!({ "level": row.level.name(), "format": row.format.to_string(), "decode_bytes_per_second": row.bytes, "decode_share": decode, "prefill_operations_per_second": row.operations, "prefill_share": prefill })
        })
        .collect();
    let all = serde_json::json!({ "threads": 1, "bandwidth": limits.bandwidth, "operations": limits.operations, "kernels": kernels });
    Ok(output::text(&format!("{all:#}\n"))?)
}

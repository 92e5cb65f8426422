//! The same on a device, whose limits are not measured.

use super::{Bench, median, timed};
use crate::device::Wanted;
use crate::{output, progress};
use anyhow::Result;
use fidelis_engine::backend::offload::OffloadBackend;
use fidelis_engine::backend::{Backend, CpuSettings, Greedy, Logits, Step};
use fidelis_engine::model::Model;
use std::time::Instant;

/// Tokens that a device chooses at once, as in a chat.
const CHOSEN: usize = 32;

/// One line of the result.
struct Row {
    test: String,
    /// Tokens per second, one per run.
    rates: Vec<f64>,
}

/// Measures reading prompts, producing tokens with their logits, and producing them without.
pub(super) fn measure(
    bench: &Bench,
    model: &Model<'_>,
    settings: &CpuSettings,
    wanted: Wanted,
) -> Result<()> {
    let options = &bench.model;
    let start = Instant::now();
    let tier = options.named_tier()?;
    let mut backend = options
        .device
        .offloaded(&model.graph, settings, tier, wanted)?;
    let loading = start.elapsed().as_secs_f64();
    let kinds = bench.n_prompt.len() + 2 * bench.n_gen.len();
    let bar = progress::bar("measuring", (kinds * bench.repetitions) as u64, false);
    let rows = rows(bench, &mut backend, model.graph.vocabulary(), || bar.inc(1))?;
    bar.finish_and_clear();
    print(bench, model, &backend, loading, &rows)
}

fn rows(
    bench: &Bench,
    backend: &mut OffloadBackend<'_>,
    vocabulary: usize,
    tick: impl Fn(),
) -> Result<Vec<Row>> {
    let depth = match bench.n_depth {
        0 => String::new(),
        depth => format!(" @ d{depth}"),
    };
    let start = bench.n_depth;
    let mut rows = Vec::new();
    for &length in bench.n_prompt.iter().filter(|&&length| length > 0) {
        let tokens = vec![1; length];
        let step = Step {
            tokens: &tokens,
            position: start,
            logits: Logits::Last,
        };
        let rates = bench.repeat(&tick, || {
            bench.prepare(backend)?;
            timed(length, || backend.forward(&step).map(|_| ()))
        })?;
        let test = format!("pp{length}{depth}");
        rows.push(Row { test, rates });
    }
    for &count in bench.n_gen.iter().filter(|&&count| count > 0) {
        let rates = bench.repeat(&tick, || {
            bench.prepare(backend)?;
            timed(count, || {
                for position in start..start + count {
                    backend.forward(&Step {
                        tokens: &[1],
                        position,
                        logits: Logits::Last,
                    })?;
                }
                Ok(())
            })
        })?;
        let test = format!("tg{count}{depth}, logits");
        rows.push(Row { test, rates });
        let rates = bench.repeat(&tick, || {
            bench.prepare(backend)?;
            timed(count, || {
                let mut token = 1;
                let mut rest = count;
                while rest > 0 {
                    let greedy = Greedy {
                        token,
                        count: rest.min(CHOSEN),
                        choices: vocabulary,
                        ends: &[],
                    };
                    let chosen = backend.greedy(&greedy)?.unwrap_or_default();
                    token = chosen.last().copied().unwrap_or(token);
                    rest = rest.saturating_sub(chosen.len().max(1));
                }
                Ok(())
            })
        })?;
        let test = format!("tg{count}{depth}, tokens alone");
        rows.push(Row { test, rates });
    }
    Ok(rows)
}

fn print(
    bench: &Bench,
    model: &Model<'_>,
    backend: &OffloadBackend<'_>,
    loading: f64,
    rows: &[Row],
) -> Result<()> {
    let (name, machine) = (&model.config.name, backend.machine());
    if bench.output == "json" {
        let rows: Vec<_> = rows
            .iter()
            .map(|row| serde_json::json!({ "test": row.test, "tokens_per_second": median(&row.rates), "runs": row.rates }))
            .collect();
        let all = serde_json::json!({
            "model": name,
            "architecture": model.config.architecture,
            "machine": machine,
            "layers": backend.layers(),
            "uploaded_bytes": backend.uploaded_bytes(),
            "load_seconds": loading,
            "results": rows,
        });
        return Ok(output::text(&format!("{all:#}\n"))?);
    }
    output::text(&format!(
        "{machine}; {:.1} MiB of weights, ready in {loading:.2} s\n\n| model | test | tokens/s (median) | spread |\n|---|---|---:|---:|\n",
        backend.uploaded_bytes() as f64 / f64::from(1 << 20)
    ))?;
    for row in rows {
        let least = row.rates.iter().copied().fold(f64::MAX, f64::min);
        let most = row.rates.iter().copied().fold(0.0, f64::max);
        output::text(&format!(
            "| {name} | {} | {:.2} | {least:.1}–{most:.1} |\n",
            row.test,
            median(&row.rates)
        ))?;
    }
    Ok(())
}

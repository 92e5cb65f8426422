//! `fidelis bench`: tokens per second, beside the machine's limits.

mod device;
mod kernels;

use crate::load::ModelOptions;
use crate::probe::{self, Limits};
use crate::{output, progress};
use anyhow::{Result, bail};
use clap::Args;
use fidelis_engine::backend::budget::Free;
use fidelis_engine::backend::{Backend, CacheFormat, CpuBackend, CpuSettings, Logits, Step};
use fidelis_engine::graph::{Cache, Graph, Op};
use fidelis_engine::model::Model;
use fidelis_simd::Level;
use fidelis_simd::attend::KEY_BLOCK;
use std::collections::BTreeSet;
use std::time::Instant;

#[derive(Args)]
pub(crate) struct Bench {
    #[command(flatten)]
    model: ModelOptions,
    /// Lengths of prompts to read, separated by commas; 0: none.
    #[arg(short = 'p', long, value_delimiter = ',', default_value = "512")]
    n_prompt: Vec<usize>,
    /// Numbers of tokens to produce, separated by commas; 0: none.
    #[arg(short = 'n', long, value_delimiter = ',', default_value = "128")]
    n_gen: Vec<usize>,
    /// Tokens already read before those that are measured.
    #[arg(short = 'd', long, default_value_t = 0)]
    n_depth: usize,
    /// Runs of each; the median counts.
    #[arg(short, long, default_value_t = 5)]
    repetitions: usize,
    /// Numbers of threads, separated by commas, instead of --threads.
    #[arg(long, value_delimiter = ',')]
    thread_list: Vec<usize>,
    /// The kernels alone instead of a model: every format on every level, or on that of --level.
    #[arg(long)]
    kernels: bool,
    /// md or json.
    #[arg(short, long, default_value = "md")]
    output: String,
}

/// One line of the result.
struct Row {
    threads: usize,
    test: String,
    /// Tokens per second, one per run.
    rates: Vec<f64>,
    /// What of the machine's limit the median is.
    share: f64,
    of: &'static str,
}

/// What a token costs.
struct Cost {
    /// Bytes of weights that are read.
    bytes: f64,
    /// Multiplications and additions with weights.
    operations: f64,
    /// Those of the head, which only the last token of a prompt goes through.
    head: f64,
}

/// The bytes of every weight that is multiplied with.
fn weights<'a>(graph: &Graph<'a>) -> Vec<&'a [u8]> {
    let multiplied = |op: &Op| match op {
        Op::MatMul { weight, .. } => Some(weight.0 as usize),
        _ => None,
    };
    let used: BTreeSet<usize> = graph.ops.iter().filter_map(multiplied).collect();
    used.into_iter()
        .map(|weight| graph.weights[weight].bytes)
        .collect()
}

/// Bytes of keys and values that a token at `position` reads.
fn remembered(graph: &Graph<'_>, format: CacheFormat, position: usize) -> f64 {
    let bytes = |cache: &Cache| {
        let seen = cache.window.unwrap_or(usize::MAX).min(position + 1);
        let block = format.key_block_bytes(cache.key_width) as f64;
        let key = block / KEY_BLOCK as f64;
        let value = format.value_bytes(cache.value_width) as f64;
        (cache.heads * seen) as f64 * (key + value)
    };
    graph.caches.iter().map(bytes).sum()
}

fn cost(graph: &Graph<'_>) -> Cost {
    let mut cost = Cost {
        bytes: 0.0,
        operations: 0.0,
        head: 0.0,
    };
    for op in &graph.ops {
        let Op::MatMul { weight, out, .. } = op else {
            continue;
        };
        let (tensor, rows) = (
            &graph.weights[weight.0 as usize],
            graph.activations[out.0 as usize].width,
        );
        let operations = 2.0 * (rows * tensor.shape.width()) as f64;
        cost.bytes += (rows * tensor.row_bytes()) as f64;
        cost.operations += operations;
        if graph.activations[out.0 as usize].name.starts_with("logits") {
            cost.head += operations;
        }
    }
    cost
}

/// The middle of some numbers.
fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    if sorted.len().is_multiple_of(2) {
        f64::midpoint(sorted[middle - 1], sorted[middle])
    } else {
        sorted[middle]
    }
}

impl Bench {
    pub(crate) fn execute(&self) -> Result<()> {
        if !["md", "json"].contains(&self.output.as_str()) {
            bail!("--output {}: only md and json are known", self.output);
        }
        if self.repetitions == 0 {
            bail!("--repetitions must be at least 1");
        }
        if self.kernels {
            let levels = match self.model.named_level()? {
                Some(level) => vec![level],
                None => Level::available(),
            };
            return kernels::measure(&levels, self.repetitions, self.output == "json");
        }
        let source = self.model.source()?;
        let gguf = source.gguf()?;
        let model = Model::read(&gguf)?;
        let most = self.n_depth
            + self
                .n_prompt
                .iter()
                .chain(&self.n_gen)
                .copied()
                .max()
                .unwrap_or(0);
        let settings = CpuSettings {
            context: most.max(1) + 8,
            ..self.model.settings(&model)?
        };
        // The tests say how many positions there are.
        let free = Free {
            context: false,
            ..self.model.free()
        };
        let memory = &self.model.memory;
        let settings = memory.fit(&model.graph, settings, free, 0)?;
        if let Some(wanted) = self.model.device.wanted()? {
            return device::measure(self, &model, &settings, wanted);
        }
        let threads = if self.thread_list.is_empty() {
            vec![settings.threads]
        } else {
            self.thread_list.clone()
        };
        let runs = threads.len() * (self.n_prompt.len() + self.n_gen.len()) * self.repetitions;
        let bar = progress::bar("measuring", runs as u64, false);
        let mut rows = Vec::new();
        for threads in threads {
            let settings = CpuSettings {
                threads,
                ..settings.clone()
            };
            let limits = probe::limits(settings.level, threads, &weights(&model.graph))?;
            let mut backend = CpuBackend::new(&model.graph, &settings)?;
            memory.prepare(&mut backend, source.file());
            rows.extend(self.rows(&mut backend, &model.graph, &limits, || bar.inc(1))?);
        }
        bar.finish_and_clear();
        let bytes: usize = gguf.tensors().iter().map(|tensor| tensor.bytes.len()).sum();
        self.print(&model, bytes, settings.level.name(), &rows)
    }

    fn rows(
        &self,
        backend: &mut CpuBackend<'_>,
        graph: &Graph<'_>,
        limits: &Limits,
        tick: impl Fn(),
    ) -> Result<Vec<Row>> {
        let cost = cost(graph);
        let threads = backend.settings().threads;
        let depth = if self.n_depth > 0 {
            format!(" @ d{}", self.n_depth)
        } else {
            String::new()
        };
        let mut rows = Vec::new();
        for &length in self.n_prompt.iter().filter(|&&length| length > 0) {
            let rates = self.repeat(&tick, || {
                self.prepare(backend)?;
                let tokens = vec![1; length];
                timed(length, || {
                    backend
                        .forward(&Step {
                            tokens: &tokens,
                            position: self.n_depth,
                            logits: Logits::Last,
                        })
                        .map(|_| ())
                })
            })?;
            let operations = (cost.operations - cost.head) * length as f64 + cost.head;
            let share = median(&rates) / length as f64 * operations / limits.operations;
            rows.push(Row {
                threads,
                test: format!("pp{length}{depth}"),
                rates,
                share,
                of: "int8 peak",
            });
        }
        for &count in self.n_gen.iter().filter(|&&count| count > 0) {
            let rates = self.repeat(&tick, || {
                self.prepare(backend)?;
                timed(count, || {
                    for position in self.n_depth..self.n_depth + count {
                        backend.forward(&Step {
                            tokens: &[1],
                            position,
                            logits: Logits::Last,
                        })?;
                    }
                    Ok(())
                })
            })?;
            let middle = self.n_depth + count / 2;
            let bytes = cost.bytes + remembered(graph, backend.settings().cache, middle);
            let share = median(&rates) * bytes / limits.bandwidth;
            rows.push(Row {
                threads,
                test: format!("tg{count}{depth}"),
                rates,
                share,
                of: "read bandwidth",
            });
        }
        Ok(rows)
    }

    /// Reads as many tokens as the depth asks for.
    fn prepare(&self, backend: &mut dyn Backend) -> Result<()> {
        backend.reset();
        if self.n_depth > 0 {
            backend.forward(&Step {
                tokens: &vec![1; self.n_depth],
                position: 0,
                logits: Logits::None,
            })?;
        }
        Ok(())
    }

    /// One run that does not count, then those that do.
    fn repeat(&self, tick: impl Fn(), mut run: impl FnMut() -> Result<f64>) -> Result<Vec<f64>> {
        run()?;
        (0..self.repetitions)
            .map(|_| {
                let rate = run();
                tick();
                rate
            })
            .collect()
    }

    fn print(&self, model: &Model<'_>, bytes: usize, level: &str, rows: &[Row]) -> Result<()> {
        if self.output == "json" {
            let rows: Vec<_> = rows
                .iter()
                .map(|row| serde_json::json!({ "threads": row.threads, "test": row.test, "tokens_per_second": median(&row.rates), "runs": row.rates, "share": row.share, "of": row.of }))
                .collect();
            let all = serde_json::json!({ "model": model.config.name, "architecture": model.config.architecture, "bytes": bytes, "level": level, "results": rows });
            return Ok(output::text(&format!("{all:#}\n"))?);
        }
        let name = format!(
            "{} {:.2} GiB",
            model.config.name,
            bytes as f64 / (1_u64 << 30) as f64
        );
        output::text(
            "| model | level | threads | test | tokens/s (median) | spread | share of the limit |\n|---|---|---:|---|---:|---:|---|\n",
        )?;
        for row in rows {
            let (least, most) = row
                .rates
                .iter()
                .fold((f64::MAX, 0.0_f64), |(least, most), &rate| {
                    (least.min(rate), most.max(rate))
                });
            output::text(&format!(
                "| {name} | {level} | {} | {} | {:.2} | {least:.1}–{most:.1} | {:.0} % of {} |\n",
                row.threads,
                row.test,
                median(&row.rates),
                100.0 * row.share,
                row.of
            ))?;
        }
        Ok(())
    }
}

fn timed(
    tokens: usize,
    work: impl FnOnce() -> Result<(), fidelis_engine::backend::BackendError>,
) -> Result<f64> {
    let start = Instant::now();
    work()?;
    Ok(tokens as f64 / start.elapsed().as_secs_f64())
}

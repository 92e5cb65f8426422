//! `fidelis inspect`.

use crate::output;
use anyhow::Result;
use clap::Args;
use fidelis_engine::gguf::{Gguf, Value};
use fidelis_engine::model::Model;
use fidelis_simd::Format;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::PathBuf;

#[derive(Args)]
pub(crate) struct Inspect {
    /// GGUF file; of a split one the first part.
    #[arg(short, long)]
    model: Option<PathBuf>,
    /// The same, without a flag.
    path: Option<PathBuf>,
    /// Positions to count memory for.
    #[arg(short, long, default_value_t = 4096)]
    ctx_size: usize,
    /// Leave out the list of tensors.
    #[arg(long)]
    no_tensors: bool,
    /// One JSON object.
    #[arg(long)]
    json: bool,
}

/// A value on one line; long arrays by their beginning.
fn shown(value: &Value<'_>) -> String {
    match value {
        Value::Str(text) if text.chars().count() > 60 => format!(
            "{:?}… ({} bytes)",
            text.chars().take(60).collect::<String>(),
            text.len()
        ),
        Value::Str(text) => format!("{text:?}"),
        Value::Array(array) => {
            let first: Vec<String> = array.values().take(4).map(|value| shown(&value)).collect();
            let more = if array.len() > 4 { ", …" } else { "" };
            format!(
                "[{}{more}] ({} × {})",
                first.join(", "),
                array.len(),
                array.kind()
            )
        }
        Value::Bool(x) => x.to_string(),
        Value::F32(x) => x.to_string(),
        Value::F64(x) => x.to_string(),
        Value::U64(x) => x.to_string(),
        Value::I64(x) => x.to_string(),
        other => other.as_f64().map_or_else(String::new, |x| x.to_string()),
    }
}

/// What the smallest norm weight says: raw Gemma norms reach down to −1, baked ones to 0.
fn baked(gguf: &Gguf<'_>) -> Option<String> {
    let architecture = gguf.str("general.architecture").ok()??;
    if !architecture.starts_with("gemma") {
        return None;
    }
    let floats = |bytes: &[u8]| {
        bytes
            .as_chunks::<4>()
            .0
            .iter()
            .map(|bytes| f32::from_le_bytes(*bytes))
            .fold(f32::INFINITY, f32::min)
    };
    let norms = gguf
        .tensors()
        .iter()
        .filter(|tensor| tensor.name.ends_with("norm.weight") && tensor.format == Format::F32);
    let (name, least) = norms
        .map(|tensor| (tensor.name, floats(tensor.bytes)))
        .min_by(|a, b| a.1.total_cmp(&b.1))?;
    let verdict = if least < -0.5 {
        "raw: the 1 that GGUF files bake into Gemma's norms is missing"
    } else {
        "the 1 is baked in, as it should be"
    };
    Some(format!("smallest norm weight {least} ({name}): {verdict}"))
}

impl Inspect {
    pub(crate) fn execute(&self) -> Result<()> {
        let path = self.path.as_ref().or(self.model.as_ref());
        let source = crate::load::Source::open(path.map(PathBuf::as_path))?;
        let gguf = source.gguf()?;
        let report = if self.json {
            self.json(&gguf)
        } else {
            self.text(&gguf)?
        };
        Ok(output::text(&report)?)
    }

    fn text(&self, gguf: &Gguf<'_>) -> Result<String> {
        let mut out = String::new();
        writeln!(
            out,
            "GGUF version {}, {} keys, {} tensors",
            gguf.version(),
            gguf.metadata().count(),
            gguf.tensors().len()
        )?;
        for (key, value) in gguf.metadata() {
            writeln!(out, "  {key} = {}", shown(value))?;
        }
        if !self.no_tensors {
            for tensor in gguf.tensors() {
                writeln!(
                    out,
                    "  {:40} {:8} {:>20} {:>12} bytes",
                    tensor.name,
                    tensor.format,
                    tensor.shape,
                    tensor.bytes.len()
                )?;
            }
        }
        let mut formats: BTreeMap<Format, (usize, usize)> = BTreeMap::new();
        for tensor in gguf.tensors() {
            let entry = formats.entry(tensor.format).or_default();
            entry.0 += 1;
            entry.1 += tensor.bytes.len();
        }
        for (format, (count, bytes)) in &formats {
            writeln!(out, "{count} tensors of {format}: {:.2} MiB", mib(*bytes))?;
        }
        let (parameters, bytes) = totals(gguf);
        writeln!(
            out,
            "{:.2} M parameters, {:.2} MiB of weights, {:.2} bits per weight",
            parameters as f64 / 1e6,
            mib(bytes),
            8.0 * bytes as f64 / parameters.max(1) as f64
        )?;
        match Model::read(gguf) {
            Ok(model) => {
                for (name, each) in [("f16", 2.0), ("f32", 4.0), ("q8_0", 1.125)] {
                    writeln!(
                        out,
                        "context {}: {:.1} MiB of keys and values in {name}",
                        self.ctx_size,
                        cache_elements(&model, self.ctx_size) * each / (1 << 20) as f64
                    )?;
                }
            }
            Err(error) => writeln!(out, "not a model that runs here: {error}")?,
        }
        if let Some(verdict) = baked(gguf) {
            writeln!(out, "{verdict}")?;
        }
        Ok(out)
    }

    fn json(&self, gguf: &Gguf<'_>) -> String {
        let metadata: serde_json::Map<String, serde_json::Value> = gguf
            .metadata()
            .map(|(key, value)| (key.to_owned(), shown(value).into()))
            .collect();
        let tensors: Vec<_> = gguf
            .tensors()
            .iter()
            .map(|tensor| serde_json::json!({ "name": tensor.name, "format": tensor.format.name(), "shape": tensor.shape.0, "bytes": tensor.bytes.len() }))
            .collect();
        let (parameters, bytes) = totals(gguf);
        let all = serde_json::json!({
            "version": gguf.version(),
            "metadata": metadata,
            "tensors": tensors,
            "parameters": parameters,
            "bytes": bytes,
            "norms": baked(gguf),
        });
        format!("{all:#}\n")
    }
}

fn mib(bytes: usize) -> f64 {
    bytes as f64 / (1 << 20) as f64
}

/// Parameters and bytes of all tensors.
fn totals(gguf: &Gguf<'_>) -> (usize, usize) {
    gguf.tensors()
        .iter()
        .fold((0, 0), |(parameters, bytes), tensor| {
            (parameters + tensor.shape.len(), bytes + tensor.bytes.len())
        })
}

/// Elements of all keys and values that a context keeps.
fn cache_elements(model: &Model<'_>, context: usize) -> f64 {
    let caches = model.graph.caches.iter();
    caches
        .map(|cache| {
            (cache.heads
                * (cache.key_width + cache.value_width)
                * cache.window.map_or(context, |window| window.min(context))) as f64
        })
        .sum()
}

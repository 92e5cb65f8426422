//! `fidelis quantize`.

use crate::load::Source;
use crate::mix::{Candidate, Choice};
use crate::{output, progress};
use anyhow::{Context, Result, bail};
use clap::Args;
use fidelis_engine::gguf::{OwnedValue, Writer};
use fidelis_engine::tensor::Tensor;
use fidelis_simd::dense::Dequantise;
use fidelis_simd::encode::mix::ModelFacts;
use fidelis_simd::encode::{encode_row, is_supported};
use fidelis_simd::{Format, Level};
use indicatif::ProgressBar;
use rayon::prelude::*;
use std::io::{self, Write};
use std::path::PathBuf;

#[derive(Args)]
pub(crate) struct Quantize {
    /// A GGUF file in F32, F16 or BF16.
    input: PathBuf,
    /// The file to write.
    output: PathBuf,
    /// A format or mix, such as Q4_K_M.
    r#type: String,
    /// Worker threads.
    threads: Option<usize>,
    /// All matrices in one format, none better than the others.
    #[arg(long)]
    pure: bool,
    /// Show what would be done.
    #[arg(long)]
    dry_run: bool,
    /// The format of the head.
    #[arg(long)]
    output_tensor_type: Option<String>,
    /// The format of the embedding.
    #[arg(long)]
    token_embedding_type: Option<String>,
    /// Quantise what is already quantised.
    #[arg(long)]
    allow_requantize: bool,
}

/// Rows that are encoded together before they are written.
const ROWS: usize = 512;

/// Writes a tensor's rows in another format.
fn encode(
    tensor: &Tensor<'_>,
    format: Format,
    level: Level,
    bar: &ProgressBar,
    to: &mut dyn Write,
) -> io::Result<()> {
    let width = tensor.shape.width();
    let bytes = format
        .bytes_of(width)
        .ok_or_else(|| io::Error::other("partial blocks"))?;
    for first in (0..tensor.shape.rows()).step_by(ROWS) {
        let rows = (tensor.shape.rows() - first).min(ROWS);
        let mut out = vec![0; rows * bytes];
        out.par_chunks_exact_mut(bytes)
            .enumerate()
            .try_for_each(|(row, out)| {
                let mut values = vec![0.0; width];
                Dequantise {
                    format: tensor.format,
                    row: tensor.row(first + row),
                    out: &mut values,
                }
                .on(level);
                encode_row(format, &values, out).map_err(|error| {
                    io::Error::other(format!("{} row {}: {error}", tensor.name, first + row))
                })
            })?;
        to.write_all(&out)?;
        bar.inc((rows * width) as u64);
    }
    Ok(())
}

impl Quantize {
    pub(crate) fn execute(&self) -> Result<()> {
        let choice = Choice::named(&self.r#type, self.pure)?;
        if same_file(&self.input, &self.output) {
            bail!("{} would be written over itself", self.input.display());
        }
        let source = Source::open(Some(&self.input))?;
        let gguf = source.gguf()?;
        let architecture = gguf.str("general.architecture")?.unwrap_or_default();
        let count = |key: &str| {
            gguf.u32(&format!("{architecture}.{key}"))
                .map(|count| count.unwrap_or(0) as usize)
        };
        let heads = count("attention.head_count")?;
        let kv_heads =
            count("attention.head_count_kv").map(|kv| if kv == 0 { heads } else { kv })?;
        let model = ModelFacts {
            architecture,
            layers: count("block_count")?,
            heads,
            kv_heads,
        };
        let tied = gguf.tensor("output.weight").is_none();
        let special = |text: &Option<String>| {
            text.as_ref()
                .map(|text| {
                    Format::named(text).with_context(|| format!("no format is called {text:?}"))
                })
                .transpose()
        };
        let (head, embedding) = (
            special(&self.output_tensor_type)?,
            special(&self.token_embedding_type)?,
        );
        let quantised = gguf
            .tensors()
            .iter()
            .find(|tensor| !tensor.format.is_float());
        if let Some(tensor) = quantised.filter(|_| !self.allow_requantize) {
            bail!(
                "tensor {} is already {}; --allow-requantize quantises it again, at a loss",
                tensor.name,
                tensor.format
            );
        }
        let candidates: Vec<Candidate<'_>> = gguf
            .tensors()
            .iter()
            .map(|tensor| Candidate {
                name: tensor.name,
                shape: tensor.shape,
                format: tensor.format,
            })
            .collect();
        let mut formats = choice.formats(&model, &candidates);
        for (tensor, format) in gguf.tensors().iter().zip(&mut formats) {
            let own = match tensor.name {
                "output.weight" => head,
                "token_embd.weight" => embedding.or(head.filter(|_| tied)),
                _ => None,
            };
            *format = own.unwrap_or(*format);
            if !is_supported(*format) {
                bail!(
                    "{format} can be read but not written; tensor {} would be",
                    tensor.name
                );
            }
        }
        let sizes = |format: Format, tensor: &Tensor<'_>| {
            format
                .bytes_of(tensor.shape.width())
                .map_or(0, |row| row * tensor.shape.rows())
        };
        let after: usize = gguf
            .tensors()
            .iter()
            .zip(&formats)
            .map(|(tensor, format)| sizes(*format, tensor))
            .sum();
        let before: usize = gguf.tensors().iter().map(|tensor| tensor.bytes.len()).sum();
        if self.dry_run {
            for (tensor, format) in gguf.tensors().iter().zip(&formats) {
                output::text(&format!(
                    "{:40} {:>20} {:8} -> {format}\n",
                    tensor.name, tensor.shape, tensor.format
                ))?;
            }
        } else {
            self.write(&gguf, &formats, choice)?;
        }
        eprintln!(
            "{:.2} MiB -> {:.2} MiB",
            before as f64 / 1_048_576.0,
            after as f64 / 1_048_576.0
        );
        Ok(())
    }

    fn write(
        &self,
        gguf: &fidelis_engine::gguf::Gguf<'_>,
        formats: &[Format],
        choice: Choice,
    ) -> Result<()> {
        let level = Level::chosen()?;
        let total = gguf
            .tensors()
            .iter()
            .map(|tensor| tensor.shape.len() as u64)
            .sum();
        let bar = progress::bar("quantising", total, false);
        let mut writer = Writer::default();
        for (key, value) in gguf
            .metadata()
            .filter(|(key, _)| !key.starts_with("split.") && *key != "general.alignment")
        {
            writer.set(key, value.into());
        }
        writer.set("general.quantization_version", OwnedValue::U32(2));
        if let Some(number) = choice.file_type() {
            writer.set("general.file_type", OwnedValue::U32(number));
        }
        for (tensor, &format) in gguf.tensors().iter().zip(formats) {
            let bar = &bar;
            writer.tensor(tensor.name, format, tensor.shape, move |to| {
                encode(tensor, format, level, bar, to)
            });
        }
        if let Some(threads) = self.threads {
            rayon::ThreadPoolBuilder::new()
                .num_threads(threads)
                .build_global()?;
        }
        let written = writer.write_file(&self.output);
        bar.finish_and_clear();
        Ok(written?)
    }
}

/// Whether two paths are one file.
fn same_file(a: &std::path::Path, b: &std::path::Path) -> bool {
    matches!((a.canonicalize(), b.canonicalize()), (Ok(a), Ok(b)) if a == b)
}

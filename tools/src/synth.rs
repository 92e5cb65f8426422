//! `fidelis synth`: random weights at a real model's shape, for measuring speed.

use crate::mix::{Candidate, Choice};
use crate::{progress, shapes};
use anyhow::{Context, Result, bail};
use clap::Args;
use fidelis_engine::gguf::{OwnedValue, Writer};
use fidelis_engine::shape::Shape;
use fidelis_simd::Format;
use indicatif::ProgressBar;
use rand_core::Rng;
use rand_pcg::Pcg64Mcg;
use std::io::{self, Write};
use std::path::PathBuf;

#[derive(Args)]
pub(crate) struct Synth {
    /// A model's name, such as tinyllama-1.1b or gemma-3-1b.
    shape: String,
    /// A format or mix, such as Q4_K_M.
    r#type: String,
    /// The file to write.
    out: PathBuf,
    /// Of the random numbers.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

/// Where a block's half-precision factors lie, and their size for weights of about 0.02.
struct Factors {
    scale_at: usize,
    scale: f32,
    /// The minimum's place and size.
    min: Option<(usize, f32)>,
}

fn factors(format: Format) -> Option<Factors> {
    let plain = |scale_at, scale| {
        Some(Factors {
            scale_at,
            scale,
            min: None,
        })
    };
    let with_min = |scale_at, scale, min_at, min| {
        Some(Factors {
            scale_at,
            scale,
            min: Some((min_at, min)),
        })
    };
    match format {
        Format::Q4_0 => plain(0, 4e-3),
        Format::Q5_0 => plain(0, 2e-3),
        Format::Q8_0 => plain(0, 2.7e-4),
        Format::IQ4_NL => plain(0, 3e-4),
        Format::Q4_1 => with_min(0, 4e-3, 2, -3e-2),
        Format::Q5_1 => with_min(0, 2e-3, 2, -3.1e-2),
        Format::Q2_K => with_min(80, 2e-3, 82, 3e-3),
        Format::Q3_K => plain(108, 4.7e-4),
        Format::Q4_K => with_min(0, 1.4e-4, 2, 1.05e-3),
        Format::Q5_K => with_min(0, 7e-5, 2, 1.1e-3),
        Format::Q6_K => plain(208, 1.5e-5),
        Format::IQ4_XS => plain(0, 1.6e-5),
        _ => None,
    }
}

/// Writes random rows of a block format.
fn blocks(format: Format, len: usize, random: &mut Pcg64Mcg, to: &mut dyn Write) -> io::Result<()> {
    let Some(factors) = factors(format) else {
        return Err(io::Error::other(format!(
            "there are no random blocks of {format}"
        )));
    };
    let mut buffer = vec![0; 1024 * format.block_bytes()];
    let mut left = len / format.block_len();
    while left > 0 {
        let now = left.min(1024);
        let bytes = &mut buffer[..now * format.block_bytes()];
        random.fill_bytes(bytes);
        for block in bytes.chunks_exact_mut(format.block_bytes()) {
            let mut put =
                |at: usize, x: f32| block[at..at + 2].copy_from_slice(&half_bits(x).to_le_bytes());
            put(factors.scale_at, factors.scale);
            if let Some((at, min)) = factors.min {
                put(at, min);
            }
        }
        to.write_all(bytes)?;
        left -= now;
    }
    Ok(())
}

/// A float in half precision.
fn half_bits(x: f32) -> u16 {
    half::f16::from_f32(x).to_bits()
}

/// Writes random floats: about `spread` around `centre`.
fn floats(
    format: Format,
    len: usize,
    [centre, spread]: [f32; 2],
    random: &mut Pcg64Mcg,
    to: &mut dyn Write,
) -> io::Result<()> {
    let mut buffer = Vec::with_capacity(1 << 16);
    for index in 0..len {
        let unit = (random.next_u32() >> 8) as f32 / (1 << 23) as f32 - 1.0;
        let x = centre + spread * 1.732 * unit;
        match format {
            Format::F16 => buffer.extend(half_bits(x).to_le_bytes()),
            Format::BF16 => buffer.extend(half::bf16::from_f32(x).to_le_bytes()),
            _ => buffer.extend(x.to_le_bytes()),
        }
        if buffer.len() >= 1 << 16 || index + 1 == len {
            to.write_all(&buffer)?;
            buffer.clear();
        }
    }
    Ok(())
}

fn tensor(
    format: Format,
    shape: Shape,
    is_norm: bool,
    random: &mut Pcg64Mcg,
    bar: &ProgressBar,
    to: &mut dyn Write,
) -> io::Result<()> {
    let len = shape.len();
    if format.is_float() {
        floats(
            format,
            len,
            if is_norm { [1.0, 0.1] } else { [0.0, 0.02] },
            random,
            to,
        )?;
    } else {
        blocks(format, len, random, to)?;
    }
    bar.inc(len as u64);
    Ok(())
}

impl Synth {
    pub(crate) fn execute(&self) -> Result<()> {
        let shape = shapes::named(&self.shape).with_context(|| {
            format!(
                "no shape is called {:?}; known are {}",
                self.shape,
                shapes::names().join(", ")
            )
        })?;
        let choice = Choice::named(&self.r#type, false)?;
        let tensors = shape.tensors();
        let candidates: Vec<Candidate<'_>> = tensors
            .iter()
            .map(|(name, shape)| Candidate {
                name,
                shape: *shape,
                format: Format::F32,
            })
            .collect();
        let formats = choice.formats(&shape.facts(), &candidates);
        if let Some(format) = formats
            .iter()
            .find(|format| !format.is_float() && factors(**format).is_none())
        {
            bail!("there are no random blocks of {format}");
        }
        let bar = progress::bar(
            "writing",
            tensors.iter().map(|(_, shape)| shape.len() as u64).sum(),
            false,
        );
        let mut writer = Writer::default();
        for (key, value) in shape.metadata() {
            writer.set(&key, value);
        }
        writer.set("general.quantization_version", OwnedValue::U32(2));
        if let Some(number) = choice.file_type() {
            writer.set("general.file_type", OwnedValue::U32(number));
        }
        for (index, ((name, shape), format)) in tensors.into_iter().zip(formats).enumerate() {
            let is_norm = name.contains("_norm");
            let mut random = Pcg64Mcg::new(u128::from(self.seed) << 64 | (index as u128) << 1 | 1);
            let bar = &bar;
            writer.tensor(&name, format, shape, move |to| {
                tensor(format, shape, is_norm, &mut random, bar, to)
            });
        }
        writer.write_file(&self.out)?;
        bar.finish_and_clear();
        Ok(())
    }
}

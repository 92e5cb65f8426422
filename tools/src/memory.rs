//! Memory: how much may be taken, and where the model's bytes lie.

use anyhow::{Result, bail};
use clap::Args;
use fidelis_engine::backend::budget::{self, Bytes, Free};
use fidelis_engine::backend::{CpuBackend, CpuSettings};
use fidelis_engine::gguf::{File, GgufError};
use fidelis_engine::graph::Graph;
use std::path::Path;

/// For texts, their tokens and the parts of a program that come and go.
const COMING_AND_GOING: usize = 2 << 20;

/// What the program is taken to hold where the system does not tell.
const UNTOLD: usize = 32 << 20;

/// How much memory, and what for.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Memory")]
pub(crate) struct MemoryOptions {
    /// Memory to take at most, not counting the pages of a mapped model: 512M, 2GiB. Context, batch and cache type are chosen to fit where they are not given.
    #[arg(long, value_name = "SIZE", value_parser = size)]
    memory: Option<usize>,
    /// Read the model into memory instead of mapping it: what happens to the file afterwards changes nothing.
    #[arg(long)]
    no_mmap: bool,
    /// Keep no page of the model longer than it is used: slow, but runs models larger than memory.
    #[arg(long, conflicts_with = "no_mmap")]
    pub(crate) drop_pages: bool,
}

/// Bytes, from a number and a unit: powers of 1024, whether they are spelt `M`, `MB` or `MiB`.
fn size(text: &str) -> Result<usize, String> {
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.');
    let (number, unit) = text.split_at(digits.unwrap_or(text.len()));
    let lower = unit.trim_start().to_ascii_lowercase();
    let shift = match lower.strip_suffix("ib").or(lower.strip_suffix('b')) {
        // `512ib` is no unit; `512b` is bytes.
        Some("") if lower != "b" => None,
        prefix => match prefix.unwrap_or(&lower) {
            "" => Some(0),
            "k" => Some(10),
            "m" => Some(20),
            "g" => Some(30),
            _ => None,
        },
    };
    let bytes = shift.and_then(|shift| {
        let number: f64 = number.parse().ok()?;
        Some(number * f64::from(1_u32 << shift))
    });
    match bytes {
        Some(bytes) if bytes >= 1.0 && bytes < u64::MAX as f64 => Ok(bytes as usize),
        Some(_) => Err("no such amount of memory can be had".to_owned()),
        None => Err("a number and K, M or G, like 512M".to_owned()),
    }
}

/// Bytes that the program holds, mapped files not counted.
fn held() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("RssAnon:"));
    let kib = line.and_then(|line| line.trim().strip_suffix("kB")?.trim().parse::<usize>().ok());
    // Whole MiB, so that what is chosen does not change with every start.
    kib.map_or(UNTOLD, |kib| kib.div_ceil(1 << 10) << 20)
}

impl MemoryOptions {
    /// Whether there is a limit.
    pub(crate) fn is_limited(&self) -> bool {
        self.memory.is_some()
    }

    /// Opens a file, as the flags want it.
    pub(crate) fn open(&self, path: &Path) -> Result<File, GgufError> {
        if self.no_mmap {
            File::read(path)
        } else {
            File::open(path)
        }
    }

    /// Settings that fit what may be taken, if that was said, beside what is held already and `more` bytes.
    /// What was chosen is said in one line.
    pub(crate) fn fit(
        &self,
        graph: &Graph<'_>,
        settings: CpuSettings,
        free: Free,
        more: usize,
    ) -> Result<CpuSettings> {
        let Some(limit) = self.memory else {
            return Ok(settings);
        };
        let beside = held() + more + COMING_AND_GOING;
        let Some(left) = limit.checked_sub(beside) else {
            bail!(
                "--memory {}: the program, the tokenizer and the sampler alone take {}",
                Bytes(limit),
                Bytes(beside)
            );
        };
        let fitting = budget::fit(graph, &settings, free, left)?;
        let chosen = |settings: &CpuSettings| (settings.context, settings.cache, settings.batch);
        if chosen(&fitting) != chosen(&settings) {
            eprintln!(
                "to fit {}: context {}, {} cache, {} tokens together",
                Bytes(limit),
                fitting.context,
                fitting.cache,
                fitting.batch.min(fitting.context)
            );
        }
        Ok(fitting)
    }

    /// Makes a back end drop the pages of its file, if that is wanted.
    pub(crate) fn prepare<'a>(&self, backend: &mut CpuBackend<'a>, file: Option<&'a File>) {
        if let Some(file) = file.filter(|_| self.drop_pages) {
            backend.drop_pages_of(file);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::size;

    #[test]
    fn a_size_is_a_number_and_a_unit() {
        for (text, bytes) in [
            ("1", 1),
            ("4096", 4096),
            ("512b", 512),
            ("3k", 3 << 10),
            ("512M", 512 << 20),
            ("512MB", 512 << 20),
            ("512MiB", 512 << 20),
            ("512 MiB", 512 << 20),
            ("1.5g", 3 << 29),
            ("2GIB", 2 << 30),
        ] {
            assert_eq!(size(text), Ok(bytes), "{text}");
        }
        for text in [
            "",
            "M",
            "iB",
            "512iB",
            "12Q",
            "-5M",
            "1e3",
            "5 5M",
            "1.2.3M",
            "0",
            "0M",
            "nan",
            "99999999999999G",
            "512MM",
            "512Mi",
        ] {
            assert!(size(text).is_err(), "{text}: {:?}", size(text));
        }
    }
}

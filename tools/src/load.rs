//! From flags to a model that can run.

use crate::demo;
use crate::device::DeviceOptions;
use crate::template::{TemplateOptions, TemplateText};
use anyhow::{Context, Result, bail};
use clap::Args;
use fidelis_conformance::receipt::Numerics;
use fidelis_engine::backend::{Backend, CacheFormat, CpuBackend, CpuSettings, Tier};
use fidelis_engine::gguf::{File, Gguf};
use fidelis_engine::model::{Config, Model};
use fidelis_engine::text::{ChatTemplate, Tokenizer};
use fidelis_simd::{Level, NoSuchLevel};
use std::path::{Path, PathBuf};

/// Tokens read together on a device; the CPU's own default takes half the memory and is as fast there.
const DEVICE_BATCH: usize = 512;

/// Which model, and how it runs.
#[derive(Args, Clone, Debug)]
pub(crate) struct ModelOptions {
    /// GGUF file; of a split one the first part.
    #[arg(short, long, env = "LLAMA_ARG_MODEL")]
    pub(crate) model: Option<PathBuf>,
    /// Positions to remember; 0: as many as the model was trained for.
    #[arg(short, long, env = "LLAMA_ARG_CTX_SIZE")]
    ctx_size: Option<usize>,
    /// Worker threads; one per core if absent.
    #[arg(short, long, env = "LLAMA_ARG_THREADS", allow_negative_numbers = true)]
    threads: Option<i64>,
    /// Accepted for llama.cpp's sake; must equal --threads.
    #[arg(long, hide = true)]
    threads_batch: Option<i64>,
    /// Tokens read together; the text does not depend on it.
    #[arg(short, long, default_value_t = 512, env = "LLAMA_ARG_BATCH")]
    batch_size: usize,
    /// Tokens read together, if fewer than --batch-size; 256 on the CPU and 512 elsewhere if absent.
    #[arg(long)]
    ubatch_size: Option<usize>,
    /// How keys are remembered: f16, f32 or q8_0.
    #[arg(long, default_value = "f16")]
    cache_type_k: String,
    /// How values are remembered; must equal --cache-type-k.
    #[arg(long)]
    cache_type_v: Option<String>,
    /// fast: bytes times integers; f32: everything in 32-bit floats; audit: in 64-bit floats. On the CPU fast if absent, on a GPU what suits it.
    #[arg(long)]
    numerics: Option<String>,
    /// SIMD level: scalar, portable, avx2, avx512vnni, neon, neondot, neoni8mm; the best if absent.
    #[arg(long)]
    level: Option<String>,
    #[command(flatten)]
    pub(crate) device: DeviceOptions,
    #[command(flatten)]
    template: TemplateOptions,
    /// Templates are always Jinja.
    #[arg(long, hide = true)]
    jinja: bool,
    /// Attention is always computed in chunks.
    #[arg(long, hide = true)]
    flash_attn: Option<String>,
    /// Nothing is ever repacked.
    #[arg(long, hide = true)]
    no_repack: bool,
    /// Nothing is warmed up.
    #[arg(long, hide = true)]
    no_warmup: bool,
}

/// The tiers, for messages.
pub(crate) const TIERS: &str = "fast, f32 and audit";
/// The formats of the cache, for messages.
pub(crate) const CACHES: &str = "f16, f32 and q8_0";

/// Which model, and what replays it; nothing here changes a bit.
#[derive(Args, Clone, Debug)]
pub(crate) struct ReplayOptions {
    /// GGUF file; of a split one the first part. Without it, the model inside this program.
    #[arg(short, long, env = "LLAMA_ARG_MODEL")]
    pub(crate) model: Option<PathBuf>,
    /// Worker threads; one per core if absent.
    #[arg(short, long, env = "LLAMA_ARG_THREADS", allow_negative_numbers = true)]
    threads: Option<i64>,
    /// Tokens read together.
    #[arg(short, long, default_value_t = 512, env = "LLAMA_ARG_BATCH")]
    batch_size: usize,
    /// SIMD level: scalar, portable, avx2, avx512vnni, neon, neondot, neoni8mm; the best if absent.
    #[arg(long)]
    level: Option<String>,
    /// What rendered the prompt, if not the model's own template.
    #[command(flatten)]
    pub(crate) template: TemplateOptions,
}

/// A file, or the model inside this program.
pub(crate) enum Source {
    File(File),
    Demo,
}

impl Source {
    /// Opens `path`, or the demo model.
    pub(crate) fn open(path: Option<&Path>) -> Result<Self> {
        match path {
            None => Ok(Self::Demo),
            Some(path) => File::open(path)
                .map(Self::File)
                .with_context(|| format!("cannot use {}", path.display())),
        }
    }

    /// The bytes of all parts.
    pub(crate) fn parts(&self) -> Vec<&[u8]> {
        match self {
            Self::File(file) => file.parts().collect(),
            Self::Demo => vec![demo::BYTES],
        }
    }

    /// The header.
    pub(crate) fn gguf(&self) -> Result<Gguf<'_>> {
        Ok(match self {
            Self::File(file) => file.gguf()?,
            Self::Demo => Gguf::read(demo::BYTES)?,
        })
    }
}

/// A model with its tokenizer and template.
pub(crate) struct Loaded<'a> {
    pub(crate) model: Model<'a>,
    pub(crate) tokenizer: Tokenizer,
    pub(crate) template: Option<ChatTemplate>,
    pub(crate) template_text: Option<TemplateText>,
}

impl<'a> Loaded<'a> {
    /// Reads what the options ask for.
    pub(crate) fn read(gguf: &Gguf<'a>, options: &ModelOptions) -> Result<Self> {
        let context = options.context(&Config::read(gguf)?);
        let model = Model::read_for_context(gguf, context)?;
        let tokenizer = Tokenizer::read(gguf)?;
        let text = |id: Option<u32>| {
            id.and_then(|id| tokenizer.token_text(id))
                .unwrap_or_default()
                .to_owned()
        };
        let (bos, eos) = (text(tokenizer.bos()), text(tokenizer.eos()));
        let template_text = options.template.text(gguf)?;
        let template = template_text
            .as_ref()
            .map(|text| ChatTemplate::new(&text.source, &bos, &eos))
            .transpose()?;
        Ok(Self {
            model,
            tokenizer,
            template,
            template_text,
        })
    }
}

impl ModelOptions {
    /// Positions to remember: what was asked for, or what the model was trained for, up to 4096.
    fn context(&self, config: &Config) -> usize {
        match self.ctx_size {
            None => config.context.min(4096),
            Some(0) => config.context,
            Some(context) => context,
        }
    }

    /// The level that was asked for.
    pub(crate) fn named_level(&self) -> Result<Option<Level>, NoSuchLevel> {
        self.level.as_deref().map(Level::named).transpose()
    }

    /// The settings of the back end.
    pub(crate) fn settings(&self, model: &Model<'_>) -> Result<CpuSettings> {
        self.check_threads()?;
        let context = self.context(&model.config);
        let defaults = CpuSettings::new(context)?;
        let threads = match self.threads {
            None => defaults.threads,
            Some(threads @ 1..) => usize::try_from(threads)?,
            Some(_) => defaults.threads,
        };
        let tier = self.named_tier()?.unwrap_or(Tier::Fast);
        let together = match (self.ubatch_size, self.device.wanted()?) {
            (Some(together), _) => together,
            (None, None) => defaults.batch,
            (None, Some(_)) => DEVICE_BATCH,
        };
        let level = self.named_level()?.unwrap_or(defaults.level);
        Ok(CpuSettings {
            threads,
            tier,
            level,
            cache: self.cache()?,
            batch: self.batch_size.min(together),
            context,
        })
    }

    /// A back end for the model, where the flags want it.
    pub(crate) fn backend<'a>(&self, model: &Model<'a>) -> Result<Box<dyn Backend + 'a>> {
        let settings = self.settings(model)?;
        self.device
            .backend(&model.graph, settings, self.named_tier()?)
    }

    /// A back end for the model on the CPU.
    pub(crate) fn cpu_backend<'a>(&self, model: &Model<'a>) -> Result<CpuBackend<'a>> {
        Ok(CpuBackend::new(&model.graph, &self.settings(model)?)?)
    }

    /// How numbers are held, if that was said.
    pub(crate) fn named_tier(&self) -> Result<Option<Tier>> {
        self.numerics.as_deref().map(named_tier).transpose()
    }

    /// The names of the CPU's tier and of the cache's format.
    pub(crate) fn profile(&self) -> (&str, &str) {
        (
            self.numerics.as_deref().unwrap_or("fast"),
            &self.cache_type_k,
        )
    }

    /// The options of a replay: model and workers from the flags, the rest from a receipt.
    pub(crate) fn replay(flags: &ReplayOptions, numerics: &Numerics, context: usize) -> Self {
        Self {
            model: flags.model.clone(),
            ctx_size: Some(context),
            threads: flags.threads,
            threads_batch: None,
            batch_size: flags.batch_size,
            ubatch_size: None,
            cache_type_k: numerics.cache.clone(),
            cache_type_v: None,
            numerics: Some(numerics.tier.clone()),
            level: flags.level.clone(),
            device: DeviceOptions::default(),
            template: flags.template.clone(),
            jinja: false,
            flash_attn: None,
            no_repack: false,
            no_warmup: false,
        }
    }

    /// The options of a model that guesses for this one's: on the CPU, as fast as it can.
    pub(crate) fn for_draft(&self, path: &Path, context: usize) -> Self {
        Self {
            model: Some(path.to_owned()),
            ctx_size: Some(context),
            numerics: None,
            device: DeviceOptions::default(),
            ..self.clone()
        }
    }

    /// Positions to remember of a file's model.
    pub(crate) fn context_of(&self, gguf: &Gguf<'_>) -> Result<usize> {
        Ok(self.context(&Config::read(gguf)?))
    }

    /// How keys and values are remembered.
    pub(crate) fn cache(&self) -> Result<CacheFormat> {
        if let Some(values) = self
            .cache_type_v
            .as_ref()
            .filter(|values| **values != self.cache_type_k)
        {
            bail!(
                "keys as {} and values as {values}: both must be remembered alike",
                self.cache_type_k
            );
        }
        match self.cache_type_k.as_str() {
            "f16" => Ok(CacheFormat::F16),
            "f32" => Ok(CacheFormat::F32),
            "q8_0" => Ok(CacheFormat::Q8_0),
            other => bail!("--cache-type-k {other}: only {CACHES} are known"),
        }
    }

    fn check_threads(&self) -> Result<()> {
        if self.threads_batch.is_some() && self.threads_batch != self.threads {
            bail!("--threads-batch must equal --threads: one team of threads does all the work");
        }
        Ok(())
    }
}

/// A tier by its name.
fn named_tier(name: &str) -> Result<Tier> {
    match name {
        "fast" => Ok(Tier::Fast),
        "f32" => Ok(Tier::F32),
        "audit" => Ok(Tier::Audit),
        other => bail!("--numerics {other}: only {TIERS} are known"),
    }
}

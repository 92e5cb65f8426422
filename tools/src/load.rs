//! From flags to a model that can run.

use crate::demo;
use crate::device::DeviceOptions;
use crate::memory::MemoryOptions;
use crate::template::{TemplateOptions, TemplateText};
use anyhow::{Context, Result, bail};
use clap::Args;
use fidelis_conformance::receipt::Numerics;
use fidelis_engine::backend::budget::Free;
use fidelis_engine::backend::{Backend, CacheFormat, CpuBackend, CpuSettings, Tier};
use fidelis_engine::gguf::{File, Gguf};
use fidelis_engine::model::{Config, Model};
use fidelis_engine::session::Session;
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
    /// Tokens read together, 512 at most if absent; the text does not depend on it.
    #[arg(short, long, env = "LLAMA_ARG_BATCH")]
    batch_size: Option<usize>,
    /// Tokens read together, if fewer than --batch-size; 256 on the CPU and 512 elsewhere if absent.
    #[arg(long)]
    ubatch_size: Option<usize>,
    /// How keys are remembered: f16 (the default), f32 or q8_0.
    #[arg(long)]
    cache_type_k: Option<String>,
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
    pub(crate) memory: MemoryOptions,
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
    Demo(&'static [u8]),
}

impl Source {
    /// Opens `path`, or the demo model.
    pub(crate) fn open(path: Option<&Path>) -> Result<Self> {
        Self::open_as(path, &MemoryOptions::default())
    }

    /// The same, mapped or read as the options want it.
    pub(crate) fn open_as(path: Option<&Path>, memory: &MemoryOptions) -> Result<Self> {
        match path {
            None => demo::BYTES.map(Self::Demo).context(
                "no model was given, and none is inside this program: -m FILE.gguf names one",
            ),
            Some(path) => memory
                .open(path)
                .map(Self::File)
                .with_context(|| format!("cannot use {}", path.display())),
        }
    }

    /// The bytes of all parts.
    pub(crate) fn parts(&self) -> Vec<&[u8]> {
        match self {
            Self::File(file) => file.parts().collect(),
            Self::Demo(bytes) => vec![bytes],
        }
    }

    /// The file, if it is one.
    pub(crate) fn file(&self) -> Option<&File> {
        match self {
            Self::File(file) => Some(file),
            Self::Demo(_) => None,
        }
    }

    /// The header.
    pub(crate) fn gguf(&self) -> Result<Gguf<'_>> {
        Ok(match self {
            Self::File(file) => file.gguf()?,
            Self::Demo(bytes) => Gguf::read(bytes)?,
        })
    }
}

/// A model with its tokenizer and template.
pub(crate) struct Loaded<'a> {
    pub(crate) model: Model<'a>,
    pub(crate) tokenizer: Tokenizer,
    pub(crate) template: Option<ChatTemplate>,
    pub(crate) template_text: Option<TemplateText>,
    /// The options, with what was chosen to fit the memory.
    pub(crate) options: ModelOptions,
}

impl<'a> Loaded<'a> {
    /// Reads what the options ask for.
    pub(crate) fn read(gguf: &Gguf<'a>, options: &ModelOptions) -> Result<Self> {
        let context = options.context(&Config::read(gguf)?);
        let mut model = Model::read_for_context(gguf, context)?;
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
        let session = Session::memory_bytes(tokenizer.vocabulary_len(), context);
        let options = options.fitted(&model, session)?;
        let fitting = options.context(&model.config);
        if fitting != context {
            model = Model::read_for_context(gguf, fitting)?;
        }
        Ok(Self {
            model,
            tokenizer,
            template,
            template_text,
            options,
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
            batch: self.batch_size.unwrap_or(512).min(together),
            context,
        })
    }

    /// What was not named, so that it may be chosen.
    pub(crate) fn free(&self) -> Free {
        Free {
            context: self.ctx_size.is_none(),
            cache: self.cache_type_k.is_none() && self.cache_type_v.is_none(),
            batch: self.batch_size.is_none() && self.ubatch_size.is_none(),
        }
    }

    /// The options with what fits the memory; `more` bytes are needed besides.
    fn fitted(&self, model: &Model<'_>, more: usize) -> Result<Self> {
        if !self.memory.is_limited() {
            return Ok(self.clone());
        }
        if self.device.wanted()?.is_some() {
            bail!("--memory is kept on the CPU alone; what a plug-in takes is not known");
        }
        let settings = self.settings(model)?;
        let fitting = self
            .memory
            .fit(&model.graph, settings.clone(), self.free(), more)?;
        let cache = (fitting.cache != settings.cache).then(|| fitting.cache.to_string());
        Ok(Self {
            ctx_size: Some(fitting.context),
            ubatch_size: Some(fitting.batch),
            cache_type_k: cache.or_else(|| self.cache_type_k.clone()),
            ..self.clone()
        })
    }

    /// The model's file, or the demo model.
    pub(crate) fn source(&self) -> Result<Source> {
        Source::open_as(self.model.as_deref(), &self.memory)
    }

    /// A back end for the model of a source, where the flags want it.
    pub(crate) fn backend<'a>(
        &self,
        model: &Model<'a>,
        source: &'a Source,
    ) -> Result<Box<dyn Backend + 'a>> {
        if self.device.wanted()?.is_none() {
            return Ok(Box::new(self.cpu_backend(model, source)?));
        }
        if self.memory.drop_pages {
            bail!("--drop-pages is for the CPU; a device has a copy of its own");
        }
        let settings = self.settings(model)?;
        self.device
            .backend(&model.graph, settings, self.named_tier()?)
    }

    /// A back end for the model of a source on the CPU.
    pub(crate) fn cpu_backend<'a>(
        &self,
        model: &Model<'a>,
        source: &'a Source,
    ) -> Result<CpuBackend<'a>> {
        let mut backend = CpuBackend::new(&model.graph, &self.settings(model)?)?;
        self.memory.prepare(&mut backend, source.file());
        Ok(backend)
    }

    /// How numbers are held, if that was said.
    pub(crate) fn named_tier(&self) -> Result<Option<Tier>> {
        self.numerics.as_deref().map(named_tier).transpose()
    }

    /// The names of the CPU's tier and of the cache's format.
    pub(crate) fn profile(&self) -> (&str, &str) {
        (
            self.numerics.as_deref().unwrap_or("fast"),
            self.cache_name(),
        )
    }

    /// The options of a replay: model and workers from the flags, the rest from a receipt.
    pub(crate) fn replay(flags: &ReplayOptions, numerics: &Numerics, context: usize) -> Self {
        Self {
            model: flags.model.clone(),
            ctx_size: Some(context),
            threads: flags.threads,
            threads_batch: None,
            batch_size: Some(flags.batch_size),
            ubatch_size: None,
            cache_type_k: Some(numerics.cache.clone()),
            cache_type_v: None,
            numerics: Some(numerics.tier.clone()),
            level: flags.level.clone(),
            device: DeviceOptions::default(),
            memory: MemoryOptions::default(),
            template: flags.template.clone(),
            jinja: false,
            flash_attn: None,
            no_repack: false,
            no_warmup: false,
        }
    }

    fn cache_name(&self) -> &str {
        self.cache_type_k.as_deref().unwrap_or("f16")
    }

    /// The options of a model that guesses for this one's: on the CPU, as fast as it can.
    pub(crate) fn for_draft(&self, path: &Path, context: usize) -> Self {
        Self {
            model: Some(path.to_owned()),
            ctx_size: Some(context),
            numerics: None,
            device: DeviceOptions::default(),
            memory: MemoryOptions::default(),
            ..self.clone()
        }
    }

    /// Positions to remember of a file's model.
    pub(crate) fn context_of(&self, gguf: &Gguf<'_>) -> Result<usize> {
        Ok(self.context(&Config::read(gguf)?))
    }

    /// How keys and values are remembered.
    pub(crate) fn cache(&self) -> Result<CacheFormat> {
        let keys = self.cache_name();
        if let Some(values) = self
            .cache_type_v
            .as_deref()
            .filter(|values| *values != keys)
        {
            bail!("keys as {keys} and values as {values}: both must be remembered alike");
        }
        match keys {
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

//! Flags of receipts, and what a run knows of its own.

use crate::load::{ModelOptions, Source};
use anyhow::{Result, bail};
use clap::Args;
use fidelis_conformance::receipt::{
    ARITHMETIC, Digest, FORMAT, LimitsRecord, ModelDigests, Numerics, Receipt, SamplerRecord,
    SigningKey, Step, VERSION, logits_type, private_key,
};
use fidelis_engine::gguf::Gguf;
use fidelis_engine::sample::SPECIFICATION;
use fidelis_engine::session::Stop;
use std::path::{Path, PathBuf};

/// Whether a receipt is written, and who signs it.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Receipt")]
pub(crate) struct ReceiptOptions {
    /// Write a receipt that `fidelis verify` replays.
    #[arg(long, value_name = "FILE.json")]
    pub(crate) receipt: Option<PathBuf>,
    /// Sign it with this Ed25519 key (PKCS#8 PEM, as `openssl genpkey -algorithm ed25519` writes).
    #[arg(long, value_name = "KEY", requires = "receipt")]
    sign: Option<PathBuf>,
}

impl ReceiptOptions {
    /// The key, if any; refuses before any work what could not be written or signed after it.
    pub(crate) fn prepare(&self) -> Result<Option<SigningKey>> {
        if let Some(path) = &self.receipt {
            let folder = match path.parent() {
                Some(folder) if folder.as_os_str().is_empty() => Path::new("."),
                Some(folder) => folder,
                None => path,
            };
            if !folder.is_dir() || path.is_dir() {
                bail!("cannot write a receipt to {}", path.display());
            }
        }
        Ok(self.sign.as_deref().map(private_key).transpose()?)
    }
}

/// What a run is given.
pub(crate) struct Claim<'t> {
    pub(crate) sampler: SamplerRecord,
    pub(crate) limits: LimitsRecord,
    pub(crate) context: usize,
    /// The template that rendered the prompt.
    pub(crate) template: Option<&'t str>,
}

impl Claim<'_> {
    /// The receipt of a run that took these steps.
    pub(crate) fn receipt(
        self,
        options: &ModelOptions,
        source: &Source,
        gguf: &Gguf<'_>,
        prompt: Vec<u32>,
        steps: Vec<Step>,
        stop: Option<Stop>,
    ) -> Receipt {
        let (tier, cache) = options.profile();
        Receipt {
            format: FORMAT.to_owned(),
            version: VERSION,
            engine: env!("CARGO_PKG_VERSION").to_owned(),
            numerics: Numerics {
                tier: tier.to_owned(),
                cache: cache.to_owned(),
                logits: logits_type(tier).to_owned(),
                arithmetic: ARITHMETIC.to_owned(),
                sampling: SPECIFICATION.to_owned(),
            },
            context: self.context,
            model: ModelDigests::new(&source.parts(), gguf),
            prompt,
            template: self.template.map(|text| Digest::of(text.as_bytes())),
            sampler: self.sampler,
            limits: self.limits,
            steps,
            stop: stop.into(),
        }
    }
}

//! Flags of receipts, and what a run knows of its own.

use crate::load::ModelOptions;
use anyhow::{Result, bail};
use clap::Args;
use fidelis_conformance::receipt::{
    ARITHMETIC, Digest, FORMAT, LimitsRecord, ModelDigests, Numerics, Receipt, SamplerRecord,
    SigningKey, Step, VERSION, logits_type, private_key,
};
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

/// What a run is given, all of it known before the first token is read.
pub(crate) struct Claim {
    pub(crate) numerics: Numerics,
    pub(crate) model: ModelDigests,
    pub(crate) prompt: Vec<u32>,
    pub(crate) sampler: SamplerRecord,
    pub(crate) limits: LimitsRecord,
    pub(crate) context: usize,
    /// The digest of the template that rendered the prompt.
    pub(crate) template: Option<Digest>,
}

/// How numbers are held under these options.
pub(crate) fn numerics(options: &ModelOptions) -> Numerics {
    let (tier, cache) = options.profile();
    Numerics {
        tier: tier.to_owned(),
        cache: cache.to_owned(),
        logits: logits_type(tier).to_owned(),
        arithmetic: ARITHMETIC.to_owned(),
        sampling: SPECIFICATION.to_owned(),
    }
}

impl Claim {
    /// The receipt of a run that took these steps.
    pub(crate) fn receipt(self, steps: Vec<Step>, stop: Option<Stop>) -> Receipt {
        Receipt {
            format: FORMAT.to_owned(),
            version: VERSION,
            engine: env!("CARGO_PKG_VERSION").to_owned(),
            numerics: self.numerics,
            context: self.context,
            model: self.model,
            prompt: self.prompt,
            template: self.template,
            sampler: self.sampler,
            limits: self.limits,
            steps,
            stop: stop.into(),
        }
    }
}

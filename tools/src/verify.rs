//! `fidelis verify`: a receipt is replayed.

use crate::load::{CACHES, Loaded, ModelOptions, ReplayOptions, Source, TIERS};
use crate::{output, progress};
use anyhow::{Context, Error, Result};
use clap::Args;
use fidelis_conformance::receipt::{
    self, Digest, ModelDigests, Opened, Receipt, ReceiptError, Refusal, public_key,
};
use fidelis_engine::backend::{BackendError, CpuBackend};
use fidelis_engine::sample::{SampleError, Sampler};
use fidelis_engine::session::Session;
use fidelis_simd::NoSuchLevel;
use std::path::PathBuf;

/// What the exit codes mean.
const EXIT_CODES: &str = "\
Exit codes:
  0  every bit agrees
  1  wrong usage, a file that cannot be read, anything else
  2  the replay differs: the first step that does, and what
  3  another model: the first tensor that differs, or what else; or another chat template
  4  the receipt is damaged, tampered with, or holds nothing that could be compared
  5  the receipt is of another version, or of numerics that this build does not know
  6  the signature is missing or wrong
  7  the receipt is cut off
  8  the key is of the wrong kind
  9  the CPU lacks the level that --level or FIDELIS_LEVEL asks for";

#[derive(Args)]
#[command(after_help = EXIT_CODES)]
pub(crate) struct Verify {
    /// What `fidelis run --receipt` wrote.
    receipt: PathBuf,
    #[command(flatten)]
    replay: ReplayOptions,
    /// Check the signature with this Ed25519 key (SPKI PEM, as `openssl pkey -pubout` writes).
    #[arg(long, value_name = "KEY")]
    public: Option<PathBuf>,
}

impl Verify {
    pub(crate) fn execute(&self) -> Result<()> {
        let opened = self.open()?;
        let receipt = &opened.receipt;
        receipt.check_rules()?;
        receipt.check_sense()?;
        let options = self.options(receipt)?;
        let source = Source::open(self.replay.model.as_deref())?;
        let gguf = source.gguf()?;
        let found = ModelDigests::new(&source.parts(), &gguf);
        receipt.model.check(&found).map_err(ReceiptError::Model)?;
        let loaded = Loaded::read(&gguf, &options)?;
        self.check_template(receipt, &loaded)?;
        receipt.check_prompt(loaded.model.config.vocabulary)?;
        let sampler = Sampler::new(receipt.sampler.settings()?, &loaded.tokenizer)
            .map_err(|error| damaged(error.into()))?;
        let settings = options.settings(&loaded.model)?;
        let backend = CpuBackend::new(&loaded.model.graph, &settings)?;
        let mut session = Session::new(backend, &loaded.tokenizer, sampler);
        let bar = progress::bar("replaying", receipt.steps.len() as u64, false);
        receipt::replay(receipt, &mut session, &loaded.tokenizer, |step| {
            bar.set_position(step as u64);
        })?;
        bar.finish_and_clear();
        output::text(&format!(
            "every bit agrees: {} prompt tokens and {} steps, numerics {}; here level {}, threads {}\n",
            receipt.prompt.len(),
            receipt.steps.len(),
            receipt.numerics.tier,
            settings.level.name(),
            settings.threads,
        ))?;
        Ok(())
    }

    /// Reads the receipt and checks checksum and signature.
    fn open(&self) -> Result<Opened> {
        let key = self.public.as_deref().map(public_key).transpose()?;
        let text = std::fs::read(&self.receipt)
            .with_context(|| format!("cannot read {}", self.receipt.display()))?;
        let opened = Receipt::read(&text)?;
        match (&key, &opened.signature) {
            (Some(key), Some(signature)) => signature.check(key, &opened.checksum)?,
            (Some(_), None) => return Err(ReceiptError::Unsigned.into()),
            (None, Some(_)) => {
                eprintln!("the signature was not checked: --public KEY checks it");
            }
            (None, None) => {}
        }
        Ok(opened)
    }

    /// Compares the template that rendered the prompt, if one did, with the flags' or the model's own.
    fn check_template(&self, receipt: &Receipt, loaded: &Loaded<'_>) -> Result<(), ReceiptError> {
        // Without a template, the one at hand says something only if it was asked for.
        if receipt.template.is_none() && !self.replay.template.is_given() {
            return Ok(());
        }
        let text = loaded.template_text.as_ref();
        let found = text.map(|text| Digest::of(text.source.as_bytes()));
        if found == receipt.template {
            return Ok(());
        }
        Err(ReceiptError::Template {
            name: text
                .map_or("the model's chat template", |text| &text.name)
                .to_owned(),
            expected: receipt.template,
            found,
        })
    }

    /// The receipt's profile, on the threads and the level of the flags.
    fn options(&self, receipt: &Receipt) -> Result<ModelOptions> {
        let numerics = &receipt.numerics;
        let options = ModelOptions::replay(&self.replay, numerics, receipt.context);
        let unknown = |what, found: &str, known: &str| ReceiptError::Profile {
            what,
            found: found.to_owned(),
            known: known.to_owned(),
        };
        options
            .named_tier()
            .map_err(|_| unknown("tier", &numerics.tier, TIERS))?;
        options
            .cache()
            .map_err(|_| unknown("cache format", &numerics.cache, CACHES))?;
        Ok(options)
    }
}

/// A sampler that cannot be made is the receipt's fault.
fn damaged(error: Error) -> Error {
    match error.downcast::<SampleError>() {
        Ok(error) => ReceiptError::Sampler(error).into(),
        Err(error) => error,
    }
}

/// What the program ends with after an error.
pub(crate) fn exit_code(error: &Error) -> u8 {
    let lacks_level = |cause: &(dyn std::error::Error + 'static)| {
        cause.is::<NoSuchLevel>() || matches!(cause.downcast_ref(), Some(BackendError::Level(_)))
    };
    if error.chain().any(lacks_level) {
        return 9;
    }
    let refusal = error.downcast_ref().map(ReceiptError::refusal);
    match refusal.unwrap_or(Refusal::Other) {
        Refusal::Other => 1,
        Refusal::Replay => 2,
        Refusal::Model => 3,
        Refusal::Damaged => 4,
        Refusal::Version => 5,
        Refusal::Signature => 6,
        Refusal::CutOff => 7,
        Refusal::Key => 8,
    }
}

//! Flags of the sampler: llama.cpp's names and defaults.

use anyhow::{Context, Result};
use clap::{Args, Parser};
use fidelis_engine::sample::{Filter, Mirostat, Sampler, Settings};
use fidelis_engine::text::Tokenizer;
use std::time::{SystemTime, UNIX_EPOCH};

/// How tokens are chosen.
#[derive(Args, Clone, Debug, PartialEq)]
#[command(next_help_heading = "Sampling")]
pub(crate) struct SamplingOptions {
    /// Seed; −1: another one every time.
    #[arg(short, long, default_value_t = -1, allow_negative_numbers = true)]
    seed: i64,
    /// Temperature; 0: always the most probable token.
    #[arg(long, default_value_t = 0.8, allow_negative_numbers = true)]
    temp: f32,
    /// Keep the most probable; 0: all.
    #[arg(long, default_value_t = 40, allow_negative_numbers = true)]
    top_k: i32,
    /// Keep so much probability; 1: all.
    #[arg(long, default_value_t = 0.95)]
    top_p: f32,
    /// Keep what is at least so probable, relative to the best.
    #[arg(long, default_value_t = 0.05)]
    min_p: f32,
    /// Typical sampling; 1: off.
    #[arg(long, default_value_t = 1.0)]
    typical: f32,
    /// Keep what is within so many standard deviations of the best; −1: off.
    #[arg(long, default_value_t = -1.0, allow_negative_numbers = true)]
    top_nsigma: f32,
    /// Chance of excluding top choices.
    #[arg(long, default_value_t = 0.0)]
    xtc_probability: f32,
    /// What counts as a top choice.
    #[arg(long, default_value_t = 0.1)]
    xtc_threshold: f32,
    /// How far the temperature moves with the entropy.
    #[arg(long, default_value_t = 0.0)]
    dynatemp_range: f32,
    /// Exponent of the entropy.
    #[arg(long, default_value_t = 1.0)]
    dynatemp_exp: f32,
    /// Tokens that penalties look back on; −1: all.
    #[arg(long, default_value_t = 64, allow_negative_numbers = true)]
    repeat_last_n: i32,
    /// Penalty for repeating; 1: off.
    #[arg(long, default_value_t = 1.0)]
    repeat_penalty: f32,
    /// Penalty for having appeared.
    #[arg(long, default_value_t = 0.0, allow_negative_numbers = true)]
    presence_penalty: f32,
    /// Penalty per appearance.
    #[arg(long, default_value_t = 0.0, allow_negative_numbers = true)]
    frequency_penalty: f32,
    /// DRY's scale; 0: off.
    #[arg(long, default_value_t = 0.0)]
    dry_multiplier: f32,
    /// DRY's base.
    #[arg(long, default_value_t = 1.75)]
    dry_base: f32,
    /// Repetitions of this length are free.
    #[arg(long, default_value_t = 2)]
    dry_allowed_length: i32,
    /// Tokens that DRY looks back on; −1: all.
    #[arg(long, default_value_t = -1, allow_negative_numbers = true)]
    dry_penalty_last_n: i32,
    /// Texts across which nothing is a repetition; replaces the defaults, `none` leaves none.
    #[arg(long)]
    dry_sequence_breaker: Vec<String>,
    /// 1 or 2: mirostat instead of the chain.
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u8).range(0..=2))]
    mirostat: u8,
    /// Mirostat's learning rate.
    #[arg(long, default_value_t = 0.1)]
    mirostat_lr: f32,
    /// Mirostat's target, in bits.
    #[arg(long, default_value_t = 5.0)]
    mirostat_ent: f32,
    /// The chain, such as `top_k;top_p;temperature`.
    #[arg(long)]
    samplers: Option<String>,
    /// The chain in letters, such as `kpt`.
    #[arg(long)]
    sampler_seq: Option<String>,
    /// `ID+VALUE` or `ID-VALUE`, added to a token's logit.
    #[arg(short, long, allow_hyphen_values = true)]
    logit_bias: Vec<String>,
    /// Never choose a token that ends the answer.
    #[arg(long)]
    pub(crate) ignore_eos: bool,
}

impl SamplingOptions {
    /// The settings that the flags ask for.
    pub(crate) fn settings(&self, tokenizer: &Tokenizer) -> Result<Settings> {
        let mut settings = Settings {
            seed: u64::try_from(self.seed).unwrap_or_else(|_| clock_seed()),
            top_k: self.top_k,
            top_p: self.top_p,
            min_p: self.min_p,
            typical: self.typical,
            top_n_sigma: self.top_nsigma,
            xtc_probability: self.xtc_probability,
            xtc_threshold: self.xtc_threshold,
            temperature: self.temp,
            dynatemp_range: self.dynatemp_range,
            dynatemp_exponent: self.dynatemp_exp,
            repeat_last_n: self.repeat_last_n,
            repeat_penalty: self.repeat_penalty,
            frequency_penalty: self.frequency_penalty,
            presence_penalty: self.presence_penalty,
            dry_multiplier: self.dry_multiplier,
            dry_base: self.dry_base,
            dry_allowed_length: self.dry_allowed_length,
            dry_penalty_last_n: self.dry_penalty_last_n,
            mirostat: [Mirostat::Off, Mirostat::V1, Mirostat::V2][usize::from(self.mirostat)],
            mirostat_tau: self.mirostat_ent,
            mirostat_eta: self.mirostat_lr,
            logit_bias: self
                .logit_bias
                .iter()
                .map(|text| bias(text))
                .collect::<Result<_>>()?,
            ..Settings::default()
        };
        if !self.dry_sequence_breaker.is_empty() {
            settings.dry_sequence_breakers = self
                .dry_sequence_breaker
                .iter()
                .filter(|text| *text != "none")
                .cloned()
                .collect();
        }
        if let Some(names) = &self.samplers {
            settings.filters = Filter::by_names(names)?;
        } else if let Some(letters) = &self.sampler_seq {
            settings.filters = Filter::by_letters(letters)?;
        }
        if self.ignore_eos {
            settings
                .logit_bias
                .extend(tokenizer.ends().map(|id| (id, f32::NEG_INFINITY)));
        }
        Ok(settings)
    }

    /// Whether a sampler with these settings may go on: the flags ask for nothing, or for the same, whatever the seed that the clock gave.
    pub(crate) fn allows(&self, saved: &Settings, tokenizer: &Tokenizer) -> Result<bool> {
        let mut wanted = self.settings(tokenizer)?;
        if self.seed < 0 {
            wanted.seed = saved.seed;
        }
        Ok(wanted == *saved || *self == Alone::parse_from(["fidelis"]).sampling)
    }

    /// The sampler that the flags ask for.
    pub(crate) fn sampler(&self, tokenizer: &Tokenizer) -> Result<Sampler> {
        Ok(Sampler::new(self.settings(tokenizer)?, tokenizer)?)
    }
}

/// The flags by themselves, for their defaults.
#[derive(Parser)]
struct Alone {
    #[command(flatten)]
    sampling: SamplingOptions,
}

/// A seed from the clock.
fn clock_seed() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |time| {
            u64::from(time.subsec_nanos()) ^ time.as_secs() << 30
        })
}

/// `ID+VALUE` or `ID-VALUE`.
fn bias(text: &str) -> Result<(u32, f32)> {
    let wrong = || format!("--logit-bias {text:?} is not ID+VALUE or ID-VALUE");
    let at = text.find(['+', '-']).with_context(wrong)?;
    let value = match &text[at + 1..] {
        "inf" if text[at..].starts_with('-') => f32::NEG_INFINITY,
        _ => text[at..].parse().with_context(wrong)?,
    };
    Ok((text[..at].parse().with_context(wrong)?, value))
}

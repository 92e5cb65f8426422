//! A sampler's settings in a receipt.

use super::ReceiptError;
use fidelis_engine::sample::{Filter, Mirostat, Settings};
use serde::{Deserialize, Serialize};

/// Added to a token's logit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bias {
    /// The token.
    pub token: u32,
    /// The number; `None` is minus infinity, which JSON cannot write.
    pub bias: Option<f32>,
}

/// Every setting of a sampler, by the names of [`Settings`]; floats are `f32`, in the shortest decimals that read back as the same.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "`Settings` describes them")]
pub struct SamplerRecord {
    pub seed: u64,
    /// The names of the chain's filters, joined by semicolons.
    pub filters: String,
    pub min_keep: usize,
    pub top_k: i32,
    pub top_p: f32,
    pub min_p: f32,
    pub typical: f32,
    pub top_n_sigma: f32,
    pub xtc_probability: f32,
    pub xtc_threshold: f32,
    pub temperature: f32,
    pub dynatemp_range: f32,
    pub dynatemp_exponent: f32,
    pub repeat_last_n: i32,
    pub repeat_penalty: f32,
    pub frequency_penalty: f32,
    pub presence_penalty: f32,
    pub dry_multiplier: f32,
    pub dry_base: f32,
    pub dry_allowed_length: i32,
    pub dry_penalty_last_n: i32,
    pub dry_sequence_breakers: Vec<String>,
    /// 0: none; 1 or 2: the version that replaces the chain.
    pub mirostat: u8,
    pub mirostat_tau: f32,
    pub mirostat_eta: f32,
    pub logit_bias: Vec<Bias>,
}

impl From<&Settings> for SamplerRecord {
    fn from(settings: &Settings) -> Self {
        // Every field by name, so that a setting which is added cannot be forgotten here.
        let Settings {
            seed,
            filters,
            min_keep,
            top_k,
            top_p,
            min_p,
            typical,
            top_n_sigma,
            xtc_probability,
            xtc_threshold,
            temperature,
            dynatemp_range,
            dynatemp_exponent,
            repeat_last_n,
            repeat_penalty,
            frequency_penalty,
            presence_penalty,
            dry_multiplier,
            dry_base,
            dry_allowed_length,
            dry_penalty_last_n,
            dry_sequence_breakers,
            mirostat,
            mirostat_tau,
            mirostat_eta,
            logit_bias,
        } = settings.clone();
        let names: Vec<&str> = filters.into_iter().map(Filter::name).collect();
        let bias = |(token, bias): (u32, f32)| Bias {
            token,
            bias: bias.is_finite().then_some(bias),
        };
        Self {
            seed,
            filters: names.join(";"),
            min_keep,
            top_k,
            top_p,
            min_p,
            typical,
            top_n_sigma,
            xtc_probability,
            xtc_threshold,
            temperature,
            dynatemp_range,
            dynatemp_exponent,
            repeat_last_n,
            repeat_penalty,
            frequency_penalty,
            presence_penalty,
            dry_multiplier,
            dry_base,
            dry_allowed_length,
            dry_penalty_last_n,
            dry_sequence_breakers,
            mirostat: match mirostat {
                Mirostat::Off => 0,
                Mirostat::V1 => 1,
                Mirostat::V2 => 2,
            },
            mirostat_tau,
            mirostat_eta,
            logit_bias: logit_bias.into_iter().map(bias).collect(),
        }
    }
}

impl SamplerRecord {
    /// The settings.
    ///
    /// # Errors
    ///
    /// [`ReceiptError::Sampler`] for a filter that nobody knows, [`ReceiptError::Profile`] for a mirostat that nobody does.
    pub fn settings(&self) -> Result<Settings, ReceiptError> {
        let record = self.clone();
        let mirostat = match record.mirostat {
            0 => Mirostat::Off,
            1 => Mirostat::V1,
            2 => Mirostat::V2,
            other => {
                return Err(ReceiptError::Profile {
                    what: "mirostat",
                    found: other.to_string(),
                    known: "0, 1 and 2".to_owned(),
                });
            }
        };
        let bias = |bias: Bias| (bias.token, bias.bias.unwrap_or(f32::NEG_INFINITY));
        Ok(Settings {
            seed: record.seed,
            filters: Filter::by_names(&record.filters).map_err(ReceiptError::Sampler)?,
            min_keep: record.min_keep,
            top_k: record.top_k,
            top_p: record.top_p,
            min_p: record.min_p,
            typical: record.typical,
            top_n_sigma: record.top_n_sigma,
            xtc_probability: record.xtc_probability,
            xtc_threshold: record.xtc_threshold,
            temperature: record.temperature,
            dynatemp_range: record.dynatemp_range,
            dynatemp_exponent: record.dynatemp_exponent,
            repeat_last_n: record.repeat_last_n,
            repeat_penalty: record.repeat_penalty,
            frequency_penalty: record.frequency_penalty,
            presence_penalty: record.presence_penalty,
            dry_multiplier: record.dry_multiplier,
            dry_base: record.dry_base,
            dry_allowed_length: record.dry_allowed_length,
            dry_penalty_last_n: record.dry_penalty_last_n,
            dry_sequence_breakers: record.dry_sequence_breakers,
            mirostat,
            mirostat_tau: record.mirostat_tau,
            mirostat_eta: record.mirostat_eta,
            logit_bias: record.logit_bias.into_iter().map(bias).collect(),
        })
    }
}

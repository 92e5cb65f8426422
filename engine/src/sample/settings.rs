//! What a sampler is made with: llama.cpp's options and defaults.

use super::SampleError;
use serde::{Deserialize, Serialize};

/// A step of the chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Filter {
    /// Repetition, presence and frequency penalties.
    Penalties,
    /// "Don't repeat yourself": the longer a repetition would become, the larger the penalty.
    Dry,
    /// Only logits within so many standard deviations of the largest.
    TopNSigma,
    /// Only the most probable.
    TopK,
    /// Only those whose surprise is near what is expected.
    Typical,
    /// The most probable that make up so much together.
    TopP,
    /// Only those at least so probable, relative to the most probable.
    MinP,
    /// "Exclude top choices", now and then.
    Xtc,
    /// Sharper or flatter.
    Temperature,
}

/// Names and letters, in the default order.
const FILTERS: [(Filter, &str, char); 9] = [
    (Filter::Penalties, "penalties", 'e'),
    (Filter::Dry, "dry", 'd'),
    (Filter::TopNSigma, "top_n_sigma", 's'),
    (Filter::TopK, "top_k", 'k'),
    (Filter::Typical, "typ_p", 'y'),
    (Filter::TopP, "top_p", 'p'),
    (Filter::MinP, "min_p", 'm'),
    (Filter::Xtc, "xtc", 'x'),
    (Filter::Temperature, "temperature", 't'),
];

impl Filter {
    /// The name in a chain such as `top_k;top_p;temperature`.
    pub fn name(self) -> &'static str {
        let found = FILTERS.iter().find(|(filter, ..)| *filter == self);
        found.map_or("", |(_, name, _)| name)
    }

    /// Filters by names such as `top_k;top_p;temperature`.
    ///
    /// # Errors
    ///
    /// [`SampleError::Unknown`] with the name that is none.
    pub fn by_names(names: &str) -> Result<Vec<Self>, SampleError> {
        let by_name = |name: &str| {
            let plain = name.trim().to_lowercase().replace('-', "_");
            let plain = match plain.as_str() {
                "temp" => "temperature",
                "typical" | "typical_p" => "typ_p",
                "top_nsigma" => "top_n_sigma",
                other => other,
            };
            let found = FILTERS.iter().find(|(_, known, _)| *known == plain);
            found
                .map(|(filter, ..)| *filter)
                .ok_or_else(|| unknown(name))
        };
        names
            .split(';')
            .filter(|name| !name.trim().is_empty())
            .map(by_name)
            .collect()
    }

    /// Filters by letters such as `kpt`.
    ///
    /// # Errors
    ///
    /// [`SampleError::Unknown`] with the letter that is none.
    pub fn by_letters(letters: &str) -> Result<Vec<Self>, SampleError> {
        let by_letter = |letter: char| {
            let found = FILTERS.iter().find(|(.., known)| *known == letter);
            found
                .map(|(filter, ..)| *filter)
                .ok_or_else(|| unknown(&letter.to_string()))
        };
        letters.chars().map(by_letter).collect()
    }
}

fn unknown(name: &str) -> SampleError {
    SampleError::Unknown {
        name: name.to_owned(),
        known: FILTERS.iter().map(|(_, name, _)| *name).collect(),
    }
}

/// Which mirostat is in use, if any.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Mirostat {
    /// None: the chain.
    Off,
    /// The first version.
    V1,
    /// The second version.
    V2,
}

/// Options; the fields bear llama.cpp's names, in words.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Of the generator.
    pub seed: u64,
    /// The chain.
    pub filters: Vec<Filter>,
    /// Candidates that no filter goes below; 0 counts as 1.
    pub min_keep: usize,
    /// Candidates kept by top-k; 0 or less: all.
    pub top_k: i32,
    /// Probability kept by top-p; 1: all.
    pub top_p: f32,
    /// Probability relative to the best; 0: all.
    pub min_p: f32,
    /// Probability kept by typical sampling; 1: all.
    pub typical: f32,
    /// Standard deviations; 0 or less: all.
    pub top_n_sigma: f32,
    /// Chance that XTC acts; 0: never.
    pub xtc_probability: f32,
    /// What XTC counts as a top choice; above 0.5 it never acts.
    pub xtc_threshold: f32,
    /// 0 or less: greedy.
    pub temperature: f32,
    /// How far the temperature moves with the entropy; 0: not.
    pub dynatemp_range: f32,
    /// Exponent of the normalised entropy.
    pub dynatemp_exponent: f32,
    /// Tokens that penalties look back on; 0: none, −1: all.
    pub repeat_last_n: i32,
    /// Divides positive logits and multiplies negative ones; 1: off.
    pub repeat_penalty: f32,
    /// Taken off per occurrence.
    pub frequency_penalty: f32,
    /// Taken off once.
    pub presence_penalty: f32,
    /// Scale of DRY's penalty; 0: off.
    pub dry_multiplier: f32,
    /// Base of DRY's exponential.
    pub dry_base: f32,
    /// Repetitions of this length are free.
    pub dry_allowed_length: i32,
    /// Tokens that DRY looks back on; 0: none, −1: all.
    pub dry_penalty_last_n: i32,
    /// Texts across which nothing is a repetition.
    pub dry_sequence_breakers: Vec<String>,
    /// Replaces the chain.
    pub mirostat: Mirostat,
    /// Target surprise, in bits.
    pub mirostat_tau: f32,
    /// Learning rate.
    pub mirostat_eta: f32,
    /// Added to logits before anything else.
    #[serde(with = "super::state::bias")]
    pub logit_bias: Vec<(u32, f32)>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            seed: 0,
            filters: FILTERS.iter().map(|(filter, ..)| *filter).collect(),
            min_keep: 0,
            top_k: 40,
            top_p: 0.95,
            min_p: 0.05,
            typical: 1.0,
            top_n_sigma: -1.0,
            xtc_probability: 0.0,
            xtc_threshold: 0.1,
            temperature: 0.8,
            dynatemp_range: 0.0,
            dynatemp_exponent: 1.0,
            repeat_last_n: 64,
            repeat_penalty: 1.0,
            frequency_penalty: 0.0,
            presence_penalty: 0.0,
            dry_multiplier: 0.0,
            dry_base: 1.75,
            dry_allowed_length: 2,
            dry_penalty_last_n: -1,
            dry_sequence_breakers: ["\n", ":", "\"", "*"].map(str::to_owned).to_vec(),
            mirostat: Mirostat::Off,
            mirostat_tau: 5.0,
            mirostat_eta: 0.1,
            logit_bias: Vec::new(),
        }
    }
}

impl Settings {
    /// Whether nothing but the largest logit counts: what could change or remove it is off.
    pub(super) fn is_greedy(&self) -> bool {
        let is_off = |filter: &Filter| match filter {
            Filter::Penalties => {
                self.repeat_penalty == 1.0
                    && self.frequency_penalty == 0.0
                    && self.presence_penalty == 0.0
            }
            Filter::Dry => self.dry_multiplier == 0.0,
            Filter::Typical => self.typical >= 1.0,
            Filter::Xtc => self.xtc_probability <= 0.0,
            Filter::Temperature => self.temperature <= 0.0 && self.dynatemp_range <= 0.0,
            // These keep the largest.
            Filter::TopNSigma | Filter::TopK | Filter::TopP | Filter::MinP => true,
        };
        self.mirostat == Mirostat::Off
            && self.logit_bias.is_empty()
            && self.filters.contains(&Filter::Temperature)
            && self.filters.iter().all(is_off)
    }

    pub(super) fn check(&self) -> Result<(), SampleError> {
        let numbers = [
            ("top-p", self.top_p),
            ("min-p", self.min_p),
            ("typical", self.typical),
            ("top-nsigma", self.top_n_sigma),
            ("xtc-probability", self.xtc_probability),
            ("xtc-threshold", self.xtc_threshold),
            ("temp", self.temperature),
            ("dynatemp-range", self.dynatemp_range),
            ("dynatemp-exp", self.dynatemp_exponent),
            ("repeat-penalty", self.repeat_penalty),
            ("frequency-penalty", self.frequency_penalty),
            ("presence-penalty", self.presence_penalty),
            ("dry-multiplier", self.dry_multiplier),
            ("dry-base", self.dry_base),
            ("mirostat-ent", self.mirostat_tau),
            ("mirostat-lr", self.mirostat_eta),
        ];
        let wrong = |setting, value: f32, wanted| {
            Err(SampleError::Setting {
                setting,
                value: value.into(),
                wanted,
            })
        };
        for (setting, value) in numbers {
            if !value.is_finite() {
                return wrong(setting, value, "it must be a finite number");
            }
        }
        if self.repeat_penalty <= 0.0 {
            return wrong("repeat-penalty", self.repeat_penalty, "it must be positive");
        }
        if let Some((_, bias)) = self
            .logit_bias
            .iter()
            .find(|(_, bias)| bias.is_nan() || *bias == f32::INFINITY)
        {
            return wrong("logit-bias", *bias, "it must be a number or minus infinity");
        }
        Ok(())
    }
}

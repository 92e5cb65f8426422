//! Where a sampler is, in a form that outlives it.

use super::mirostat::MirostatState;
use super::random::Pcg32;
use super::{SPECIFICATION, SampleError, Sampler, Settings, Vocabulary};
use serde::{Deserialize, Serialize};

/// Everything that a sampler's next choices depend on: one that is made with it chooses as the first would have.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SamplerState {
    /// The rules, [`SPECIFICATION`].
    pub specification: String,
    /// The settings.
    pub settings: Settings,
    /// The generator's state.
    pub random: u64,
    /// The bits of mirostat's bound.
    pub mirostat: u64,
    /// The last tokens, newest last; not part of the text form.
    #[serde(skip)]
    pub recent: Vec<u32>,
}

impl Sampler {
    /// Where the sampler is.
    pub fn state(&self) -> SamplerState {
        SamplerState {
            specification: SPECIFICATION.to_owned(),
            settings: self.settings.clone(),
            random: self.random.state(),
            mirostat: self.mirostat.most().to_bits(),
            recent: self.recent.iter().copied().collect(),
        }
    }

    /// A sampler that goes on from there; see [`Self::new`] for the vocabulary.
    ///
    /// # Errors
    ///
    /// [`SampleError::Specification`] if other rules were in use, [`SampleError::Setting`] naming the setting at fault.
    pub fn resume(state: SamplerState, vocabulary: &dyn Vocabulary) -> Result<Self, SampleError> {
        if state.specification != SPECIFICATION {
            return Err(SampleError::Specification {
                found: state.specification,
            });
        }
        let mut sampler = Self::new(state.settings, vocabulary)?;
        sampler.random = Pcg32::at(state.random);
        sampler.mirostat = MirostatState::at(f64::from_bits(state.mirostat));
        sampler.reset_tokens(&state.recent);
        Ok(sampler)
    }
}

/// Biases by the bits of their numbers: minus infinity has no decimals.
pub(super) mod bias {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(in crate::sample) fn serialize<S: Serializer>(
        biases: &[(u32, f32)],
        to: S,
    ) -> Result<S::Ok, S::Error> {
        let bits: Vec<(u32, u32)> = biases.iter().map(|(id, x)| (*id, x.to_bits())).collect();
        bits.serialize(to)
    }

    pub(in crate::sample) fn deserialize<'d, D: Deserializer<'d>>(
        from: D,
    ) -> Result<Vec<(u32, f32)>, D::Error> {
        let bits = Vec::<(u32, u32)>::deserialize(from)?;
        Ok(bits
            .into_iter()
            .map(|(id, x)| (id, f32::from_bits(x)))
            .collect())
    }
}

#[cfg(test)]
mod tests {
    use super::{Sampler, SamplerState, Settings};
    use crate::sample::{Filter, Mirostat, NoVocabulary, SampleError};
    use rand_core::Rng;
    use rand_pcg::Pcg64;

    fn settings() -> Vec<Settings> {
        let plain = Settings {
            seed: 7,
            temperature: 1.3,
            logit_bias: vec![(3, f32::NEG_INFINITY), (9, -0.1)],
            ..Settings::default()
        };
        vec![
            Settings {
                xtc_probability: 0.5,
                repeat_penalty: 1.1,
                ..plain.clone()
            },
            Settings {
                dry_multiplier: 0.8,
                filters: vec![Filter::Dry, Filter::TopP, Filter::Temperature],
                ..plain.clone()
            },
            Settings {
                mirostat: Mirostat::V1,
                ..plain.clone()
            },
            Settings {
                mirostat: Mirostat::V2,
                mirostat_tau: 3.1,
                ..plain
            },
        ]
    }

    #[test]
    fn a_sampler_that_is_resumed_chooses_as_the_one_that_was_not_interrupted() {
        for settings in settings() {
            let mut random = Pcg64::new(5, 54);
            let mut logits = || -> Vec<f32> {
                (0..50)
                    .map(|_| (random.next_u32() % 1000) as f32 / 100.0)
                    .collect()
            };
            let mut sampler = Sampler::new(settings, &NoVocabulary).expect("settings");
            for _ in 0..40 {
                let token = sampler.sample(&logits()).expect("a token");
                sampler.accept(token);
            }
            let state = sampler.state();
            let text = serde_json::to_string(&state).expect("plain data");
            let mut read: SamplerState = serde_json::from_str(&text).expect("what was written");
            read.recent.clone_from(&state.recent);
            assert_eq!(read, state);
            let mut resumed = Sampler::resume(read, &NoVocabulary).expect("settings");
            for _ in 0..40 {
                let logits = logits();
                let token = sampler.sample(&logits).expect("a token");
                assert_eq!(resumed.sample(&logits).expect("a token"), token);
                sampler.accept(token);
                resumed.accept(token);
            }
            assert_eq!(resumed.state(), sampler.state());
        }
    }

    #[test]
    fn other_rules_and_senseless_settings_are_refused() {
        let state = Sampler::greedy().state();
        let other = SamplerState {
            specification: "fidelis-sampling-0".to_owned(),
            ..state.clone()
        };
        assert!(matches!(
            Sampler::resume(other, &NoVocabulary),
            Err(SampleError::Specification { .. })
        ));
        let mut wrong = state;
        wrong.settings.repeat_penalty = -1.0;
        assert!(matches!(
            Sampler::resume(wrong, &NoVocabulary),
            Err(SampleError::Setting { .. })
        ));
    }
}

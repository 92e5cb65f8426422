//! Choosing a token from logits.
//!
//! The chain is llama.cpp's: penalties, DRY, top-n-sigma, top-k, typical, top-p, min-p, XTC,
//! temperature, then a draw; or temperature and mirostat. Logits are widened to `f64` and everything is
//! computed there with the portable functions of `libm`, so a seed gives the same text on every
//! machine. Where two candidates tie, the lower token id goes first.
//!
//! The generator is PCG-XSH-RR 64/32 on stream 54 ([`random`]). A draw takes two outputs `a`, `b` and forms
//! `u = (a · 2²¹ + ⌊b / 2¹¹⌋) / 2⁵³`; candidates are walked from the most probable down, and the
//! first whose cumulative probability exceeds `u` is chosen.

mod candidates;
mod dry;
mod filter;
mod mirostat;
pub mod random;
mod settings;

pub use settings::{Filter, Mirostat, Settings};

use candidates::Candidates;
use mirostat::MirostatState;
use random::Pcg32;
use std::collections::{HashMap, VecDeque};

/// The name of these rules in a receipt; changed whenever a seed may mean another text.
pub const SPECIFICATION: &str = "fidelis-sampling-1";

/// Why no token can be chosen.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum SampleError {
    /// A setting that makes no sense.
    #[error("{setting} is {value}, but {wanted}")]
    Setting {
        /// Which.
        setting: &'static str,
        /// Its value.
        value: f64,
        /// What it should be.
        wanted: &'static str,
    },
    /// A filter that nobody knows.
    #[error("{name:?} is not a sampler; known are {}", known.join(", "))]
    Unknown {
        /// What was asked for.
        name: String,
        /// Those that are.
        known: Vec<&'static str>,
    },
    /// There are no logits.
    #[error("there are no logits to choose from")]
    Empty,
    /// A logit that is not a number or infinitely large.
    #[error("the logit of token {token} is {value}")]
    NonFinite {
        /// The first such token.
        token: usize,
        /// Its logit.
        value: f32,
    },
    /// Every logit is minus infinity.
    #[error("no token is possible: every logit is minus infinity, by itself or by its bias")]
    Impossible,
}

/// Chooses tokens, one after another.
pub struct Sampler {
    settings: Settings,
    random: Pcg32,
    /// The last tokens, newest last.
    recent: VecDeque<u32>,
    mirostat: MirostatState,
    /// Whether a token breaks the sequences that DRY compares.
    breakers: Box<dyn Fn(u32) -> bool + Send>,
    known_breakers: HashMap<u32, bool>,
}

impl Sampler {
    /// A sampler; `piece` gives the bytes of a token, for DRY's sequence breakers.
    ///
    /// # Errors
    ///
    /// [`SampleError::Setting`] naming the setting at fault.
    pub fn new(
        settings: Settings,
        piece: impl Fn(u32) -> Vec<u8> + Send + 'static,
    ) -> Result<Self, SampleError> {
        settings.check()?;
        let texts = settings.dry_sequence_breakers.clone();
        let breakers = Box::new(move |token| {
            let bytes = piece(token);
            texts.iter().any(|text| {
                !text.is_empty()
                    && bytes
                        .windows(text.len())
                        .any(|window| window == text.as_bytes())
            })
        });
        Ok(Self {
            random: Pcg32::new(settings.seed),
            mirostat: MirostatState::new(&settings),
            recent: VecDeque::new(),
            known_breakers: HashMap::new(),
            breakers,
            settings,
        })
    }

    /// Always the largest logit.
    pub fn greedy() -> Self {
        let settings = Settings {
            temperature: 0.0,
            ..Settings::default()
        };
        Self {
            random: Pcg32::new(0),
            mirostat: MirostatState::new(&settings),
            recent: VecDeque::new(),
            breakers: Box::new(|_| false),
            known_breakers: HashMap::new(),
            settings,
        }
    }

    /// The settings in use.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Chooses a token; the chosen one still has to be [accepted](Self::accept).
    ///
    /// # Errors
    ///
    /// [`SampleError`] if the logits hold a NaN or an infinity, or leave no choice.
    pub fn sample(&mut self, logits: &[f32]) -> Result<u32, SampleError> {
        let candidates = self.filter(logits)?;
        if self.settings.mirostat == Mirostat::Off {
            return self.draw(&candidates);
        }
        self.mirostat
            .choose(&self.settings, &candidates, &mut self.random)
    }

    /// The tokens that [`Self::sample`] would draw from and their probabilities, the most probable first.
    ///
    /// XTC draws whether it acts, so the generator moves on where it is in use.
    ///
    /// # Errors
    ///
    /// As for [`Self::sample`].
    pub fn distribution(&mut self, logits: &[f32]) -> Result<Vec<(u32, f64)>, SampleError> {
        let candidates = self.filter(logits)?;
        let tokens = candidates.iter().map(|candidate| candidate.token);
        Ok(tokens.zip(candidates.probabilities()).collect())
    }

    /// What biases, chain and mirostat leave, sorted.
    fn filter(&mut self, logits: &[f32]) -> Result<Candidates, SampleError> {
        let mut candidates = Candidates::new(logits)?;
        for &(token, bias) in &self.settings.logit_bias {
            candidates.change(token, |logit| logit + f64::from(bias));
        }
        if candidates.len() == 0 {
            return Err(SampleError::Impossible);
        }
        if self.settings.mirostat == Mirostat::Off {
            for filter in self.settings.filters.clone() {
                self.apply(filter, &mut candidates);
            }
            candidates.sort();
        } else {
            self.apply(Filter::Temperature, &mut candidates);
            candidates.sort();
            self.mirostat.cut(&self.settings, &mut candidates);
        }
        Ok(candidates)
    }

    /// Remembers a token, chosen or read.
    pub fn accept(&mut self, token: u32) {
        self.recent.push_back(token);
        if self.recent.len() > 1 << 16 {
            self.recent.pop_front();
        }
    }

    /// Remembers these tokens and no others; the generator goes on.
    pub fn reset_tokens(&mut self, tokens: &[u32]) {
        self.recent.clear();
        tokens.iter().for_each(|&token| self.accept(token));
    }

    fn apply(&mut self, filter: Filter, candidates: &mut Candidates) {
        let s = &self.settings;
        match filter {
            Filter::Penalties => filter::penalties(candidates, s, &self.recent),
            Filter::Dry => {
                let (known, breakers) = (&mut self.known_breakers, &self.breakers);
                dry::apply(candidates, s, &self.recent, |token| {
                    *known.entry(token).or_insert_with(|| breakers(token))
                });
            }
            Filter::TopNSigma => filter::top_n_sigma(candidates, s.top_n_sigma.into()),
            Filter::TopK => filter::top_k(candidates, s.top_k, s.min_keep),
            Filter::Typical => filter::typical(candidates, s.typical.into(), s.min_keep),
            Filter::TopP => filter::top_p(candidates, s.top_p.into(), s.min_keep),
            Filter::MinP => filter::min_p(candidates, s.min_p.into(), s.min_keep),
            Filter::Xtc => filter::xtc(candidates, s, &mut self.random),
            Filter::Temperature => filter::temperature(candidates, s),
        }
    }

    fn draw(&mut self, candidates: &Candidates) -> Result<u32, SampleError> {
        if candidates.len() == 1 {
            return candidates.first().ok_or(SampleError::Impossible);
        }
        candidates
            .draw(self.random.unit())
            .ok_or(SampleError::Impossible)
    }
}

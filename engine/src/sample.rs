//! Choosing a token from logits: `fidelis-sampling-1`, written so that another program can give the same tokens.
//!
//! **Numbers.** Logits (`f32`) and settings (`f32`: 0.8 is 0.800000011920929) are widened to `f64`, and everything is computed there, each
//! operation rounded by itself, with `exp`, `log`, `log2` and `pow` of the `libm` crate. Sums start at 0 and add one term after
//! another, in the candidates' order. (A platform's own `exp` differs by one unit in the last place at most, which changes a
//! token once in some 10¹³ draws.)
//!
//! **Generator.** PCG-XSH-RR 64/32 on stream 54, all arithmetic modulo 2⁶⁴, with `c = 2·54 + 1` and `a = 6364136223846793005`:
//!
//! ```text
//! seeding:  s = (c + seed)·a + c
//! output:   x = ((s >> 18) xor s) >> 27, its low 32 bits, rotated right by s >> 59;   then s = s·a + c
//! unit:     two outputs h, l:  u = (h·2²¹ + ⌊l / 2¹¹⌋) / 2⁵³,  so 0 ≤ u < 1
//! ```
//!
//! The state goes on from token to token and from answer to answer; nothing but XTC and the draw takes outputs.
//!
//! **Candidates.** All tokens but those at −∞, which are *masked*: never chosen, but counted by the dynamic temperature until a filter drops them. A bias
//! is added to its token's logit before anything else, in the order given; −∞ masks the token. Candidates are in the order of their ids
//! until a step *sorts* them: largest logit first, of equals (−0 equals 0) the lower id; they stay sorted then, whatever changes a
//! logit. Their probabilities are `p[i] = w[i] / Σ w`, `w[i] = exp(x[i] − max x)`.
//! "The best n" are the first n (at least one) when sorted, and drop masked tokens beyond n.
//!
//! **The chain.** By default in this order; the text so far is prompt and answer, its last 65,536 tokens at most.
//!
//! | filter | what it does |
//! |---|---|
//! | penalties | if repeat ≠ 1 or one of the others ≠ 0: for each token among the last `repeat_last_n` (−1: all), by id, with `n` occurrences: `x·repeat` if `x ≤ 0`, else `x / repeat`; then `− n·frequency`, then `− presence` |
//! | dry | unless multiplier = 0, base < 1 or the window is empty: see below |
//! | top_n_sigma | if > 0 and not the only candidate: masks `x < max − sigma·√(Σ(x − mean)² / n)` |
//! | top_k | if ≥ 1: keeps the best `max(k, min_keep)`; sorts |
//! | typ_p | if < 1: sorts; `h = Σ p·(−log p)`; takes candidates by `abs(−log p − h)`, of equals the first, until their sum exceeds typ_p and `min_keep` are taken; drops masked |
//! | top_p | if < 1: sorts; keeps the first ones up to where their sum is ≥ top_p and `min_keep` are kept |
//! | min_p | if > 0: keeps `x ≥ max + log(min_p)` and drops masked; if those are fewer than `max(min_keep, 1)`, the best `min_keep` instead |
//! | xtc | if probability > 0, threshold ≤ ½ and 2 candidates or more: draws `u`; unless `u > probability`: sorts; of the leading candidates with `p ≥ threshold`, if two or more, all but the last go, provided that `min_keep` stay |
//! | temperature | if ≤ 0 keeps the best 1; else `x / temperature` |
//!
//! With `dynatemp_range > 0` and more than one place the temperature is `low + (high − low)·pow(e, exponent)`, `low = max(temperature − range, 0)`,
//! `high = temperature + range`, `e = Σ p·(−log p) / log(places)`, where places are candidates and masked tokens. What is never left empty: a filter
//! that would remove every candidate removes none.
//!
//! **DRY.** Let `t[0]` be the newest token of the window, `t[1]` the one before. `limit` is the place of the first breaker, or the window's length: a token whose
//! bytes contain one of the texts, or one whose bytes end with a text's beginning and which the tokens of the text's rest follow (of several such, the longest; `limit` then counts
//! from behind them; texts count to 40 bytes, rests to 20 tokens); nothing happens if `limit < allowed` or the window has no more than `allowed` tokens. For every `k ≥ 1`, `n` is the length of the
//! longest common beginning of `t[0..]` and `t[k..]`, at most `limit`; if `n ≥ allowed` and `t[k−1]` contains no text, `t[k−1]` is marked
//! with `n`. A token whose largest mark is `n` loses `multiplier·pow(base, min(n − allowed, ⌊88.7228391 / log base⌋))`; there is no such bound for a base of at most 1.000001.
//!
//! **The draw.** Candidates are sorted. A single one is chosen without an output. Otherwise `u` is drawn, and probabilities are summed from the first candidate on;
//! the first at which the sum exceeds `u` is chosen, the last if none does.
//!
//! **Mirostat** replaces the chain: temperature, sorting, a cut, and the draw above (which takes an output even for one candidate). A bound `m` starts at `2·tau` bits; after each
//! draw `m = m − eta·(−log2 p − tau)`, with `p` the chosen token's probability after the cut. Version 2 keeps the first candidate and those with
//! `−log2 p ≤ m`. Version 1 keeps the best `⌊k⌋`: with `n` candidates, `t[i] = log((i+2)/(i+1))` and `b[i] = log(p[i]/p[i+1])` for the first 99 neighbours, `s = Σ t·b / Σ t·t`,
//! `e = s − 1` and `k = pow(e·pow(2, m) / (1 − pow(n, −e)), 1/s)`, at least 1 and at most `n`; `n` if that is no finite number.
//!
//! Test vectors: `tests/data/sampling_vectors.txt`, written by `tests/sampling_vectors.py` from this text alone.

mod breakers;
mod candidates;
mod dry;
mod filter;
mod mirostat;
pub mod random;
mod settings;
mod state;

pub use breakers::{NoVocabulary, Vocabulary};
pub use settings::{Filter, Mirostat, Settings};
pub use state::SamplerState;

use breakers::Breakers;
use candidates::Candidates;
use mirostat::MirostatState;
use random::Pcg32;
use std::collections::VecDeque;

/// The name of these rules in a receipt; changed whenever a seed may mean another text.
pub const SPECIFICATION: &str = "fidelis-sampling-1";

/// Tokens that are remembered, at most.
const MOST_RECENT: usize = 1 << 16;

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
    /// Another sampler's rules.
    #[error("the rules of sampling are {found}, but this program knows {SPECIFICATION} alone")]
    Specification {
        /// Their name.
        found: String,
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
    /// What breaks the sequences that DRY compares.
    breakers: Breakers,
    /// Of the last token; their memory is used for the next.
    candidates: Candidates,
}

impl Sampler {
    /// A sampler; where DRY is on it reads its sequence breakers from the vocabulary.
    ///
    /// # Errors
    ///
    /// [`SampleError::Setting`] naming the setting at fault.
    pub fn new(settings: Settings, vocabulary: &dyn Vocabulary) -> Result<Self, SampleError> {
        settings.check()?;
        let breakers = if settings.dry_multiplier == 0.0 {
            Breakers::default()
        } else {
            Breakers::new(&settings, vocabulary)
        };
        Ok(Self {
            random: Pcg32::new(settings.seed),
            mirostat: MirostatState::new(&settings),
            recent: VecDeque::new(),
            breakers,
            candidates: Candidates::default(),
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
            breakers: Breakers::default(),
            candidates: Candidates::default(),
            settings,
        }
    }

    /// Makes room for so many tokens to be remembered.
    pub fn reserve(&mut self, tokens: usize) {
        self.recent.reserve_exact(tokens.min(MOST_RECENT) + 1);
    }

    /// Bytes that a sampler takes whose filters are those of [`Settings::default`], for a vocabulary and so many tokens remembered.
    pub fn memory_bytes(vocabulary: usize, tokens: usize) -> usize {
        Candidates::memory_bytes(vocabulary) + size_of::<u32>() * (tokens.min(MOST_RECENT) + 1)
    }

    /// The settings in use.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Whether it always chooses the largest logit, of equal ones the first, and draws nothing.
    pub fn is_greedy(&self) -> bool {
        self.settings.is_greedy()
    }

    /// Chooses a token; the chosen one still has to be [accepted](Self::accept).
    ///
    /// # Errors
    ///
    /// [`SampleError`] if the logits hold a NaN or an infinity, or leave no choice.
    pub fn sample(&mut self, logits: &[f32]) -> Result<u32, SampleError> {
        let mut candidates = std::mem::take(&mut self.candidates);
        let chosen = self
            .filter(logits, &mut candidates)
            .and_then(|()| self.choose(&mut candidates));
        self.candidates = candidates;
        chosen
    }

    fn choose(&mut self, candidates: &mut Candidates) -> Result<u32, SampleError> {
        if self.settings.mirostat == Mirostat::Off {
            return self.draw(candidates);
        }
        self.mirostat
            .choose(&self.settings, candidates, &mut self.random)
    }

    /// The tokens that [`Self::sample`] would draw from and their probabilities, the most probable first.
    ///
    /// XTC draws whether it acts, so the generator moves on where it is in use.
    ///
    /// # Errors
    ///
    /// As for [`Self::sample`].
    pub fn distribution(&mut self, logits: &[f32]) -> Result<Vec<(u32, f64)>, SampleError> {
        let mut candidates = Candidates::default();
        self.filter(logits, &mut candidates)?;
        let probabilities = candidates.probabilities().to_vec();
        let tokens = candidates.iter().map(|candidate| candidate.token);
        Ok(tokens.zip(probabilities).collect())
    }

    /// What biases, chain and mirostat leave, sorted.
    fn filter(&mut self, logits: &[f32], candidates: &mut Candidates) -> Result<(), SampleError> {
        candidates.read(logits)?;
        for &(token, bias) in &self.settings.logit_bias {
            candidates.change(token, |logit| logit + f64::from(bias));
        }
        if candidates.len() == 0 {
            return Err(SampleError::Impossible);
        }
        if self.settings.mirostat == Mirostat::Off {
            for index in 0..self.settings.filters.len() {
                self.apply(self.settings.filters[index], candidates);
            }
            candidates.sort();
        } else {
            self.apply(Filter::Temperature, candidates);
            candidates.sort();
            self.mirostat.cut(&self.settings, candidates);
        }
        Ok(())
    }

    /// Remembers a token, chosen or read.
    pub fn accept(&mut self, token: u32) {
        self.recent.push_back(token);
        if self.recent.len() > MOST_RECENT {
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
                dry::apply(candidates, s, &self.recent, &self.breakers);
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

    fn draw(&mut self, candidates: &mut Candidates) -> Result<u32, SampleError> {
        if candidates.len() == 1 {
            return candidates.first().ok_or(SampleError::Impossible);
        }
        candidates
            .draw(self.random.unit())
            .ok_or(SampleError::Impossible)
    }
}

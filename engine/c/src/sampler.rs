//! Who chooses: a sampler that sessions borrow for a token at a time.

use crate::failure::Failure;
use crate::model::Holder;
use fidelis_engine::sample::{Sampler, Settings};
use std::sync::{Arc, Mutex, MutexGuard};

/// A sampler and the vocabulary that it is for.
pub(crate) struct Choice {
    pub(crate) sampler: Sampler,
    vocabulary: u64,
    tokens: usize,
}

/// The same, kept by its handle and by answers in the making.
#[derive(Clone)]
pub(crate) struct Chooser(Arc<Mutex<Choice>>);

impl Chooser {
    pub(crate) fn new(model: &Holder, settings: Settings) -> Result<Self, Failure> {
        let tokenizer = &model.parts().tokenizer;
        let tokens = tokenizer.vocabulary_len();
        if let Some((token, _)) = settings
            .logit_bias
            .iter()
            .find(|(token, _)| *token as usize >= tokens)
        {
            return Err(Failure::invalid(format!(
                "a bias is for token {token}, but the vocabulary has {tokens}"
            )));
        }
        Ok(Self(Arc::new(Mutex::new(Choice {
            sampler: Sampler::new(settings, tokenizer)?,
            vocabulary: model.vocabulary,
            tokens,
        }))))
    }

    /// The sampler, for a call.
    pub(crate) fn lock(&self) -> Result<MutexGuard<'_, Choice>, Failure> {
        let lock = self.0.try_lock();
        lock.map_err(|error| Failure::locked(&error, "sampler"))
    }

    /// Whether it can choose for `model`.
    pub(crate) fn check(&self, model: &Holder) -> Result<(), Failure> {
        let choice = self.lock()?;
        if choice.vocabulary == model.vocabulary {
            return Ok(());
        }
        Err(Failure::invalid(format!(
            "the sampler is for another vocabulary, of {} tokens; this model's has {}",
            choice.tokens,
            model.parts().tokenizer.vocabulary_len()
        )))
    }
}

impl Choice {
    /// Remembers tokens, read or chosen.
    pub(crate) fn accept(&mut self, tokens: &[u32]) -> Result<(), Failure> {
        if let Some(token) = tokens.iter().find(|&&token| token as usize >= self.tokens) {
            return Err(Failure::invalid(format!(
                "token {token} is not below the vocabulary's {}",
                self.tokens
            )));
        }
        tokens.iter().for_each(|&token| self.sampler.accept(token));
        Ok(())
    }
}

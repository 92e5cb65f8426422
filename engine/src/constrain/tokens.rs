//! A vocabulary as constraints search it.

use super::ConstraintError;
use crate::text::Tokenizer;
use llguidance::ParserFactory;
use llguidance::toktrie::{ApproximateTokEnv, InferenceCapabilities, TokEnv, TokRxInfo, TokTrie};
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

/// Items that may be looked at for the choice of one token.
///
/// The library's own bound of 50,000 is for grammars whose terminals are long; ours may be single characters.
const ITEMS: usize = 100_000_000;

/// The tokens of a model, arranged by their bytes. Making it takes time, once a model; copies share it.
#[derive(Clone)]
pub struct Tokens {
    pub(super) factory: Arc<ParserFactory>,
    /// Ids that end an answer.
    pub(super) ends: Arc<[u32]>,
    /// How many tokens there are; the id that stands for every ending one.
    pub(super) end: u32,
}

impl Tokens {
    /// Arranges the tokens of a tokenizer.
    ///
    /// # Errors
    ///
    /// [`ConstraintError::Vocabulary`] if there are tokens of more than 1,024 bytes or more than some millions.
    pub fn new(tokenizer: &Tokenizer) -> Result<Self, ConstraintError> {
        let refused = |reason: String| ConstraintError::Vocabulary { reason };
        let end = u32::try_from(tokenizer.vocabulary_len())
            .map_err(|error| refused(error.to_string()))?;
        let mut pieces: Vec<Vec<u8>> = (0..end).map(|id| piece(tokenizer, id)).collect();
        pieces.push(Vec::new());
        let shape = TokRxInfo::new(end + 1, end);
        // The library asserts its own limits.
        let trie = catch_unwind(AssertUnwindSafe(|| TokTrie::from(&shape, &pieces)))
            .map_err(|_| refused("it is too large, or a token too long".to_owned()))?;
        let environment: TokEnv = Arc::new(ApproximateTokEnv::new(trie));
        let mut factory = ParserFactory::new(
            &environment,
            InferenceCapabilities::default(),
            &llguidance::earley::SlicedBiasComputer::general_slices(),
        )
        .map_err(|error| refused(error.to_string()))?;
        factory.quiet();
        let limits = factory.limits_mut();
        limits.step_max_items = ITEMS;
        limits.verbose_errors = false;
        Ok(Self {
            factory: Arc::new(factory),
            ends: tokenizer.ends().collect(),
            end,
        })
    }
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tokens")
            .field("tokens", &self.end)
            .finish_non_exhaustive()
    }
}

/// The bytes of a token; none if it never stands in a constrained answer.
fn piece(tokenizer: &Tokenizer, id: u32) -> Vec<u8> {
    let piece = tokenizer.piece(id);
    // That byte is in no UTF-8, and to the library it marks special tokens.
    if tokenizer.is_end(id) || piece.first() == Some(&TokTrie::SPECIAL_TOKEN_MARKER) {
        Vec::new()
    } else {
        piece
    }
}

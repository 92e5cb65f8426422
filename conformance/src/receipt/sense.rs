//! Whether a receipt claims anything that can be replayed.

use super::{Receipt, ReceiptError};

/// Why no program can have written this receipt, whatever the model.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Senseless {
    /// Nothing was produced, so nothing can be compared.
    #[error("the receipt holds no step to compare")]
    NoStep,
    /// Nothing could be remembered.
    #[error("its context is 0, which holds no prompt")]
    NoContext,
    /// Nothing was read.
    #[error("its prompt is empty")]
    NoPrompt,
    /// Nothing could be produced.
    #[error("its prompt has {prompt} tokens, but its context holds {context}")]
    LongPrompt {
        /// Its tokens.
        prompt: usize,
        /// Positions in all.
        context: usize,
    },
    /// Not a token of the receipt's model.
    #[error(
        "token {place} of its prompt has id {token}, which is not below the vocabulary's {vocabulary}"
    )]
    UnknownToken {
        /// Which token, from 1.
        place: usize,
        /// Its id.
        token: u32,
        /// How many there are.
        vocabulary: usize,
    },
}

impl Receipt {
    /// Checks that there is a prompt that the context holds, and a step to compare.
    ///
    /// # Errors
    ///
    /// [`ReceiptError::Senseless`] naming what is missing.
    pub fn check_sense(&self) -> Result<(), ReceiptError> {
        let (prompt, context) = (self.prompt.len(), self.context);
        let senseless = if context == 0 {
            Senseless::NoContext
        } else if prompt == 0 {
            Senseless::NoPrompt
        } else if prompt >= context {
            Senseless::LongPrompt { prompt, context }
        } else if self.steps.is_empty() {
            Senseless::NoStep
        } else {
            return Ok(());
        };
        Err(senseless.into())
    }

    /// Checks that every id of the prompt is below `vocabulary`, the number of tokens that the receipt's model can read.
    ///
    /// # Errors
    ///
    /// [`ReceiptError::Senseless`] naming the first one that is not.
    pub fn check_prompt(&self, vocabulary: usize) -> Result<(), ReceiptError> {
        let unknown = |&(_, &token): &(usize, &u32)| token as usize >= vocabulary;
        match self.prompt.iter().enumerate().find(unknown) {
            None => Ok(()),
            Some((index, &token)) => Err(Senseless::UnknownToken {
                place: index + 1,
                token,
                vocabulary,
            }
            .into()),
        }
    }
}

//! Tokens as they come, in whole characters.

use super::Tokenizer;

/// Turns tokens into text without ever giving half a character.
pub struct Stream<'t> {
    tokenizer: &'t Tokenizer,
    /// Bytes of a character that is not complete.
    pending: Vec<u8>,
}

impl<'t> Stream<'t> {
    /// Nothing yet.
    pub fn new(tokenizer: &'t Tokenizer) -> Self {
        Self {
            tokenizer,
            pending: Vec::new(),
        }
    }

    /// The characters that `id` completes. Bytes that can be no character become U+FFFD.
    pub fn push(&mut self, id: u32) -> String {
        self.pending.extend(self.tokenizer.piece(id));
        let mut text = String::new();
        loop {
            match std::str::from_utf8(&self.pending) {
                Ok(whole) => {
                    text.push_str(whole);
                    self.pending.clear();
                    return text;
                }
                Err(error) => {
                    let (whole, rest) = self.pending.split_at(error.valid_up_to());
                    text.push_str(&String::from_utf8_lossy(whole));
                    let Some(bad) = error.error_len() else {
                        self.pending = rest.to_vec();
                        return text;
                    };
                    text.push(char::REPLACEMENT_CHARACTER);
                    self.pending = rest[bad..].to_vec();
                }
            }
        }
    }

    /// What is left at the end: nothing, or U+FFFD for a character that was cut off.
    pub fn finish(self) -> String {
        String::from_utf8_lossy(&self.pending).into_owned()
    }
}

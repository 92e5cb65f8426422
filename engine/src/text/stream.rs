//! Tokens as they come, in whole characters.

use super::Tokenizer;

/// Bytes that few tokens are longer than.
pub(crate) const LONG_TOKEN: usize = 128;

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
            pending: Vec::with_capacity(LONG_TOKEN),
        }
    }

    /// The characters that `id` completes. Bytes that can be no character become U+FFFD.
    pub fn push(&mut self, id: u32) -> String {
        let mut text = String::new();
        self.push_into(id, &mut text);
        text
    }

    /// Appends the characters that `id` completes to `text`.
    pub fn push_into(&mut self, id: u32, text: &mut String) {
        self.tokenizer.append_piece(id, &mut self.pending);
        let mut rest = &self.pending[..];
        while !rest.is_empty() {
            match std::str::from_utf8(rest) {
                Ok(whole) => {
                    text.push_str(whole);
                    rest = &[];
                }
                Err(error) => {
                    let (whole, broken) = rest.split_at(error.valid_up_to());
                    text.push_str(std::str::from_utf8(whole).unwrap_or_default());
                    let Some(bad) = error.error_len() else {
                        rest = broken;
                        break;
                    };
                    text.push(char::REPLACEMENT_CHARACTER);
                    rest = &broken[bad..];
                }
            }
        }
        let done = self.pending.len() - rest.len();
        self.pending.drain(..done);
    }

    /// What is left at the end: nothing, or U+FFFD for a character that was cut off.
    pub fn finish(self) -> String {
        String::from_utf8_lossy(&self.pending).into_owned()
    }
}

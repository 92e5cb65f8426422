//! Text to token ids and back, and conversations to text.

mod bpe;
#[cfg(feature = "templates")]
mod chat;
mod error;
mod fragments;
#[cfg(feature = "templates")]
mod jinja_limits;
#[cfg_attr(not(feature = "tokenizers"), path = "text/merger_absent.rs")]
mod merger;
mod message;
mod spm;
mod stream;
#[cfg(feature = "templates")]
#[cfg_attr(
    all(target_family = "wasm", target_os = "unknown"),
    path = "text/template_clock_absent.rs"
)]
mod template_clock;
#[cfg(feature = "templates")]
mod template_functions;
mod texts;
mod tools;
mod vocabulary;
mod words;

#[cfg(feature = "templates")]
pub use chat::{ChatTemplate, TemplateError};
pub use error::TextError;
pub use message::Message;
pub(crate) use stream::LONG_TOKEN;
pub use stream::Stream;
pub use tools::{Answer, ToolCall, ToolFormat};
pub use vocabulary::TokenKind;

use crate::gguf::Gguf;
use bpe::Bpe;
use fragments::Fragment;
use spm::Spm;
use vocabulary::Vocabulary;

/// What happens to text that spells a control token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Specials {
    /// It is that token.
    Parse,
    /// It is text; only user-defined tokens are found.
    AsText,
}

/// Whether a beginning-of-sequence token is put first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bos {
    /// As the file says, and never a second one before text that begins with it.
    Auto,
    /// No.
    Never,
}

/// A file's tokenizer.
pub struct Tokenizer {
    vocabulary: Vocabulary,
    pieces: Pieces,
}

/// How text between special tokens is cut.
enum Pieces {
    Spm(Spm),
    Bpe(Box<Bpe>),
}

impl Tokenizer {
    /// Reads the vocabulary; files without tensors serve too.
    ///
    /// Without the feature `tokenizers`, a byte-pair vocabulary turns ids into text, but [`Self::encode`] refuses text.
    ///
    /// # Errors
    ///
    /// [`TextError`] naming the key that is missing, wrong or unknown.
    pub fn read(gguf: &Gguf<'_>) -> Result<Self, TextError> {
        let vocabulary = Vocabulary::read(gguf)?;
        let pieces = match vocabulary.model.as_str() {
            "llama" => Pieces::Spm(Spm::new(&vocabulary)),
            _ => Pieces::Bpe(Box::new(Bpe::read(gguf, &vocabulary)?)),
        };
        Ok(Self { vocabulary, pieces })
    }

    /// The token ids of a text.
    ///
    /// # Errors
    ///
    /// [`TextError::Encode`] if a byte-pair vocabulary cannot spell the text, [`TextError::NoMerger`] if the
    /// engine was built without the feature that it needs.
    pub fn encode(&self, text: &str, specials: Specials, bos: Bos) -> Result<Vec<u32>, TextError> {
        let mut ids = Vec::new();
        let mut after_special = true;
        for fragment in fragments::split(&self.vocabulary, text, specials) {
            match fragment {
                Fragment::Token(id) => {
                    ids.push(id);
                    after_special = true;
                }
                Fragment::Text(text) => {
                    match &self.pieces {
                        Pieces::Spm(spm) => {
                            spm.encode(&self.vocabulary, text, after_special, &mut ids);
                        }
                        Pieces::Bpe(bpe) => bpe.encode(&self.vocabulary, text, &mut ids)?,
                    }
                    after_special = false;
                }
            }
        }
        if let Some(first) = self
            .vocabulary
            .bos
            .filter(|_| bos == Bos::Auto && self.vocabulary.add_bos)
            && ids.first() != Some(&first)
        {
            ids.insert(0, first);
        }
        if let Some(last) = self
            .vocabulary
            .eos
            .filter(|_| bos == Bos::Auto && self.vocabulary.add_eos)
        {
            ids.push(last);
        }
        Ok(ids)
    }

    /// The bytes of a token; control tokens have none.
    pub fn piece(&self, id: u32) -> Vec<u8> {
        let mut bytes = Vec::new();
        self.append_piece(id, &mut bytes);
        bytes
    }

    /// Appends the bytes of a token.
    pub(crate) fn append_piece(&self, id: u32, bytes: &mut Vec<u8>) {
        match self.vocabulary.kind(id) {
            None | Some(TokenKind::Control | TokenKind::Unknown | TokenKind::Unused) => {}
            Some(TokenKind::UserDefined) => {
                bytes.extend_from_slice(self.token_text(id).unwrap_or_default().as_bytes());
            }
            Some(TokenKind::Byte | TokenKind::Normal) => match &self.pieces {
                Pieces::Spm(_) => self.vocabulary.append_spm_bytes(id, bytes),
                Pieces::Bpe(bpe) => bpe.append_bytes(&self.vocabulary, id, bytes),
            },
        }
    }

    /// The text of token ids. A space that encoding put before the first is taken away again.
    pub fn decode(&self, ids: &[u32]) -> String {
        let mut bytes: Vec<u8> = ids.iter().flat_map(|&id| self.piece(id)).collect();
        if self.vocabulary.add_space_prefix && bytes.first() == Some(&b' ') {
            bytes.remove(0);
        }
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Tokens in all.
    pub fn vocabulary_len(&self) -> usize {
        self.vocabulary.tokens.len()
    }

    /// The token as the file spells it.
    pub fn token_text(&self, id: u32) -> Option<&str> {
        self.vocabulary.tokens.get(id)
    }

    /// The token that the file spells so.
    pub fn token_id(&self, text: &str) -> Option<u32> {
        self.vocabulary.tokens.id(text)
    }

    /// Whether a token ends a generation.
    pub fn is_end(&self, id: u32) -> bool {
        self.vocabulary.ends.contains(&id)
    }

    /// The tokens that end a generation, in order.
    pub fn ends(&self) -> impl Iterator<Item = u32> {
        self.vocabulary.ends.iter().copied()
    }

    /// The token put first.
    pub fn bos(&self) -> Option<u32> {
        self.vocabulary.bos
    }

    /// The token that ends a text.
    pub fn eos(&self) -> Option<u32> {
        self.vocabulary.eos
    }

    /// Whether [`Bos::Auto`] puts the first token.
    pub fn adds_bos(&self) -> bool {
        self.vocabulary.add_bos
    }
}

impl crate::sample::Vocabulary for Tokenizer {
    fn tokens(&self) -> usize {
        self.vocabulary_len()
    }

    fn bytes(&self, token: u32) -> Vec<u8> {
        match self.vocabulary.kind(token) {
            Some(TokenKind::Control) => self.token_text(token).unwrap_or_default().into(),
            _ => self.piece(token),
        }
    }

    fn tokenize(&self, text: &str) -> Vec<u32> {
        // What cannot be spelt breaks nothing.
        self.encode(text, Specials::AsText, Bos::Never)
            .unwrap_or_default()
    }
}

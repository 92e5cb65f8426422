//! A conversation in a file: what a back end has read, where the sampler is, and what was said.
//!
//! ```text
//! byte 0       8         12       16                                           −32
//!      ├ magic ┼ version ┼ length ┼ description ┼ text ┼ recent ┼ keys, values ┼ digest ┤
//!                u32       u32      JSON          u32s   u32s     `Remembered`   BLAKE3 of all before
//! ```
//!
//! All numbers are little-endian; `length` is the description's, [`Description`] without the sampler's recent tokens. `text` is the tokens read, as many as the
//! description has positions. The digest is checked before anything else is believed, and nothing is larger than the file says that it is.
//! The version changes with the layout, and with the arithmetic: other bits would be no continuation.

use super::{Reply, Session};
use crate::atomic;
use crate::backend::{RememberError, Remembered};
use crate::sample::{SampleError, Sampler, SamplerState};
use crate::text::Message;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::ops::Range;
use std::path::Path;

const MAGIC: [u8; 8] = *b"\x89fidsess";
const VERSION: u32 = 1;
/// Bytes before the description.
const HEADER: usize = 16;
const DIGEST: usize = blake3::OUT_LEN;

/// Why a conversation cannot be saved or restored.
#[derive(Debug, thiserror::Error)]
pub enum SavedError {
    /// The file cannot be read or written.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// Another kind of file.
    #[error("it is not a saved session")]
    NotASession,
    /// Another version of the format.
    #[error("it is a saved session of version {found}, but this program knows {VERSION} alone")]
    Version {
        /// The file's.
        found: u32,
    },
    /// It was cut off or changed.
    #[error("the saved session is damaged: its {bytes} bytes do not have the digest at its end")]
    Damaged {
        /// The file's length.
        bytes: usize,
    },
    /// The description does not describe the file.
    #[error("the saved session is wrong: {what}")]
    Wrong {
        /// What is wrong.
        what: &'static str,
    },
    /// The description cannot be read.
    #[error("the saved session's description is wrong")]
    Description(#[from] serde_json::Error),
    /// It belongs to another model.
    #[error("it was saved with another model, {saved}; this one is {here}")]
    Model {
        /// There.
        saved: String,
        /// Here.
        here: ModelDigest,
    },
    /// The back end cannot save, or not take what was saved.
    #[error(transparent)]
    Remember(#[from] RememberError),
    /// The sampler cannot go on.
    #[error(transparent)]
    Sample(#[from] SampleError),
    /// It does not fit the memory.
    #[error("{bytes} bytes of memory for the saved session cannot be had")]
    Memory {
        /// Its length.
        bytes: u64,
    },
}

/// What names a model: of one part its BLAKE3 digest, which `b3sum` prints; of several the digest of theirs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ModelDigest([u8; DIGEST]);

impl ModelDigest {
    /// The digest of a model whose file has these parts, by all threads of the pool. It reads every byte.
    pub fn of(parts: &[&[u8]]) -> Self {
        let digest = |bytes: &[u8]| {
            *blake3::Hasher::new()
                .update_rayon(bytes)
                .finalize()
                .as_bytes()
        };
        match parts {
            [part] => Self(digest(part)),
            parts => {
                let all: Vec<u8> = parts.iter().flat_map(|part| digest(part)).collect();
                Self(digest(&all))
            }
        }
    }
}

impl fmt::Display for ModelDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&blake3::Hash::from_bytes(self.0).to_hex())
    }
}

/// What a file says of itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Description {
    /// The model, 64 hexadecimal digits.
    pub model: String,
    /// What the back end had read.
    pub remembered: Remembered,
    /// Where the sampler was.
    pub sampler: SamplerState,
    /// Its recent tokens.
    pub recent: usize,
    /// What was said, if it was a chat.
    pub messages: Vec<Message>,
}

/// A saved session that was read and found whole.
pub struct Saved {
    description: Description,
    tokens: Vec<u32>,
    bytes: Vec<u8>,
    /// Where keys and values lie.
    memory: Range<usize>,
}

impl Saved {
    /// Reads a file.
    ///
    /// # Errors
    ///
    /// [`SavedError`] if it cannot be read, is no saved session, or is not whole.
    pub fn open(path: &Path) -> Result<Self, SavedError> {
        // A pipe would be waited for.
        if !fs::metadata(path)?.is_file() {
            return Err(SavedError::NotASession);
        }
        let file = File::open(path)?;
        let about = file.metadata()?;
        let mut start = Vec::with_capacity(HEADER);
        (&file).take(HEADER as u64).read_to_end(&mut start)?;
        check_header(&start)?;
        let refused = |_| SavedError::Memory { bytes: about.len() };
        let length =
            usize::try_from(about.len()).map_err(|_| SavedError::Memory { bytes: about.len() })?;
        let mut bytes = Vec::new();
        bytes.try_reserve_exact(length).map_err(refused)?;
        bytes.extend(start);
        // What is appended meanwhile belongs to no file that was whole.
        let rest = about.len().saturating_sub(HEADER as u64);
        file.take(rest).read_to_end(&mut bytes)?;
        Self::read(bytes)
    }

    /// Reads a file's bytes.
    ///
    /// # Errors
    ///
    /// As [`Self::open`].
    pub fn read(bytes: Vec<u8>) -> Result<Self, SavedError> {
        check_header(&bytes)?;
        let damaged = SavedError::Damaged { bytes: bytes.len() };
        let Some((rest, digest)) = bytes.split_last_chunk::<DIGEST>() else {
            return Err(damaged);
        };
        let found = blake3::Hasher::new().update_rayon(rest).finalize();
        if found.as_bytes() != digest {
            return Err(damaged);
        }
        let wrong = |what| SavedError::Wrong { what };
        let rest = rest.get(HEADER - 4..).and_then(<[u8]>::split_first_chunk);
        let (length, rest) = rest.ok_or(wrong("it ends inside its header"))?;
        let length = u32::from_le_bytes(*length) as usize;
        let (text, rest) = rest
            .split_at_checked(length)
            .ok_or(wrong("it ends inside its description"))?;
        let mut description: Description = serde_json::from_slice(text)?;
        let (tokens, rest) = numbers(rest, description.remembered.position)
            .ok_or(wrong("it ends inside its text"))?;
        let (recent, rest) =
            numbers(rest, description.recent).ok_or(wrong("it ends inside its recent tokens"))?;
        description.sampler.recent = recent;
        let end = bytes.len() - DIGEST;
        Ok(Self {
            memory: end - rest.len()..end,
            description,
            tokens,
            bytes,
        })
    }

    /// Whether a file begins as a saved session does.
    pub fn is_one(start: &[u8]) -> bool {
        start.starts_with(&MAGIC)
    }

    /// What the file says of itself.
    pub fn description(&self) -> &Description {
        &self.description
    }

    /// The tokens that were read.
    pub fn tokens(&self) -> &[u32] {
        &self.tokens
    }
}

/// Refuses what does not begin as a saved session of this version.
fn check_header(bytes: &[u8]) -> Result<(), SavedError> {
    let Some(rest) = bytes.strip_prefix(&MAGIC) else {
        return Err(SavedError::NotASession);
    };
    match rest
        .first_chunk()
        .map(|version| u32::from_le_bytes(*version))
    {
        Some(VERSION) => Ok(()),
        Some(found) => Err(SavedError::Version { found }),
        None => Err(SavedError::Damaged { bytes: bytes.len() }),
    }
}

/// The first `count` numbers, and what follows; `None` if there are fewer.
fn numbers(bytes: &[u8], count: usize) -> Option<(Vec<u32>, &[u8])> {
    let (numbers, rest) = bytes.split_at_checked(count.checked_mul(4)?)?;
    let numbers = numbers.as_chunks().0.iter();
    Some((
        numbers.map(|bytes| u32::from_le_bytes(*bytes)).collect(),
        rest,
    ))
}

/// Digests what it passes on.
struct Digesting<'w> {
    hasher: blake3::Hasher,
    out: &'w mut dyn Write,
}

impl Write for Digesting<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.out.write(bytes)?;
        self.hasher.update(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

impl Session<'_> {
    /// Saves what was read, the sampler and `messages` to a file, which is the old one or the whole new one whatever happens.
    ///
    /// # Errors
    ///
    /// [`SavedError`] if the back end cannot save, or the file cannot be written.
    pub fn save(
        &self,
        path: &Path,
        model: &ModelDigest,
        messages: &[Message],
    ) -> Result<(), SavedError> {
        atomic::write_file(path, |out| self.write(out, model, messages))
    }

    /// Writes the bytes of [`Self::save`].
    ///
    /// # Errors
    ///
    /// [`SavedError`] if the back end cannot save, and those of `out`.
    pub fn write(
        &self,
        out: &mut dyn Write,
        model: &ModelDigest,
        messages: &[Message],
    ) -> Result<(), SavedError> {
        let sampler = self.sampler.state();
        let description = Description {
            model: model.to_string(),
            remembered: self.backend.remembered(self.history.len())?,
            recent: sampler.recent.len(),
            sampler,
            messages: messages.to_vec(),
        };
        let text = serde_json::to_vec(&description)?;
        let length = u32::try_from(text.len()).map_err(|_| SavedError::Wrong {
            what: "the messages are longer than 4 GiB",
        })?;
        // Small pieces would each be digested by themselves.
        let mut buffer = io::BufWriter::with_capacity(
            1 << 16,
            Digesting {
                hasher: blake3::Hasher::new(),
                out,
            },
        );
        buffer.write_all(&MAGIC)?;
        buffer.write_all(&VERSION.to_le_bytes())?;
        buffer.write_all(&length.to_le_bytes())?;
        buffer.write_all(&text)?;
        for token in self.history.iter().chain(&description.sampler.recent) {
            buffer.write_all(&token.to_le_bytes())?;
        }
        self.backend.export(&description.remembered, &mut buffer)?;
        let digesting = buffer
            .into_inner()
            .map_err(io::IntoInnerError::into_error)?;
        let digest = digesting.hasher.finalize();
        digesting.out.write_all(digest.as_bytes())?;
        Ok(digesting.out.flush()?)
    }

    /// Goes on where a session was saved: the next answer has the bits that it would have had there.
    ///
    /// Threads, level, batch and the context may be others.
    ///
    /// # Errors
    ///
    /// [`SavedError`] if it is of another model, tier or cache format, or does not fit the context; nothing is changed then.
    pub fn restore(&mut self, saved: &Saved, model: &ModelDigest) -> Result<(), SavedError> {
        let sampler = Sampler::resume(saved.description.sampler.clone(), self.tokenizer)?;
        self.restore_text(saved, model)?;
        self.sampler = sampler;
        self.sampler.reserve(self.backend.context());
        Ok(())
    }

    /// As if the tokens of a saved session had been read here; the sampler stays where it is.
    ///
    /// # Errors
    ///
    /// As [`Self::restore`].
    pub fn restore_text(&mut self, saved: &Saved, model: &ModelDigest) -> Result<(), SavedError> {
        let Description {
            model: digest,
            remembered,
            ..
        } = &saved.description;
        if *digest != model.to_string() {
            return Err(SavedError::Model {
                saved: digest.clone(),
                here: *model,
            });
        }
        let memory = &saved.bytes[saved.memory.clone()];
        self.backend.import(remembered, memory)?;
        self.history.clone_from(&saved.tokens);
        Ok(())
    }
}

impl<'a> Reply<'_, 'a> {
    /// The session as it is: before the first piece it has read the prompt, then all but the newest token. It can be saved at any time.
    pub fn session(&self) -> &Session<'a> {
        self.session
    }
}

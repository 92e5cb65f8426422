//! What a call says when it fails.

use crate::ffi::{
    FIDELIS_ABORTED, FIDELIS_BAD_CONSTRAINT, FIDELIS_BAD_MODEL, FIDELIS_BAD_SESSION, FIDELIS_BUSY,
    FIDELIS_CONTEXT_FULL, FIDELIS_INTERNAL, FIDELIS_INVALID, FIDELIS_IO, FIDELIS_NON_FINITE,
    FIDELIS_OUT_OF_MEMORY, FIDELIS_PANICKED, FIDELIS_UNSUPPORTED, fidelis_status,
};
use fidelis_engine::backend::BackendError;
use fidelis_engine::gguf::GgufError;
use fidelis_engine::model::ModelError;
use fidelis_engine::sample::SampleError;
use fidelis_engine::session::{SavedError, SessionError};
use fidelis_engine::text::TextError;
use fidelis_simd::NoSuchLevel;
use std::error::Error;
use std::sync::TryLockError;

/// Why a call fails.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    pub(crate) status: fidelis_status,
    pub(crate) text: String,
}

impl Failure {
    pub(crate) fn new(status: fidelis_status, text: impl Into<String>) -> Self {
        Self {
            status,
            text: text.into(),
        }
    }

    /// The caller broke a rule.
    pub(crate) fn invalid(text: impl Into<String>) -> Self {
        Self::new(FIDELIS_INVALID, text)
    }

    /// An error with its causes.
    pub(crate) fn of(status: fidelis_status, error: &dyn Error) -> Self {
        let mut text = error.to_string();
        let mut cause = error.source();
        while let Some(source) = cause {
            let said = source.to_string();
            // Some messages hold their cause.
            if !text.ends_with(&said) {
                text = format!("{text}: {said}");
            }
            cause = source.source();
        }
        Self::new(status, text)
    }

    /// A lock that is held, or was held in a panic.
    pub(crate) fn locked<T>(error: &TryLockError<T>, what: &str) -> Self {
        match error {
            TryLockError::WouldBlock => Self::new(
                FIDELIS_BUSY,
                format!("the {what} is in use by another call"),
            ),
            TryLockError::Poisoned(_) => Self::new(
                FIDELIS_PANICKED,
                format!("the {what} failed before and can only be freed"),
            ),
        }
    }
}

impl From<GgufError> for Failure {
    fn from(error: GgufError) -> Self {
        let status = match error {
            GgufError::Io { .. }
            | GgufError::Directory { .. }
            | GgufError::MissingPart { .. }
            | GgufError::NotFirstPart { .. } => FIDELIS_IO,
            _ => FIDELIS_BAD_MODEL,
        };
        Self::of(status, &error)
    }
}

impl From<ModelError> for Failure {
    fn from(error: ModelError) -> Self {
        Self::of(FIDELIS_BAD_MODEL, &error)
    }
}

impl From<TextError> for Failure {
    fn from(error: TextError) -> Self {
        Self::of(FIDELIS_BAD_MODEL, &error)
    }
}

impl From<NoSuchLevel> for Failure {
    fn from(error: NoSuchLevel) -> Self {
        Self::of(FIDELIS_UNSUPPORTED, &error)
    }
}

impl From<BackendError> for Failure {
    fn from(error: BackendError) -> Self {
        let status = match error {
            BackendError::Level(_)
            | BackendError::CacheTier { .. }
            | BackendError::CacheWidth { .. }
            | BackendError::NotFloats { .. } => FIDELIS_UNSUPPORTED,
            BackendError::Zero { .. } | BackendError::NoTokens | BackendError::Token { .. } => {
                FIDELIS_INVALID
            }
            BackendError::ContextFull { .. } => FIDELIS_CONTEXT_FULL,
            BackendError::NonFinite { .. } | BackendError::CacheOverflow { .. } => {
                FIDELIS_NON_FINITE
            }
            BackendError::Memory { .. }
            | BackendError::Budget { .. }
            | BackendError::Threads { .. } => FIDELIS_OUT_OF_MEMORY,
            _ => FIDELIS_INTERNAL,
        };
        Self::of(status, &error)
    }
}

impl From<SampleError> for Failure {
    fn from(error: SampleError) -> Self {
        let status = match error {
            SampleError::NonFinite { .. } => FIDELIS_NON_FINITE,
            _ => FIDELIS_INVALID,
        };
        Self::of(status, &error)
    }
}

impl From<SessionError> for Failure {
    fn from(error: SessionError) -> Self {
        match error {
            SessionError::Backend(error) => error.into(),
            SessionError::Sample(error) => error.into(),
            SessionError::BrokenOff => Self::of(FIDELIS_ABORTED, &error),
            SessionError::EmptyPrompt => Self::of(FIDELIS_INVALID, &error),
            SessionError::Constraint(_) => Self::of(FIDELIS_BAD_CONSTRAINT, &error),
            SessionError::PromptTooLong { .. } => Self::of(FIDELIS_CONTEXT_FULL, &error),
        }
    }
}

impl From<SavedError> for Failure {
    fn from(error: SavedError) -> Self {
        let status = match error {
            SavedError::Io(_) => FIDELIS_IO,
            SavedError::Memory { .. } => FIDELIS_OUT_OF_MEMORY,
            _ => FIDELIS_BAD_SESSION,
        };
        Self::of(status, &error)
    }
}

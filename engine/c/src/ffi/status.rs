//! How calls end, and what there is to say about it.

use crate::failure::Failure;
use std::ffi::c_char;

/// How a call ended. More may be added: take numbers that you do not know as FIDELIS_INTERNAL.
#[repr(transparent)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct fidelis_status(pub u32);

/// As asked.
pub const FIDELIS_OK: fidelis_status = fidelis_status(0);
/// The caller broke a rule: a NULL pointer, a number out of range, text that is not UTF-8, a sampler for another vocabulary.
pub const FIDELIS_INVALID: fidelis_status = fidelis_status(1);
/// The result does not fit the buffer; the length that it needs was said.
pub const FIDELIS_TOO_SMALL: fidelis_status = fidelis_status(2);
/// There is nothing of this name or number.
pub const FIDELIS_NOT_FOUND: fidelis_status = fidelis_status(3);
/// The file cannot be opened.
pub const FIDELIS_IO: fidelis_status = fidelis_status(4);
/// The bytes are no model, or one that this library cannot run; the message says why.
pub const FIDELIS_BAD_MODEL: fidelis_status = fidelis_status(5);
/// This machine or this model cannot do what the settings ask for.
pub const FIDELIS_UNSUPPORTED: fidelis_status = fidelis_status(6);
/// Memory or threads cannot be had.
pub const FIDELIS_OUT_OF_MEMORY: fidelis_status = fidelis_status(7);
/// The context has too few positions left. Nothing was read.
pub const FIDELIS_CONTEXT_FULL: fidelis_status = fidelis_status(8);
/// A result is not a number or infinite, or more than the cache holds; the message names the operation.
pub const FIDELIS_NON_FINITE: fidelis_status = fidelis_status(9);
/// There is no chat template, it fails, or the library was built without them.
pub const FIDELIS_TEMPLATE: fidelis_status = fidelis_status(10);
/// A callback of the caller's broke off.
pub const FIDELIS_ABORTED: fidelis_status = fidelis_status(11);
/// The session or sampler is in use by another call.
pub const FIDELIS_BUSY: fidelis_status = fidelis_status(12);
/// A sliding window no longer holds what the position sees; nothing was forgotten.
pub const FIDELIS_FORGOTTEN: fidelis_status = fidelis_status(13);
/// The library failed within; the object can only be freed.
pub const FIDELIS_PANICKED: fidelis_status = fidelis_status(14);
/// Anything else.
pub const FIDELIS_INTERNAL: fidelis_status = fidelis_status(15);

/// The file is no saved session, is damaged, or is of another model or of other settings; the message says which.
pub const FIDELIS_BAD_SESSION: fidelis_status = fidelis_status(16);

/// The constraint cannot be read or followed, or the library was built without them; the message says what is wrong and where.
pub const FIDELIS_BAD_CONSTRAINT: fidelis_status = fidelis_status(17);

/// The length of a text that ends with NUL.
// The generator does not know SIZE_MAX: cbindgen.toml has it.
/// cbindgen:ignore
pub const FIDELIS_NUL_ENDED: usize = usize::MAX;

/// Stands for no token.
pub const FIDELIS_NO_TOKEN: u32 = u32::MAX;

/// What a call says when it ends. The caller owns it; every call that is given it writes it. It never grows.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct fidelis_error {
    /// The same as the call returns.
    pub status: fidelis_status,
    /// Bytes of the message, without the NUL.
    pub length: u32,
    /// One line of UTF-8, lower case, without a full stop, cut to what fits; ends with NUL. Empty after FIDELIS_OK.
    pub message: [c_char; 504],
}

const _: () = assert!(size_of::<fidelis_error>() == 512);

impl fidelis_error {
    /// Nothing to say.
    pub const fn ok() -> Self {
        Self {
            status: FIDELIS_OK,
            length: 0,
            message: [0; 504],
        }
    }

    pub(crate) fn of(failure: &Failure) -> Self {
        let mut error = Self::ok();
        error.status = failure.status;
        let lines: Vec<&str> = failure.text.lines().map(str::trim).collect();
        // A NUL would end it too early.
        let text = lines.join(" ").replace('\0', "\u{fffd}");
        let length = text.floor_char_boundary(error.message.len() - 1);
        for (to, byte) in error.message.iter_mut().zip(&text.as_bytes()[..length]) {
            *to = *byte as c_char;
        }
        error.length = length as u32;
        error
    }

    /// The message.
    pub fn text(&self) -> String {
        let length = (self.length as usize).min(self.message.len());
        let bytes: Vec<u8> = self.message[..length].iter().map(|&c| c as u8).collect();
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_a_line_cut_between_characters_and_ends_with_nul() {
        for (text, kept) in [
            ("ä".repeat(300), "ä".repeat(251)),
            ("a".repeat(503), "a".repeat(503)),
            ("a".repeat(504), "a".repeat(503)),
            ("a\0b".to_owned(), "a\u{fffd}b".to_owned()),
            ("a:\n  (\n  ^\n".to_owned(), "a: ( ^".to_owned()),
        ] {
            let error = fidelis_error::of(&Failure::new(FIDELIS_IO, text));
            assert_eq!(error.text(), kept);
            assert_eq!(error.message[error.length as usize], 0);
            assert_eq!(error.status, FIDELIS_IO);
        }
    }
}

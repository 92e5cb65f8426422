//! Text to token ids and back.

use super::model::fidelis_model;
use super::pointer::{elements, give, give_text, guard, one, put, text};
use super::status::{fidelis_error, fidelis_status};
use crate::failure::Failure;
use fidelis_engine::text::{Bos, Specials, Tokenizer};
use std::ffi::c_char;

/// With fidelis_tokenize: text that spells a control token is that token. Not for text that is not trusted.
pub const FIDELIS_TOKENIZE_SPECIAL: u32 = 1;
/// With fidelis_tokenize: the tokens for a beginning and an end are added as the file says.
pub const FIDELIS_TOKENIZE_BOS: u32 = 2;

/// # Safety
///
/// The header's rules.
unsafe fn tokenizer<'a>(model: *const fidelis_model) -> Result<&'a Tokenizer, Failure> {
    // SAFETY: the caller's promise.
    let model: &'a fidelis_model = unsafe { one(model, "the model") }?;
    Ok(&model.0.parts().tokenizer)
}

fn known(tokenizer: &Tokenizer, tokens: &[u32]) -> Result<(), Failure> {
    let count = tokenizer.vocabulary_len();
    match tokens.iter().find(|&&token| token as usize >= count) {
        None => Ok(()),
        Some(token) => Err(Failure::invalid(format!(
            "token {token} is not below the vocabulary's {count}"
        ))),
    }
}

/// The token ids of a text of `length` bytes. `flags` are FIDELIS_TOKENIZE_...; *count is how many ids there are.
///
/// Threads: any number at a time may use the model.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fidelis_tokenize(
    model: *const fidelis_model,
    source: *const c_char,
    length: usize,
    flags: u32,
    tokens: *mut u32,
    capacity: usize,
    count: *mut usize,
    error: *mut fidelis_error,
) -> fidelis_status {
    guard(error, || {
        // SAFETY: the header's rules.
        let (tokenizer, source) = unsafe { (tokenizer(model)?, text(source, length, "the text")?) };
        if flags & !(FIDELIS_TOKENIZE_SPECIAL | FIDELIS_TOKENIZE_BOS) != 0 {
            return Err(Failure::invalid(format!(
                "flags of {flags:#x} are not known"
            )));
        }
        let specials = match flags & FIDELIS_TOKENIZE_SPECIAL {
            0 => Specials::AsText,
            _ => Specials::Parse,
        };
        let bos = match flags & FIDELIS_TOKENIZE_BOS {
            0 => Bos::Never,
            _ => Bos::Auto,
        };
        let ids = tokenizer
            .encode(source, specials, bos)
            .map_err(|error| Failure::of(super::FIDELIS_INVALID, &error))?;
        // SAFETY: the header's rules.
        unsafe { give(&ids, &[], tokens, capacity, count) }
    })
}

/// The text of token ids; bytes that are no characters become U+FFFD. A space that encoding puts before the first is taken away.
///
/// Threads: any number at a time may use the model.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fidelis_detokenize(
    model: *const fidelis_model,
    tokens: *const u32,
    count: usize,
    buffer: *mut c_char,
    capacity: usize,
    length: *mut usize,
    error: *mut fidelis_error,
) -> fidelis_status {
    guard(error, || {
        // SAFETY: the header's rules.
        let (tokenizer, tokens) =
            unsafe { (tokenizer(model)?, elements(tokens, count, "the tokens")?) };
        known(tokenizer, tokens)?;
        // SAFETY: the header's rules.
        unsafe {
            give_text(
                tokenizer.decode(tokens).as_bytes(),
                buffer,
                capacity,
                length,
            )
        }
    })
}

/// The bytes that a token stands for, none for control tokens. They may be a part of a character.
///
/// Threads: any number at a time may use the model.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fidelis_token_piece(
    model: *const fidelis_model,
    token: u32,
    buffer: *mut c_char,
    capacity: usize,
    length: *mut usize,
    error: *mut fidelis_error,
) -> fidelis_status {
    guard(error, || {
        // SAFETY: the header's rules.
        let tokenizer = unsafe { tokenizer(model) }?;
        known(tokenizer, &[token])?;
        // SAFETY: the header's rules.
        unsafe { give_text(&tokenizer.piece(token), buffer, capacity, length) }
    })
}

/// Whether a token ends an answer: *is_end is 1, or 0.
///
/// Threads: any number at a time may use the model.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fidelis_token_is_end(
    model: *const fidelis_model,
    token: u32,
    is_end: *mut u32,
    error: *mut fidelis_error,
) -> fidelis_status {
    guard(error, || {
        // SAFETY: the header's rules.
        let tokenizer = unsafe { tokenizer(model) }?;
        known(tokenizer, &[token])?;
        // SAFETY: the header's rules.
        unsafe { put(is_end, tokenizer.is_end(token).into(), "is_end") }
    })
}

//! What the page calls.
//!
//! Texts and files go through one room in this module's memory: [`fidelis_room`] makes it, the page fills it and calls a function
//! that takes it. What comes back, an answer's piece or an error in words, lies at
//! [`fidelis_result`], [`fidelis_result_len`] bytes of UTF-8, until the next call.

use crate::chat::{Chat, ChatError};
use fidelis_engine::gguf::Gguf;
use fidelis_engine::text::Tokenizer;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

/// A call did what it was asked for; nothing more will come.
pub const DONE: u32 = 0;
/// A token was made; more may come.
pub const MORE: u32 = 1;
/// A call failed; the result says why.
pub const FAILED: u32 = 2;

/// What goes in and comes out.
static ROOM: Mutex<Vec<u8>> = Mutex::new(Vec::new());
/// The model file, which the chat borrows.
static FILE: OnceLock<Vec<u8>> = OnceLock::new();
/// Its vocabulary, which the chat borrows.
static TOKENIZER: OnceLock<Tokenizer> = OnceLock::new();
static CHAT: Mutex<Option<Chat<'static>>> = Mutex::new(None);

fn room() -> MutexGuard<'static, Vec<u8>> {
    ROOM.lock().unwrap_or_else(PoisonError::into_inner)
}

fn chat() -> MutexGuard<'static, Option<Chat<'static>>> {
    CHAT.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Takes what the page has put into the room.
fn taken() -> Vec<u8> {
    std::mem::take(&mut *room())
}

/// Leaves a result for the page.
fn give(text: impl Into<Vec<u8>>, status: u32) -> u32 {
    *room() = text.into();
    status
}

fn failed(error: &str) -> u32 {
    give(error, FAILED)
}

/// Makes room for `len` bytes, and says where it is; null if the memory cannot be had.
#[unsafe(no_mangle)]
pub extern "C" fn fidelis_room(len: usize) -> *mut u8 {
    let mut room = room();
    *room = Vec::new();
    if room.try_reserve_exact(len).is_err() {
        return std::ptr::null_mut();
    }
    room.resize(len, 0);
    room.as_mut_ptr()
}

/// Where the result of the last call lies.
#[unsafe(no_mangle)]
pub extern "C" fn fidelis_result() -> *const u8 {
    room().as_ptr()
}

/// Bytes of the result of the last call.
#[unsafe(no_mangle)]
pub extern "C" fn fidelis_result_len() -> usize {
    room().len()
}

/// Takes the room as a model file, for a conversation of `context` tokens; once in an instance's life.
///
/// [`DONE`], with the model's name as the result, or [`FAILED`].
#[unsafe(no_mangle)]
pub extern "C" fn fidelis_open(context: usize) -> u32 {
    if FILE.set(taken()).is_err() {
        return failed("this instance has a model; another model needs another instance");
    }
    match open(context) {
        Ok(name) => give(name, DONE),
        Err(error) => failed(&error.to_string()),
    }
}

fn open(context: usize) -> Result<String, ChatError> {
    let gguf = Gguf::read(FILE.get().map_or(&[], Vec::as_slice))?;
    let read = Tokenizer::read(&gguf)?;
    let tokenizer = TOKENIZER.get_or_init(|| read);
    let name = gguf
        .str("general.name")?
        .unwrap_or("a model without a name");
    *chat() = Some(Chat::new(&gguf, tokenizer, context)?);
    Ok(name.to_owned())
}

/// Runs `call` on the chat.
fn with_chat(call: impl FnOnce(&mut Chat<'static>) -> u32) -> u32 {
    match &mut *chat() {
        Some(chat) => call(chat),
        None => failed("no model is open"),
    }
}

/// Takes the room as a message to the model: [`DONE`], and [`fidelis_next`] gives the answer, or [`FAILED`].
#[unsafe(no_mangle)]
pub extern "C" fn fidelis_ask() -> u32 {
    let message = taken();
    with_chat(|chat| match chat.ask(&String::from_utf8_lossy(&message)) {
        Ok(()) => give("", DONE),
        Err(error) => failed(&error.to_string()),
    })
}

/// One token of the answer: [`MORE`], with its characters as the result, [`DONE`] if it has ended, or [`FAILED`].
#[unsafe(no_mangle)]
pub extern "C" fn fidelis_next() -> u32 {
    with_chat(|chat| match chat.next_piece() {
        Ok(Some(piece)) => give(piece, MORE),
        Ok(None) => give("", DONE),
        Err(error) => failed(&error.to_string()),
    })
}

/// The newest token.
#[unsafe(no_mangle)]
pub extern "C" fn fidelis_token() -> u32 {
    chat().as_ref().map_or(0, |chat| chat.newest().token)
}

/// Leaves the running digest of the answer's logits as the result, in hexadecimal: that of a receipt's step.
#[unsafe(no_mangle)]
pub extern "C" fn fidelis_digest() -> u32 {
    with_chat(|chat| {
        let digest = blake3::Hash::from_bytes(chat.newest().digest);
        give(digest.to_hex().as_str(), DONE)
    })
}

/// Ends the answer where it is.
#[unsafe(no_mangle)]
pub extern "C" fn fidelis_stop() -> u32 {
    with_chat(|chat| {
        chat.stop();
        DONE
    })
}

/// Forgets the conversation.
#[unsafe(no_mangle)]
pub extern "C" fn fidelis_clear() -> u32 {
    with_chat(|chat| {
        chat.clear();
        DONE
    })
}

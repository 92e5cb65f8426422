//! Answers, piece by piece.

use super::pointer::{elements, guard, one, optional, optional_one, put, text, texts};
use super::sampler::fidelis_sampler;
use super::session::fidelis_session;
use super::sized::{self, Growing};
use super::status::{FIDELIS_NO_TOKEN, FIDELIS_NUL_ENDED, fidelis_error, fidelis_status};
use crate::failure::Failure;
use crate::session::{Conversation, Part, Wishes};
use fidelis_engine::session::{Limits, Stop};
use fidelis_engine::text::Message;
use std::ffi::{c_char, c_int, c_void};

/// One turn of a conversation.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct fidelis_message {
    /// "system", "user" or "assistant"; ends with NUL.
    pub role: *const c_char,
    /// What was said; ends with NUL.
    pub content: *const c_char,
}

/// When an answer ends besides where the model ends it.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct fidelis_answer_params {
    /// sizeof(fidelis_answer_params).
    pub struct_size: u32,
    /// Tokens at most; 0: until the model ends or the context is full.
    pub max_tokens: u32,
    /// NULL: texts that end the answer and are no part of it, each ending with NUL.
    pub stop_texts: *const *const c_char,
    /// 0: how many.
    pub stop_text_count: usize,
    /// 0; 1: tokens that would end the answer are passed over.
    pub ignore_end: u32,
    /// FIDELIS_FORM_NONE; else what `constraint` is.
    pub form: fidelis_form,
    /// NULL: what the answer keeps to, ending with NUL. An answer that is complete, and that nothing may follow, ends.
    pub constraint: *const c_char,
}

// SAFETY: numbers and pointers, any of which are valid, and no padding.
unsafe impl Growing for fidelis_answer_params {}

#[cfg(target_pointer_width = "64")]
const _: () = assert!(size_of::<fidelis_answer_params>() == 40);

/// What a constraint is written as.
#[repr(transparent)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct fidelis_form(pub u32);

/// There is no constraint.
pub const FIDELIS_FORM_NONE: fidelis_form = fidelis_form(0);
/// A JSON schema; {} accepts any JSON.
pub const FIDELIS_FORM_JSON_SCHEMA: fidelis_form = fidelis_form(1);
/// A regular expression, which the whole answer matches.
pub const FIDELIS_FORM_REGEX: fidelis_form = fidelis_form(2);
/// A grammar in llama.cpp's GBNF.
pub const FIDELIS_FORM_GRAMMAR: fidelis_form = fidelis_form(3);

/// Why an answer ended.
#[repr(transparent)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct fidelis_stop(pub u32);

/// It goes on.
pub const FIDELIS_STOP_NONE: fidelis_stop = fidelis_stop(0);
/// The model ended it.
pub const FIDELIS_STOP_END: fidelis_stop = fidelis_stop(1);
/// A stop text appeared.
pub const FIDELIS_STOP_TEXT: fidelis_stop = fidelis_stop(2);
/// As many tokens as were asked for.
pub const FIDELIS_STOP_LENGTH: fidelis_stop = fidelis_stop(3);
/// The context is full.
pub const FIDELIS_STOP_CONTEXT: fidelis_stop = fidelis_stop(4);
/// The caller's function did not want more.
pub const FIDELIS_STOP_CALLER: fidelis_stop = fidelis_stop(5);

/// A piece of an answer.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct fidelis_piece {
    /// Whole characters, often none; ends with NUL. Valid until the next piece is asked for or the session is freed.
    pub text: *const c_char,
    /// Bytes of the text, without the NUL.
    pub length: usize,
    /// The token; FIDELIS_NO_TOKEN with the last piece.
    pub token: u32,
    /// Not FIDELIS_STOP_NONE: this is the last piece, of what was held back.
    pub stop: fidelis_stop,
}

/// Given each piece of an answer. 0: no more is wanted.
pub type fidelis_reader =
    Option<unsafe extern "C" fn(piece: *const fidelis_piece, user: *mut c_void) -> c_int>;

/// The defaults.
///
/// Threads: any, at any time.
#[unsafe(no_mangle)]
pub extern "C" fn fidelis_answer_default_params() -> fidelis_answer_params {
    fidelis_answer_params {
        struct_size: size_of::<fidelis_answer_params>() as u32,
        max_tokens: 0,
        stop_texts: std::ptr::null(),
        stop_text_count: 0,
        ignore_end: 0,
        form: FIDELIS_FORM_NONE,
        constraint: std::ptr::null(),
    }
}

/// # Safety
///
/// The header's rules.
unsafe fn wishes(params: *const fidelis_answer_params) -> Result<Wishes, Failure> {
    // SAFETY: the caller's promise.
    let params = unsafe { sized::read(params, fidelis_answer_default_params(), "params") }?;
    if params.ignore_end > 1 {
        return Err(Failure::invalid("ignore_end must be 0 or 1"));
    }
    // SAFETY: the caller's promise.
    let constraint = unsafe { optional(params.constraint, "constraint") }?;
    let constraint = match (params.form, constraint) {
        (FIDELIS_FORM_NONE, None) => None,
        (form, Some(text)) if form != FIDELIS_FORM_NONE => Some((form, text.to_owned())),
        _ => return Err(Failure::invalid("form and constraint go together")),
    };
    let limits = Limits {
        tokens: (params.max_tokens > 0).then_some(params.max_tokens as usize),
        // SAFETY: the caller's promise.
        stop_strings: unsafe { texts(params.stop_texts, params.stop_text_count, "stop_texts") }?,
        ignore_end: params.ignore_end == 1,
    };
    Ok(Wishes { limits, constraint })
}

/// Begins an answer to the ids that `prompt` gives.
///
/// # Safety
///
/// The header's rules.
unsafe fn begin(
    session: *mut fidelis_session,
    sampler: *mut fidelis_sampler,
    params: *const fidelis_answer_params,
    error: *mut fidelis_error,
    prompt: impl FnOnce(&mut Conversation) -> Result<Vec<u32>, Failure>,
) -> fidelis_status {
    guard(error, || {
        // SAFETY: the caller's promise.
        let (session, sampler, wishes) = unsafe {
            (
                one(session.cast_const(), "the session")?,
                optional_one(sampler.cast_const(), "the sampler")?,
                wishes(params)?,
            )
        };
        let chooser = sampler.map(|sampler| sampler.0.clone());
        let mut conversation = session.lock()?;
        let ids = prompt(&mut conversation)?;
        conversation.begin(&ids, wishes, chooser)
    })
}

/// Reads a text of `length` bytes and begins to go on from it; fidelis_session_next gives the pieces.
///
/// The text is the whole of what the session is to have read: what it shares with what was read before is not read again. Names of control tokens in it
/// are those tokens. A sampler of NULL always takes the likeliest token. An answer that was being made is over.
///
/// Threads: any, one at a time per session and per sampler; FIDELIS_BUSY while another call uses either.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fidelis_session_prompt(
    session: *mut fidelis_session,
    sampler: *mut fidelis_sampler,
    prompt: *const c_char,
    length: usize,
    params: *const fidelis_answer_params,
    error: *mut fidelis_error,
) -> fidelis_status {
    // SAFETY: the header's rules.
    unsafe {
        begin(session, sampler, params, error, |conversation| {
            conversation.prompt(text(prompt, length, "the prompt")?)
        })
    }
}

/// The same for token ids.
///
/// Threads: any, one at a time per session and per sampler; FIDELIS_BUSY while another call uses either.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fidelis_session_prompt_tokens(
    session: *mut fidelis_session,
    sampler: *mut fidelis_sampler,
    tokens: *const u32,
    count: usize,
    params: *const fidelis_answer_params,
    error: *mut fidelis_error,
) -> fidelis_status {
    // SAFETY: the header's rules.
    unsafe {
        begin(session, sampler, params, error, |_| {
            Ok(elements(tokens, count, "the tokens")?.to_vec())
        })
    }
}

/// The same for a whole conversation, written out by the chat template and open for the assistant's next turn.
///
/// Give all messages so far each time, the answers among them: only what is new is read. FIDELIS_TEMPLATE: there is no template, or it fails.
///
/// Threads: any, one at a time per session and per sampler; FIDELIS_BUSY while another call uses either.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fidelis_session_chat(
    session: *mut fidelis_session,
    sampler: *mut fidelis_sampler,
    messages: *const fidelis_message,
    count: usize,
    params: *const fidelis_answer_params,
    error: *mut fidelis_error,
) -> fidelis_status {
    // SAFETY: the header's rules.
    unsafe {
        begin(session, sampler, params, error, |conversation| {
            let mut turns = Vec::new();
            for message in elements(messages, count, "the messages")? {
                let role = text(message.role, FIDELIS_NUL_ENDED, "a role")?;
                let content = text(message.content, FIDELIS_NUL_ENDED, "a content")?;
                turns.push(Message::new(role, content));
            }
            let written = conversation.render(&turns)?;
            conversation.prompt(&written)
        })
    }
}

/// The next piece of the answer. The last one has a stop, and after it there is no answer any more: FIDELIS_INVALID.
///
/// After FIDELIS_ABORTED and FIDELIS_BUSY the answer can be gone on with, after other failures it is over.
///
/// Threads: any, one at a time per session and per sampler; FIDELIS_BUSY while another call uses either.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fidelis_session_next(
    session: *mut fidelis_session,
    piece: *mut fidelis_piece,
    error: *mut fidelis_error,
) -> fidelis_status {
    guard(error, || {
        // SAFETY: the header's rules.
        unsafe {
            let session = one(session.cast_const(), "the session")?;
            // A token must not be lost because there is no place for it.
            put(piece, NOTHING, "piece")?;
            put(piece, next(session)?, "piece")
        }
    })
}

/// Gives every piece of the answer to `reader`, until the last or until it wants no more; *stop says why it ended. `stop` may be NULL.
///
/// The reader may use the session. An answer that it did not want more of can be gone on with.
///
/// Threads: any, one at a time per session and per sampler; FIDELIS_BUSY while another call uses either. reader is called by this thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fidelis_session_read(
    session: *mut fidelis_session,
    reader: fidelis_reader,
    user: *mut c_void,
    stop: *mut fidelis_stop,
    error: *mut fidelis_error,
) -> fidelis_status {
    guard(error, || {
        let reader = reader.ok_or_else(|| Failure::invalid("the reader is NULL"))?;
        // SAFETY: the header's rules.
        let session = unsafe { one(session.cast_const(), "the session") }?;
        let ended = loop {
            let piece = next(session)?;
            // SAFETY: the caller's function, for this call.
            let more = unsafe { reader(&raw const piece, user) } != 0;
            if piece.stop != FIDELIS_STOP_NONE {
                break piece.stop;
            }
            if !more {
                break FIDELIS_STOP_CALLER;
            }
        };
        if stop.is_null() {
            return Ok(());
        }
        // SAFETY: the header's rules.
        unsafe { put(stop, ended, "stop") }
    })
}

/// Ends an answer before its end; what was read stays read. Nothing happens if there is none.
///
/// Threads: any, one at a time per session; FIDELIS_BUSY while another call uses it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fidelis_session_end_answer(
    session: *mut fidelis_session,
    error: *mut fidelis_error,
) -> fidelis_status {
    guard(error, || {
        // SAFETY: the header's rules.
        let session = unsafe { one(session.cast_const(), "the session") }?;
        session.lock()?.end();
        Ok(())
    })
}

/// No piece.
const NOTHING: fidelis_piece = fidelis_piece {
    text: c"".as_ptr(),
    length: 0,
    token: FIDELIS_NO_TOKEN,
    stop: FIDELIS_STOP_NONE,
};

fn next(session: &fidelis_session) -> Result<fidelis_piece, Failure> {
    let mut conversation = session.lock()?;
    let Part { token, text, stop } = conversation.next()?;
    let kept = session.text.try_lock();
    let mut kept = kept.map_err(|error| Failure::locked(&error, "session"))?;
    *kept = text.into_bytes();
    let length = kept.len();
    kept.push(0);
    Ok(fidelis_piece {
        text: kept.as_ptr().cast(),
        length,
        token: token.unwrap_or(FIDELIS_NO_TOKEN),
        stop: stop.map_or(FIDELIS_STOP_NONE, number),
    })
}

fn number(stop: Stop) -> fidelis_stop {
    match stop {
        Stop::End => FIDELIS_STOP_END,
        Stop::StopString => FIDELIS_STOP_TEXT,
        Stop::Length => FIDELIS_STOP_LENGTH,
        Stop::ContextFull => FIDELIS_STOP_CONTEXT,
    }
}

//! Sessions in files.

use super::pointer::{guard, one, optional_one, text};
use super::sampler::fidelis_sampler;
use super::session::fidelis_session;
use super::status::{FIDELIS_NUL_ENDED, fidelis_error, fidelis_status};
use crate::failure::Failure;
use crate::sampler::Chooser;
use crate::session::Conversation;
use std::ffi::c_char;
use std::path::Path;

/// Runs `body` on a session, a path that ends with NUL, and a sampler if there is one.
///
/// # Safety
///
/// The header's rules.
unsafe fn with(
    session: *mut fidelis_session,
    sampler: *mut fidelis_sampler,
    path: *const c_char,
    error: *mut fidelis_error,
    body: impl FnOnce(&mut Conversation, &Path, Option<&Chooser>) -> Result<(), Failure>,
) -> fidelis_status {
    guard(error, || {
        // SAFETY: the header's rules.
        let (session, sampler, path) = unsafe {
            (
                one(session.cast_const(), "the session")?,
                optional_one(sampler.cast_const(), "the sampler")?,
                text(path, FIDELIS_NUL_ENDED, "the path")?,
            )
        };
        let chooser = sampler.map(|sampler| &sampler.0);
        body(&mut *session.lock()?, Path::new(path), chooser)
    })
}

/// Saves what a session has read, its keys and values, and where `sampler` is (NULL: a sampler that takes the likeliest token).
///
/// The file is the old one or the whole new one, whatever happens. It is bound to the model by its digest, for which the first call for a model reads every byte
/// of it. Of an answer that is being made the newest token is not saved, since it is not read yet.
///
/// Threads: any, one at a time per session and per sampler; FIDELIS_BUSY while another call uses either.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fidelis_session_save(
    session: *mut fidelis_session,
    sampler: *mut fidelis_sampler,
    path: *const c_char,
    error: *mut fidelis_error,
) -> fidelis_status {
    // SAFETY: the header's rules.
    unsafe {
        with(
            session,
            sampler,
            path,
            error,
            |conversation, path, chooser| conversation.save(path, chooser),
        )
    }
}

/// Goes on where a session was saved, bit for bit; `sampler` (NULL: none) becomes what it was there. What the session has read is forgotten, and an answer is over.
///
/// Tier and cache must be those of the session that was saved; threads, level, batch and context may be others. FIDELIS_BAD_SESSION: nothing changed.
///
/// Threads: any, one at a time per session and per sampler; FIDELIS_BUSY while another call uses either.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fidelis_session_restore(
    session: *mut fidelis_session,
    sampler: *mut fidelis_sampler,
    path: *const c_char,
    error: *mut fidelis_error,
) -> fidelis_status {
    // SAFETY: the header's rules.
    unsafe {
        with(
            session,
            sampler,
            path,
            error,
            |conversation, path, chooser| conversation.restore(path, chooser),
        )
    }
}

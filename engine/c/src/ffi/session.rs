//! Sessions: reading tokens, and what comes of them.

use super::build::level_name;
use super::model::fidelis_model;
use super::pointer::{elements, give, guard, hand_over, one, optional, put, quietly, take};
use super::sized::{self, Growing};
use super::status::{fidelis_error, fidelis_status};
use crate::failure::Failure;
use crate::model::Holder;
use crate::session::{Abort, Budget, Conversation};
use fidelis_engine::backend::budget::Free;
use fidelis_engine::backend::{CacheFormat, CpuSettings, Tier};
use fidelis_simd::Level;
use std::ffi::{c_char, c_int, c_void};
use std::sync::{Arc, Mutex, MutexGuard, TryLockError};

/// A conversation with a model: what it has read, and an answer that is being made; opaque. It keeps its model.
pub struct fidelis_session {
    conversation: Mutex<Conversation>,
    /// The text of the newest piece, with a NUL.
    pub(super) text: Mutex<Vec<u8>>,
}

/// How numbers are held.
#[repr(transparent)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct fidelis_tier(pub u32);

/// The file's integers, activations as bytes.
pub const FIDELIS_TIER_FAST: fidelis_tier = fidelis_tier(0);
/// Weights decoded to 32-bit floats.
pub const FIDELIS_TIER_F32: fidelis_tier = fidelis_tier(1);
/// Everything in 64-bit floats: the model that the file describes.
pub const FIDELIS_TIER_AUDIT: fidelis_tier = fidelis_tier(2);

/// How keys and values are remembered.
#[repr(transparent)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct fidelis_cache(pub u32);

/// 16-bit floats.
pub const FIDELIS_CACHE_F16: fidelis_cache = fidelis_cache(0);
/// 32-bit floats.
pub const FIDELIS_CACHE_F32: fidelis_cache = fidelis_cache(1);
/// Bytes with a scale per 32.
pub const FIDELIS_CACHE_Q8_0: fidelis_cache = fidelis_cache(2);
/// 64-bit floats: what FIDELIS_TIER_AUDIT always has, whatever is asked for. Not to be asked for.
pub const FIDELIS_CACHE_F64: fidelis_cache = fidelis_cache(3);

/// Asked before every batch of a prompt and before every token of an answer. Not 0 breaks off.
pub type fidelis_abort = Option<unsafe extern "C" fn(user: *mut c_void) -> c_int>;

/// How a session is made.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct fidelis_session_params {
    /// sizeof(fidelis_session_params).
    pub struct_size: u32,
    /// Positions that can be remembered; 0: as many as the model was trained for, up to 4096.
    pub context: u32,
    /// Worker threads; 0: one per core. No bit depends on it.
    pub threads: u32,
    /// Tokens read together; 0: 256. No bit depends on it.
    pub batch: u32,
    /// FIDELIS_TIER_FAST.
    pub tier: fidelis_tier,
    /// FIDELIS_CACHE_F16.
    pub cache: fidelis_cache,
    /// The SIMD level, one of fidelis_levels(); NULL: what FIDELIS_LEVEL in the environment says, or the best. No bit depends on it.
    pub level: *const c_char,
    /// Jinja source, or the name of a known chat format, in place of the file's template; NULL: the file's.
    pub chat_template: *const c_char,
    /// Bytes of memory that the session may take besides the model's file; 0: any number. Fewer tokens together, then keys and values as bytes,
    /// then fewer positions are chosen to fit, where the setting is 0 above; FIDELIS_OUT_OF_MEMORY, with the arithmetic, if that is not enough.
    pub memory_bytes: u64,
}

// SAFETY: numbers and pointers, any of which are valid, and no padding.
unsafe impl Growing for fidelis_session_params {}

/// What a session runs with: all that the bits of its results depend on besides model and tokens, and what they do not depend on.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct fidelis_profile {
    /// sizeof(fidelis_profile), set by the caller.
    pub struct_size: u32,
    /// Positions that can be remembered.
    pub context: u32,
    /// Worker threads.
    pub threads: u32,
    /// Tokens read together.
    pub batch: u32,
    /// How numbers are held.
    pub tier: fidelis_tier,
    /// How keys and values are remembered.
    pub cache: fidelis_cache,
    /// Bytes of memory besides the model's file.
    pub memory_bytes: u64,
    /// The SIMD level; never freed.
    pub level: *const c_char,
    /// The rules of sampling, such as "fidelis-sampling-1"; never freed.
    pub sampling: *const c_char,
}

// SAFETY: numbers and pointers, and no padding.
unsafe impl Growing for fidelis_profile {}

#[cfg(target_pointer_width = "64")]
const _: () =
    assert!(size_of::<fidelis_session_params>() == 48 && size_of::<fidelis_profile>() == 48);

/// The defaults.
///
/// Threads: any, at any time.
#[unsafe(no_mangle)]
pub extern "C" fn fidelis_session_default_params() -> fidelis_session_params {
    fidelis_session_params {
        struct_size: size_of::<fidelis_session_params>() as u32,
        context: 0,
        threads: 0,
        batch: 0,
        tier: FIDELIS_TIER_FAST,
        cache: FIDELIS_CACHE_F16,
        level: std::ptr::null(),
        chat_template: std::ptr::null(),
        memory_bytes: 0,
    }
}

impl fidelis_session_params {
    /// # Safety
    ///
    /// The header's rules for its pointers.
    unsafe fn settings(&self, model: &Holder) -> Result<CpuSettings, Failure> {
        let or = |asked: u32, default: usize| match asked {
            0 => default,
            asked => asked as usize,
        };
        let defaults = CpuSettings::new(or(self.context, model.context()))?;
        // SAFETY: the caller's promise.
        let level = unsafe { optional(self.level, "level") }?;
        let mut settings = CpuSettings {
            threads: or(self.threads, defaults.threads),
            batch: or(self.batch, defaults.batch),
            level: level.map_or(Ok(defaults.level), Level::named)?,
            tier: match self.tier {
                FIDELIS_TIER_FAST => Tier::Fast,
                FIDELIS_TIER_F32 => Tier::F32,
                FIDELIS_TIER_AUDIT => Tier::Audit,
                other => return Err(Failure::invalid(format!("tier {} is not known", other.0))),
            },
            cache: match self.cache {
                FIDELIS_CACHE_F16 => CacheFormat::F16,
                FIDELIS_CACHE_F32 => CacheFormat::F32,
                FIDELIS_CACHE_Q8_0 => CacheFormat::Q8_0,
                other => return Err(Failure::invalid(format!("cache {} is not known", other.0))),
            },
            ..defaults
        };
        if settings.tier == Tier::Audit {
            settings.cache = CacheFormat::F64;
        }
        if settings.threads > MOST_THREADS {
            return Err(Failure::invalid(format!(
                "{} threads are more than {MOST_THREADS}",
                settings.threads
            )));
        }
        settings.batch = settings.batch.min(settings.context);
        Ok(settings)
    }

    /// What may be chosen so that the session fits its memory, and how much that is.
    fn budget(&self) -> Option<Budget> {
        (self.memory_bytes > 0).then(|| Budget {
            bytes: usize::try_from(self.memory_bytes).unwrap_or(usize::MAX),
            free: Free {
                context: self.context == 0,
                cache: self.cache == FIDELIS_CACHE_F16,
                batch: self.batch == 0,
            },
        })
    }
}

/// More than any machine has.
const MOST_THREADS: usize = 4096;

impl fidelis_session {
    /// The conversation, for a call.
    pub(super) fn lock(&self) -> Result<MutexGuard<'_, Conversation>, Failure> {
        let lock = self.conversation.try_lock();
        lock.map_err(|error| Failure::locked(&error, "session"))
    }
}

/// Runs `body` on a session.
///
/// # Safety
///
/// The header's rules.
unsafe fn with(
    session: *mut fidelis_session,
    error: *mut fidelis_error,
    body: impl FnOnce(&mut Conversation) -> Result<(), Failure>,
) -> fidelis_status {
    guard(error, || {
        // SAFETY: the caller's promise.
        let session = unsafe { one(session.cast_const(), "the session") }?;
        body(&mut *session.lock()?)
    })
}

/// Makes a session that has read nothing. It takes its memory here.
///
/// *session is to be freed by fidelis_session_free; NULL after a failure.
///
/// Threads: any number at a time may use the model.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fidelis_session_new(
    model: *const fidelis_model,
    params: *const fidelis_session_params,
    session: *mut *mut fidelis_session,
    error: *mut fidelis_error,
) -> fidelis_status {
    guard(error, || {
        // SAFETY: the header's rules.
        unsafe {
            hand_over(session, || {
                let model = one(model, "the model")?;
                let params = sized::read(params, fidelis_session_default_params(), "params")?;
                let settings = params.settings(&model.0)?;
                let template = optional(params.chat_template, "chat_template")?;
                let template = template.map(str::to_owned);
                let conversation =
                    Conversation::new(Arc::clone(&model.0), settings, params.budget(), template)?;
                Ok(fidelis_session {
                    conversation: Mutex::new(conversation),
                    text: Mutex::default(),
                })
            })
        }
    })
}

/// Frees a session; NULL does nothing. One that is freed by a callback of its own call is never freed.
///
/// Threads: any; no other call may use the handle meanwhile or later.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fidelis_session_free(session: *mut fidelis_session) {
    let in_use = quietly(|| {
        // SAFETY: the header's rules.
        let session = unsafe { one(session.cast_const(), "the session") }.ok()?;
        let lock = session.conversation.try_lock();
        Some(matches!(lock, Err(TryLockError::WouldBlock)))
    });
    if in_use == Some(false) {
        // SAFETY: the header's rules.
        unsafe { take(session) };
    }
}

/// A caller's function and what it is given.
struct Asked {
    abort: unsafe extern "C" fn(user: *mut c_void) -> c_int,
    user: *mut c_void,
}

// SAFETY: it is called on the thread that uses the session, and a session may move: the header says so.
unsafe impl Send for Asked {}

impl Asked {
    fn ask(&self) -> bool {
        // SAFETY: the caller keeps the function and what it is given valid as long as it is set.
        unsafe { (self.abort)(self.user) != 0 }
    }
}

/// Sets who is asked whether to go on; NULL: nobody. Both pointers must stay valid until another is set or the session is freed.
///
/// A call that is broken off returns FIDELIS_ABORTED: what was read stays read, and an answer can be gone on with.
///
/// Threads: any, one at a time per session; FIDELIS_BUSY while another call uses it. abort is called by the thread of the call that asks.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fidelis_session_set_abort(
    session: *mut fidelis_session,
    abort: fidelis_abort,
    user: *mut c_void,
    error: *mut fidelis_error,
) -> fidelis_status {
    let abort = abort.map(|abort| {
        let asked = Asked { abort, user };
        Box::new(move || asked.ask()) as Abort
    });
    // SAFETY: the header's rules.
    unsafe {
        with(session, error, |conversation| {
            conversation.abort = abort;
            Ok(())
        })
    }
}

/// Reads tokens after those that were read. An answer that was being made is over.
///
/// FIDELIS_CONTEXT_FULL: nothing was read. After FIDELIS_NON_FINITE fidelis_session_position says what is left.
///
/// Threads: any, one at a time per session; FIDELIS_BUSY while another call uses it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fidelis_session_feed(
    session: *mut fidelis_session,
    tokens: *const u32,
    count: usize,
    error: *mut fidelis_error,
) -> fidelis_status {
    // SAFETY: the header's rules.
    unsafe {
        with(session, error, |conversation| {
            conversation.feed(elements(tokens, count, "the tokens")?)
        })
    }
}

/// The logits of the newest token that was fed; of an answer that is being made, those that its newest token was chosen from.
/// One per token of the vocabulary; *count is how many.
///
/// Threads: any, one at a time per session; FIDELIS_BUSY while another call uses it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fidelis_session_logits(
    session: *mut fidelis_session,
    logits: *mut f32,
    capacity: usize,
    count: *mut usize,
    error: *mut fidelis_error,
) -> fidelis_status {
    // SAFETY: the header's rules.
    unsafe {
        with(session, error, |conversation| {
            give(&conversation.logits()?, &[], logits, capacity, count)
        })
    }
}

/// Reads tokens as fidelis_session_feed does, and gives the last one's hidden state: the result of the last norm, before the product with
/// the head, not normalised to unit length. *width is how many numbers that is (the model's width); with a capacity of 0 nothing is read.
///
/// The last token is read on one thread.
///
/// Threads: any, one at a time per session; FIDELIS_BUSY while another call uses it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fidelis_session_embed(
    session: *mut fidelis_session,
    tokens: *const u32,
    count: usize,
    state: *mut f32,
    capacity: usize,
    width: *mut usize,
    error: *mut fidelis_error,
) -> fidelis_status {
    // SAFETY: the header's rules.
    unsafe {
        with(session, error, |conversation| {
            let tokens = elements(tokens, count, "the tokens")?;
            let elements = conversation.model().parts().config.width;
            put(width, elements, "width")?;
            if capacity == 0 {
                return Ok(());
            }
            // Nothing is read for a buffer that it does not fit.
            if capacity >= elements {
                put(state, 0.0, "state")?;
                return give(&conversation.embed(tokens)?, &[], state, capacity, width);
            }
            Err(Failure::new(
                super::FIDELIS_TOO_SMALL,
                format!("the buffer holds {capacity}, but {elements} are needed"),
            ))
        })
    }
}

/// Forgets what was read from `position` on, and ends an answer that was being made. FIDELIS_FORGOTTEN: nothing changed; fidelis_session_reset works always.
///
/// Threads: any, one at a time per session; FIDELIS_BUSY while another call uses it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fidelis_session_rewind(
    session: *mut fidelis_session,
    position: usize,
    error: *mut fidelis_error,
) -> fidelis_status {
    // SAFETY: the header's rules.
    unsafe { with(session, error, |conversation| conversation.rewind(position)) }
}

/// Forgets everything that was read.
///
/// Threads: any, one at a time per session; FIDELIS_BUSY while another call uses it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fidelis_session_reset(
    session: *mut fidelis_session,
    error: *mut fidelis_error,
) -> fidelis_status {
    // SAFETY: the header's rules.
    unsafe {
        with(session, error, |conversation| {
            conversation.reset();
            Ok(())
        })
    }
}

/// Tokens that are read and remembered. The last token of an answer is often not among them: it is read when the next one is made.
///
/// Threads: any, one at a time per session; FIDELIS_BUSY while another call uses it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fidelis_session_position(
    session: *mut fidelis_session,
    position: *mut usize,
    error: *mut fidelis_error,
) -> fidelis_status {
    // SAFETY: the header's rules.
    unsafe {
        with(session, error, |conversation| {
            put(position, conversation.position(), "position")
        })
    }
}

/// What a session runs with.
///
/// Threads: any, one at a time per session; FIDELIS_BUSY while another call uses it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fidelis_session_profile(
    session: *mut fidelis_session,
    profile: *mut fidelis_profile,
    error: *mut fidelis_error,
) -> fidelis_status {
    // SAFETY: the header's rules.
    unsafe {
        with(session, error, |conversation| {
            sized::write(profile, profile_of(conversation), "profile")
        })
    }
}

fn profile_of(conversation: &Conversation) -> fidelis_profile {
    let settings = &conversation.settings;
    let count = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
    fidelis_profile {
        struct_size: size_of::<fidelis_profile>() as u32,
        context: count(settings.context),
        threads: count(settings.threads),
        batch: count(settings.batch),
        tier: match settings.tier {
            Tier::Fast => FIDELIS_TIER_FAST,
            Tier::F32 => FIDELIS_TIER_F32,
            Tier::Audit => FIDELIS_TIER_AUDIT,
        },
        cache: match settings.cache {
            CacheFormat::F16 => FIDELIS_CACHE_F16,
            CacheFormat::F32 => FIDELIS_CACHE_F32,
            CacheFormat::Q8_0 => FIDELIS_CACHE_Q8_0,
            CacheFormat::F64 => FIDELIS_CACHE_F64,
        },
        memory_bytes: conversation.memory_bytes() as u64,
        level: level_name(settings.level),
        sampling: super::build::sampling(),
    }
}

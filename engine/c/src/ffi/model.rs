//! Models: loading, and what is known of them.

use super::pointer::{give_text, guard, hand_over, one, quietly, take, text};
use super::sized::{self, Growing};
use super::status::{
    FIDELIS_NO_TOKEN, FIDELIS_NOT_FOUND, FIDELIS_NUL_ENDED, fidelis_error, fidelis_status,
};
use crate::failure::Failure;
use crate::model::{Holder, Source};
use fidelis_engine::gguf::File;
use std::ffi::{CString, c_char, c_int, c_void};
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;

/// A model file that was read; opaque.
pub struct fidelis_model(pub(super) Arc<Holder>);

/// Told how far loading is, from 0 to 1. 0 breaks it off.
pub type fidelis_progress = Option<unsafe extern "C" fn(fraction: f32, user: *mut c_void) -> c_int>;

/// How a model is loaded.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct fidelis_model_params {
    /// sizeof(fidelis_model_params).
    pub struct_size: u32,
    /// 0.
    pub reserved: u32,
    /// May be NULL.
    pub progress: fidelis_progress,
    /// Given to progress.
    pub user: *mut c_void,
}

// SAFETY: a size, a zero and two pointers; null and any other are valid, and no padding.
unsafe impl Growing for fidelis_model_params {}

/// What is known of a model.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct fidelis_model_info {
    /// sizeof(fidelis_model_info), set by the caller.
    pub struct_size: u32,
    /// Positions that it was trained for.
    pub context: u32,
    /// Tokens that have a text; ids are below it.
    pub vocabulary: u32,
    /// Elements of a hidden state.
    pub width: u32,
    /// Layers.
    pub layers: u32,
    /// The token that a text begins with; FIDELIS_NO_TOKEN: none.
    pub bos: u32,
    /// The token that a text ends with; FIDELIS_NO_TOKEN: none.
    pub eos: u32,
    /// 1 if the file has a chat template, else 0.
    pub has_chat_template: u32,
    /// Weights, norms and factors in all.
    pub parameters: u64,
    /// Bytes of all parts of the file.
    pub bytes: u64,
}

// SAFETY: numbers, and no padding.
unsafe impl Growing for fidelis_model_info {}

const _: () = assert!(size_of::<fidelis_model_info>() == 48);

/// The defaults: no callback.
///
/// Threads: any, at any time.
#[unsafe(no_mangle)]
pub extern "C" fn fidelis_model_default_params() -> fidelis_model_params {
    fidelis_model_params {
        struct_size: size_of::<fidelis_model_params>() as u32,
        reserved: 0,
        progress: None,
        user: std::ptr::null_mut(),
    }
}

/// Loads a GGUF file; of a split one the first part (…-00001-of-0000N.gguf). `path` ends with NUL.
///
/// The file is mapped, and weights are read when they are first used: it must not be changed or cut until the model and its sessions are freed.
/// *model is to be freed by fidelis_model_free; NULL after a failure.
///
/// Threads: any, at any time. progress is called by this thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fidelis_model_open(
    path: *const c_char,
    params: *const fidelis_model_params,
    model: *mut *mut fidelis_model,
    error: *mut fidelis_error,
) -> fidelis_status {
    guard(error, || {
        // SAFETY: the header's rules.
        unsafe {
            hand_over(model, || {
                let path = text(path, FIDELIS_NUL_ENDED, "the path")?;
                load(params, || Ok(Source::File(File::open(Path::new(path))?)))
            })
        }
    })
}

/// Loads a GGUF file that is in memory.
///
/// `bytes` are not copied: they must stay where they are, unchanged, until the model and all its sessions are freed.
/// *model is to be freed by fidelis_model_free; NULL after a failure.
///
/// Threads: any, at any time. progress is called by this thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fidelis_model_from_memory(
    bytes: *const u8,
    length: usize,
    params: *const fidelis_model_params,
    model: *mut *mut fidelis_model,
    error: *mut fidelis_error,
) -> fidelis_status {
    guard(error, || {
        // SAFETY: the header's rules; that the bytes outlive the model is asked of the caller.
        unsafe {
            hand_over(model, || {
                let bytes: &'static [u8] = super::pointer::elements(bytes, length, "the bytes")?;
                load(params, || Ok(Source::Memory(bytes)))
            })
        }
    })
}

/// # Safety
///
/// The header's rules.
unsafe fn load(
    params: *const fidelis_model_params,
    source: impl FnOnce() -> Result<Source, Failure>,
) -> Result<fidelis_model, Failure> {
    // SAFETY: the caller's promise.
    let params = unsafe { sized::read(params, fidelis_model_default_params(), "params") }?;
    if params.reserved != 0 {
        return Err(Failure::invalid("reserved must be 0"));
    }
    let progress = |fraction| match params.progress {
        // SAFETY: the caller gave the function for this call.
        Some(progress) if unsafe { progress(fraction, params.user) } == 0 => ControlFlow::Break(()),
        _ => ControlFlow::Continue(()),
    };
    let holder = Holder::read(source()?, &progress)?;
    Ok(fidelis_model(Arc::new(holder)))
}

/// Frees a model; NULL does nothing. Its sessions and samplers may be freed later: the file goes with the last session.
///
/// Threads: any; no other call may use the model handle meanwhile or later. Its sessions and samplers stay usable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fidelis_model_free(model: *mut fidelis_model) {
    // SAFETY: the header's rules.
    unsafe { take(model) };
}

/// What is known of a model.
///
/// Threads: any number at a time may use the model.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fidelis_model_get_info(
    model: *const fidelis_model,
    info: *mut fidelis_model_info,
    error: *mut fidelis_error,
) -> fidelis_status {
    guard(error, || {
        // SAFETY: the header's rules.
        let holder = &unsafe { one(model, "the model") }?.0;
        let parts = holder.parts();
        let count = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
        let value = fidelis_model_info {
            struct_size: size_of::<fidelis_model_info>() as u32,
            context: count(parts.config.context),
            vocabulary: count(parts.tokenizer.vocabulary_len()),
            width: count(parts.config.width),
            layers: count(parts.config.layers),
            bos: parts.tokenizer.bos().unwrap_or(FIDELIS_NO_TOKEN),
            eos: parts.tokenizer.eos().unwrap_or(FIDELIS_NO_TOKEN),
            has_chat_template: parts.gguf.get("tokenizer.chat_template").is_some().into(),
            parameters: holder.parameters,
            bytes: holder.bytes,
        };
        // SAFETY: the header's rules.
        unsafe { sized::write(info, value, "info") }
    })
}

/// The model's name, or its architecture; valid as long as the model. NULL if the model is NULL.
///
/// Threads: any number at a time may use the model.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fidelis_model_name(model: *const fidelis_model) -> *const c_char {
    // SAFETY: the header's rules.
    unsafe { said(model, |holder| &holder.name) }
}

/// The name of the model's architecture, such as "llama"; valid as long as the model. NULL if the model is NULL.
///
/// Threads: any number at a time may use the model.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fidelis_model_architecture(model: *const fidelis_model) -> *const c_char {
    // SAFETY: the header's rules.
    unsafe { said(model, |holder| &holder.architecture) }
}

/// The model in one line, for people; valid as long as the model. NULL if the model is NULL.
///
/// Threads: any number at a time may use the model.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fidelis_model_description(model: *const fidelis_model) -> *const c_char {
    // SAFETY: the header's rules.
    unsafe { said(model, |holder| &holder.description) }
}

/// # Safety
///
/// The header's rules.
unsafe fn said(model: *const fidelis_model, what: fn(&Holder) -> &CString) -> *const c_char {
    quietly(|| {
        // SAFETY: the caller's promise.
        let model = unsafe { one(model, "the model") }.ok()?;
        Some(what(&model.0).as_ptr())
    })
    .unwrap_or(std::ptr::null())
}

/// A value of the file's metadata as text; `key` ends with NUL. Arrays are given as their length and type. FIDELIS_NOT_FOUND: there is none.
///
/// Threads: any number at a time may use the model.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fidelis_model_metadata(
    model: *const fidelis_model,
    key: *const c_char,
    value: *mut c_char,
    capacity: usize,
    length: *mut usize,
    error: *mut fidelis_error,
) -> fidelis_status {
    guard(error, || {
        // SAFETY: the header's rules.
        let (holder, key) = unsafe {
            (
                &one(model, "the model")?.0,
                text(key, FIDELIS_NUL_ENDED, "the key")?,
            )
        };
        let found = holder.metadata(key).ok_or_else(|| {
            Failure::new(FIDELIS_NOT_FOUND, format!("the file has no key {key:?}"))
        })?;
        // SAFETY: the header's rules.
        unsafe { give_text(found.as_bytes(), value, capacity, length) }
    })
}

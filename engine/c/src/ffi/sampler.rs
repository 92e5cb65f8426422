//! Samplers.

use super::model::fidelis_model;
use super::pointer::{elements, guard, hand_over, one, optional, put, take, texts};
use super::session::fidelis_session;
use super::sized::{self, Growing};
use super::status::{fidelis_error, fidelis_status};
use crate::failure::Failure;
use crate::sampler::Chooser;
use fidelis_engine::sample::{Filter, Mirostat, Settings};
use std::ffi::c_char;

/// Chooses tokens; opaque. An answer that is being made keeps its sampler when that is freed.
pub struct fidelis_sampler(pub(super) Chooser);

/// A number that is added to a token's logit; minus infinity: never choose it.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct fidelis_logit_bias {
    /// The token.
    pub token: u32,
    /// What is added.
    pub bias: f32,
}

/// How tokens are chosen: llama.cpp's settings and defaults, by the rules of fidelis-sampling-1 (engine/src/sample.rs).
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct fidelis_sampler_params {
    /// sizeof(fidelis_sampler_params).
    pub struct_size: u32,
    /// 0.8; 0 or less: the likeliest of what the other settings leave.
    pub temperature: f32,
    /// 0. One seed, one model and one prompt give the same text everywhere.
    pub seed: u64,
    /// 40: keeps so many of the likeliest; 0: all.
    pub top_k: i32,
    /// 0.95: keeps so much probability; 1: all.
    pub top_p: f32,
    /// 0.05: keeps what is so probable relative to the best; 0: all.
    pub min_p: f32,
    /// 1: typical sampling; 1: off.
    pub typical: f32,
    /// -1: keeps what is within so many standard deviations of the best; 0 or less: all.
    pub top_n_sigma: f32,
    /// 0: the chance that top choices are excluded.
    pub xtc_probability: f32,
    /// 0.1: what counts as a top choice.
    pub xtc_threshold: f32,
    /// 0: how far the temperature moves with the entropy.
    pub dynatemp_range: f32,
    /// 1: the exponent of the entropy.
    pub dynatemp_exponent: f32,
    /// 64: tokens that penalties look back on; -1: all.
    pub repeat_last_n: i32,
    /// 1: divides the logits of repeated tokens; 1: off.
    pub repeat_penalty: f32,
    /// 0: taken off per occurrence.
    pub frequency_penalty: f32,
    /// 0: taken off once.
    pub presence_penalty: f32,
    /// 0: the scale of DRY; 0: off.
    pub dry_multiplier: f32,
    /// 1.75: the base of DRY.
    pub dry_base: f32,
    /// 2: repetitions of this length are free.
    pub dry_allowed_length: i32,
    /// -1: tokens that DRY looks back on; -1: all.
    pub dry_penalty_last_n: i32,
    /// 0: 1 or 2 is mirostat of that version, in place of the chain.
    pub mirostat: u32,
    /// 5: mirostat's target, in bits.
    pub mirostat_tau: f32,
    /// 0.1: mirostat's learning rate.
    pub mirostat_eta: f32,
    /// 0: candidates that no filter goes below.
    pub min_keep: u32,
    /// 0.
    pub reserved: u32,
    /// NULL: the chain in llama.cpp's order; else names such as "top_k;top_p;temperature".
    pub chain: *const c_char,
    /// NULL: texts across which nothing is a repetition for DRY, each ending with NUL; NULL: a line's end, colon, quote and star.
    pub dry_breakers: *const *const c_char,
    /// 0: texts of dry_breakers.
    pub dry_breaker_count: usize,
    /// NULL: added to logits before anything else.
    pub logit_biases: *const fidelis_logit_bias,
    /// 0: biases.
    pub logit_bias_count: usize,
}

// SAFETY: numbers and pointers, any of which are valid, and no padding.
unsafe impl Growing for fidelis_sampler_params {}

#[cfg(target_pointer_width = "64")]
const _: () = assert!(size_of::<fidelis_sampler_params>() == 16 + 22 * 4 + 5 * 8);

/// The defaults.
///
/// Threads: any, at any time.
#[unsafe(no_mangle)]
pub extern "C" fn fidelis_sampler_default_params() -> fidelis_sampler_params {
    let settings = Settings::default();
    fidelis_sampler_params {
        struct_size: size_of::<fidelis_sampler_params>() as u32,
        temperature: settings.temperature,
        seed: settings.seed,
        top_k: settings.top_k,
        top_p: settings.top_p,
        min_p: settings.min_p,
        typical: settings.typical,
        top_n_sigma: settings.top_n_sigma,
        xtc_probability: settings.xtc_probability,
        xtc_threshold: settings.xtc_threshold,
        dynatemp_range: settings.dynatemp_range,
        dynatemp_exponent: settings.dynatemp_exponent,
        repeat_last_n: settings.repeat_last_n,
        repeat_penalty: settings.repeat_penalty,
        frequency_penalty: settings.frequency_penalty,
        presence_penalty: settings.presence_penalty,
        dry_multiplier: settings.dry_multiplier,
        dry_base: settings.dry_base,
        dry_allowed_length: settings.dry_allowed_length,
        dry_penalty_last_n: settings.dry_penalty_last_n,
        mirostat: 0,
        mirostat_tau: settings.mirostat_tau,
        mirostat_eta: settings.mirostat_eta,
        min_keep: 0,
        reserved: 0,
        chain: std::ptr::null(),
        dry_breakers: std::ptr::null(),
        dry_breaker_count: 0,
        logit_biases: std::ptr::null(),
        logit_bias_count: 0,
    }
}

impl fidelis_sampler_params {
    /// # Safety
    ///
    /// The header's rules for its pointers.
    unsafe fn settings(&self) -> Result<Settings, Failure> {
        let mirostat = match self.mirostat {
            0 => Mirostat::Off,
            1 => Mirostat::V1,
            2 => Mirostat::V2,
            other => return Err(Failure::invalid(format!("mirostat {other}: 0, 1 or 2"))),
        };
        if self.reserved != 0 {
            return Err(Failure::invalid("reserved must be 0"));
        }
        let defaults = Settings::default();
        // SAFETY: the caller's promise.
        let (chain, breakers, biases) = unsafe {
            (
                optional(self.chain, "chain")?,
                texts(self.dry_breakers, self.dry_breaker_count, "dry_breakers")?,
                elements(self.logit_biases, self.logit_bias_count, "logit_biases")?,
            )
        };
        Ok(Settings {
            seed: self.seed,
            filters: chain.map_or(Ok(defaults.filters), Filter::by_names)?,
            min_keep: self.min_keep as usize,
            top_k: self.top_k,
            top_p: self.top_p,
            min_p: self.min_p,
            typical: self.typical,
            top_n_sigma: self.top_n_sigma,
            xtc_probability: self.xtc_probability,
            xtc_threshold: self.xtc_threshold,
            temperature: self.temperature,
            dynatemp_range: self.dynatemp_range,
            dynatemp_exponent: self.dynatemp_exponent,
            repeat_last_n: self.repeat_last_n,
            repeat_penalty: self.repeat_penalty,
            frequency_penalty: self.frequency_penalty,
            presence_penalty: self.presence_penalty,
            dry_multiplier: self.dry_multiplier,
            dry_base: self.dry_base,
            dry_allowed_length: self.dry_allowed_length,
            dry_penalty_last_n: self.dry_penalty_last_n,
            dry_sequence_breakers: if self.dry_breakers.is_null() {
                defaults.dry_sequence_breakers
            } else {
                breakers
            },
            mirostat,
            mirostat_tau: self.mirostat_tau,
            mirostat_eta: self.mirostat_eta,
            logit_bias: biases.iter().map(|one| (one.token, one.bias)).collect(),
        })
    }
}

/// Makes a sampler for the model's vocabulary. It serves sessions of any model with the same vocabulary.
///
/// *sampler is to be freed by fidelis_sampler_free; NULL after a failure.
///
/// Threads: any number at a time may use the model.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fidelis_sampler_new(
    model: *const fidelis_model,
    params: *const fidelis_sampler_params,
    sampler: *mut *mut fidelis_sampler,
    error: *mut fidelis_error,
) -> fidelis_status {
    guard(error, || {
        // SAFETY: the header's rules.
        unsafe {
            hand_over(sampler, || {
                let model = one(model, "the model")?;
                let defaults = fidelis_sampler_default_params();
                let settings = sized::read(params, defaults, "params")?.settings()?;
                Ok(fidelis_sampler(Chooser::new(&model.0, settings)?))
            })
        }
    })
}

/// Frees a sampler; NULL does nothing.
///
/// Threads: any; no other call may use the handle meanwhile or later.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fidelis_sampler_free(sampler: *mut fidelis_sampler) {
    // SAFETY: the header's rules.
    unsafe { take(sampler) };
}

/// Chooses a token from the session's logits (see fidelis_session_logits) and remembers it for penalties. The session does not read it.
///
/// Threads: any, one at a time per session and per sampler; FIDELIS_BUSY while another call uses either.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fidelis_sampler_choose(
    sampler: *mut fidelis_sampler,
    session: *mut fidelis_session,
    token: *mut u32,
    error: *mut fidelis_error,
) -> fidelis_status {
    guard(error, || {
        // SAFETY: the header's rules.
        let (sampler, session) = unsafe {
            (
                one(sampler.cast_const(), "the sampler")?,
                one(session.cast_const(), "the session")?,
            )
        };
        let session = session.lock()?;
        sampler.0.check(session.model())?;
        let logits = session.logits()?;
        let mut choice = sampler.0.lock()?;
        let chosen = choice.sampler.sample(&logits)?;
        choice.sampler.accept(chosen);
        // SAFETY: the header's rules.
        unsafe { put(token, chosen, "token") }
    })
}

/// Remembers tokens that were read, for penalties. An answer remembers its prompt by itself.
///
/// Threads: any, one at a time per sampler; FIDELIS_BUSY while another call uses it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fidelis_sampler_accept(
    sampler: *mut fidelis_sampler,
    tokens: *const u32,
    count: usize,
    error: *mut fidelis_error,
) -> fidelis_status {
    guard(error, || {
        // SAFETY: the header's rules.
        let (sampler, tokens) = unsafe {
            (
                one(sampler.cast_const(), "the sampler")?,
                elements(tokens, count, "the tokens")?,
            )
        };
        sampler.0.lock()?.accept(tokens)
    })
}

/// Forgets the remembered tokens; the random numbers go on.
///
/// Threads: any, one at a time per sampler; FIDELIS_BUSY while another call uses it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fidelis_sampler_forget(
    sampler: *mut fidelis_sampler,
    error: *mut fidelis_error,
) -> fidelis_status {
    guard(error, || {
        // SAFETY: the header's rules.
        let sampler = unsafe { one(sampler.cast_const(), "the sampler") }?;
        sampler.0.lock()?.sampler.reset_tokens(&[]);
        Ok(())
    })
}

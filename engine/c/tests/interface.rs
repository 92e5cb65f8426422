//! The C functions, called from Rust: for Miri, and from two threads.

use fidelis::*;
use fidelis_conformance::tiny::{Kind, Tiny};
use std::ffi::CStr;
use std::ptr::{null, null_mut};

/// Calls a function with an error behind the arguments, which must be valid for it; it must succeed.
macro_rules! ok {
    ($function:ident($($argument:expr),*)) => {{
        let mut error = fidelis_error::ok();
        // SAFETY: the arguments are pointers to what lives here, of the sizes that are said, or what the function gives an error for.
        let status = unsafe { $function($($argument,)* &raw mut error) };
        assert_eq!(status, FIDELIS_OK, "{}", error.text());
    }};
}

/// The same; it must fail so.
macro_rules! fails {
    ($status:ident, $function:ident($($argument:expr),*)) => {{
        let mut error = fidelis_error::ok();
        // SAFETY: as for `ok!`.
        let status = unsafe { $function($($argument,)* &raw mut error) };
        assert_eq!((status, error.status), ($status, $status), "{}", error.text());
        assert!(!error.text().is_empty());
    }};
}

/// A model in memory, and the memory.
struct Loaded(*mut fidelis_model, Vec<u8>);

// SAFETY: a model may be used by any number of threads.
unsafe impl Sync for Loaded {}

impl Loaded {
    fn new(kind: Kind) -> Self {
        let mut tiny = Tiny::small(kind);
        if cfg!(miri) {
            // Of the usual size, an answer took Miri more than a quarter of an hour.
            tiny = Tiny {
                layers: 1,
                width: 32,
                feed_forward: 32,
                heads: 2,
                kv_heads: 1,
                ..tiny
            };
        }
        let bytes = tiny.bytes().expect("a tiny model");
        let mut model = null_mut();
        ok!(fidelis_model_from_memory(
            bytes.as_ptr(),
            bytes.len(),
            null(),
            &raw mut model
        ));
        Self(model, bytes)
    }

    fn session(&self, threads: u32) -> *mut fidelis_session {
        let mut params = fidelis_session_default_params();
        (params.context, params.threads, params.batch) = (24, threads, 4);
        let mut session = null_mut();
        ok!(fidelis_session_new(
            self.0,
            &raw const params,
            &raw mut session
        ));
        session
    }
}

impl Drop for Loaded {
    fn drop(&mut self) {
        // SAFETY: it is not used any more, and its bytes go after it.
        unsafe { fidelis_model_free(self.0) };
        assert!(!self.1.is_empty());
    }
}

/// The bits of the logits after some tokens, and an answer of `most` tokens to them.
fn run(session: *mut fidelis_session, tokens: &[u32], most: u32) -> (Vec<u32>, Vec<u32>) {
    ok!(fidelis_session_reset(session));
    ok!(fidelis_session_feed(session, tokens.as_ptr(), tokens.len()));
    let mut count = 0;
    ok!(fidelis_session_logits(
        session,
        null_mut(),
        0,
        &raw mut count
    ));
    let mut logits = vec![0.0_f32; count];
    ok!(fidelis_session_logits(
        session,
        logits.as_mut_ptr(),
        count,
        &raw mut count
    ));
    let mut params = fidelis_answer_default_params();
    (params.max_tokens, params.ignore_end) = (most, 1);
    ok!(fidelis_session_prompt_tokens(
        session,
        null_mut(),
        tokens.as_ptr(),
        tokens.len(),
        &raw const params
    ));
    let mut answer = Vec::new();
    loop {
        let mut piece = fidelis_piece {
            text: null(),
            length: 0,
            token: 0,
            stop: FIDELIS_STOP_NONE,
        };
        ok!(fidelis_session_next(session, &raw mut piece));
        // SAFETY: the text ends with NUL and is valid until the next call.
        let text = unsafe { CStr::from_ptr(piece.text) };
        assert!(text.to_bytes().len() <= piece.length);
        if piece.stop != FIDELIS_STOP_NONE {
            assert_eq!(piece.stop, FIDELIS_STOP_LENGTH);
            break;
        }
        answer.push(piece.token);
    }
    (logits.iter().map(|logit| logit.to_bits()).collect(), answer)
}

#[test]
fn a_model_in_memory_reads_and_answers() {
    let loaded = Loaded::new(Kind::Llama);
    let session = loaded.session(1);
    // Under Miri every token takes minutes.
    let (tokens, most): (&[u32], _) = if cfg!(miri) {
        (&[70], 1)
    } else {
        (&[1, 5, 70], 3)
    };
    let (logits, answer) = run(session, tokens, most);
    assert_eq!((logits.len(), answer.len()), (320, most as usize));
    // What was read once gives the same again, token by token as well.
    if !cfg!(miri) {
        assert_eq!(run(session, tokens, most), (logits.clone(), answer));
    }
    ok!(fidelis_session_rewind(session, tokens.len() - 1));
    ok!(fidelis_session_feed(session, [70].as_ptr(), 1));
    let (mut again, mut count) = (vec![0.0_f32; 320], 0);
    ok!(fidelis_session_logits(
        session,
        again.as_mut_ptr(),
        320,
        &raw mut count
    ));
    let again: Vec<u32> = again.iter().map(|logit| logit.to_bits()).collect();
    assert_eq!(again, logits);
    // SAFETY: it is not used any more.
    unsafe { fidelis_session_free(session) };
}

#[test]
fn wrong_pointers_and_numbers_are_errors() {
    let loaded = Loaded::new(Kind::Llama);
    let session = loaded.session(1);
    let (mut count, mut buffer) = (0_usize, [0_u32; 4]);
    fails!(FIDELIS_INVALID, fidelis_session_feed(session, null(), 1));
    fails!(
        FIDELIS_INVALID,
        fidelis_session_feed(null_mut(), buffer.as_ptr(), 1)
    );
    fails!(
        FIDELIS_INVALID,
        fidelis_session_feed(session, [320].as_ptr(), 1)
    );
    fails!(FIDELIS_INVALID, fidelis_session_rewind(session, 1));
    fails!(
        FIDELIS_CONTEXT_FULL,
        fidelis_session_feed(session, [3; 25].as_ptr(), 25)
    );
    let text = c"\xff".as_ptr();
    let to = buffer.as_mut_ptr();
    fails!(
        FIDELIS_INVALID,
        fidelis_tokenize(loaded.0, text, FIDELIS_NUL_ENDED, 0, to, 4, &raw mut count)
    );
    let text = c"hello".as_ptr();
    fails!(
        FIDELIS_TOO_SMALL,
        fidelis_tokenize(loaded.0, text, 5, 0, to, 1, &raw mut count)
    );
    assert!(count > 1);
    fails!(
        FIDELIS_TEMPLATE,
        fidelis_session_chat(session, null_mut(), null(), 0, null())
    );
    let (mut sampler, other) = (null_mut(), Loaded::new(Kind::Qwen2));
    ok!(fidelis_sampler_new(other.0, null(), &raw mut sampler));
    ok!(fidelis_session_feed(session, [3].as_ptr(), 1));
    // Another model, but the same vocabulary.
    ok!(fidelis_sampler_choose(sampler, session, to));
    assert!(buffer[0] < 320);
    // SAFETY: they are not used any more.
    unsafe {
        fidelis_session_free(session);
        fidelis_sampler_free(sampler);
    }
}

#[test]
#[cfg_attr(miri, ignore = "it takes minutes, and what it looks at is not memory")]
fn two_threads_use_one_model_at_once_and_get_the_bits_of_one() {
    let loaded = Loaded::new(Kind::Gemma3);
    let texts: [&[u32]; 2] = [&[1, 40, 8, 9, 300, 17], &[1, 2, 3]];
    let alone = texts.map(|tokens| {
        let session = loaded.session(1);
        let found = run(session, tokens, 3);
        // SAFETY: it is not used any more.
        unsafe { fidelis_session_free(session) };
        found
    });
    let start = std::sync::Barrier::new(2);
    std::thread::scope(|scope| {
        for (tokens, alone) in texts.iter().zip(&alone) {
            let (loaded, start) = (&loaded, &start);
            scope.spawn(move || {
                let session = loaded.session(2);
                start.wait();
                for _ in 0..20 {
                    assert_eq!(&run(session, tokens, 3), alone);
                }
                // SAFETY: it is not used any more.
                unsafe { fidelis_session_free(session) };
            });
        }
    });
}

/// Tokens that are read and chosen one by one.
fn choose(session: *mut fidelis_session, sampler: *mut fidelis_sampler, count: usize) -> Vec<u32> {
    let mut token = 0;
    let mut one = || {
        ok!(fidelis_sampler_choose(sampler, session, &raw mut token));
        ok!(fidelis_session_feed(session, &raw const token, 1));
        token
    };
    (0..count).map(|_| one()).collect()
}

#[test]
#[cfg_attr(miri, ignore = "it writes files, and threads digest the model")]
fn a_saved_session_goes_on_with_its_sampler() {
    let loaded = Loaded::new(Kind::Gemma3);
    let folder = std::env::temp_dir().join(format!("fidelis-c-saved-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    let file = |name: &str| {
        std::ffi::CString::new(folder.join(name).to_str().expect("UTF-8")).expect("no NUL")
    };
    let (session, restored) = (loaded.session(1), loaded.session(2));
    let mut params = fidelis_sampler_default_params();
    (params.temperature, params.seed, params.repeat_penalty) = (1.5, 7, 1.3);
    let (mut sampler, mut other) = (null_mut(), null_mut());
    ok!(fidelis_sampler_new(
        loaded.0,
        &raw const params,
        &raw mut sampler
    ));
    ok!(fidelis_sampler_new(loaded.0, null(), &raw mut other));
    ok!(fidelis_session_feed(session, [1, 40, 8].as_ptr(), 3));
    choose(session, sampler, 4);
    let path = file("saved");
    ok!(fidelis_session_save(session, sampler, path.as_ptr()));
    // What has read something else, with another sampler.
    ok!(fidelis_session_feed(restored, [9, 9].as_ptr(), 2));
    ok!(fidelis_session_restore(restored, other, path.as_ptr()));
    let mut position = 0;
    ok!(fidelis_session_position(restored, &raw mut position));
    assert_eq!(position, 7);
    for session in [session, restored] {
        ok!(fidelis_session_feed(session, [5].as_ptr(), 1));
    }
    assert_eq!(choose(restored, other, 8), choose(session, sampler, 8));

    // Another model, a file that was cut, one that is none, and one that is not there: nothing changes.
    let stranger = Loaded::new(Kind::Llama);
    let strange = stranger.session(1);
    fails!(
        FIDELIS_BAD_SESSION,
        fidelis_session_restore(strange, null_mut(), path.as_ptr())
    );
    let whole = std::fs::read(folder.join("saved")).expect("it was saved");
    for (name, bytes) in [("cut", &whole[..whole.len() - 1]), ("none", b"GGUF")] {
        std::fs::write(folder.join(name), bytes).expect("a file");
        fails!(
            FIDELIS_BAD_SESSION,
            fidelis_session_restore(restored, other, file(name).as_ptr())
        );
    }
    fails!(
        FIDELIS_IO,
        fidelis_session_restore(restored, other, file("absent").as_ptr())
    );
    fails!(
        FIDELIS_IO,
        fidelis_session_save(restored, other, file("no/folder").as_ptr())
    );
    ok!(fidelis_session_position(restored, &raw mut position));
    assert_eq!(position, 16);
    // SAFETY: they are not used any more.
    unsafe {
        for session in [session, restored, strange] {
            fidelis_session_free(session);
        }
        fidelis_sampler_free(sampler);
        fidelis_sampler_free(other);
    }
    std::fs::remove_dir_all(folder).expect("removed");
}

#[test]
fn memory_is_a_budget() {
    let loaded = Loaded::new(Kind::Llama);
    let profile = |params: &fidelis_session_params| {
        let mut session = null_mut();
        ok!(fidelis_session_new(
            loaded.0,
            &raw const *params,
            &raw mut session
        ));
        let mut profile = fidelis_profile {
            struct_size: size_of::<fidelis_profile>() as u32,
            context: 0,
            threads: 0,
            batch: 0,
            tier: FIDELIS_TIER_FAST,
            cache: FIDELIS_CACHE_F16,
            memory_bytes: 0,
            level: null(),
            sampling: null(),
        };
        ok!(fidelis_session_profile(session, &raw mut profile));
        // SAFETY: it is not used any more.
        unsafe { fidelis_session_free(session) };
        profile
    };
    let mut params = fidelis_session_default_params();
    params.threads = 1;
    let free = profile(&params);
    // It says what it takes, and with less it takes less.
    params.memory_bytes = free.memory_bytes / 2;
    let less = profile(&params);
    assert!(less.memory_bytes <= params.memory_bytes);
    assert!(less.batch < free.batch || less.cache != free.cache || less.context < free.context);
    // What is asked for is not changed.
    (params.context, params.batch) = (free.context, free.batch);
    params.cache = FIDELIS_CACHE_F32;
    let mut session = null_mut();
    fails!(
        FIDELIS_OUT_OF_MEMORY,
        fidelis_session_new(loaded.0, &raw const params, &raw mut session)
    );
    assert!(session.is_null());
}

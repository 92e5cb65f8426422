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
        let bytes = Tiny::small(kind).bytes().expect("a tiny model");
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

/// The bits of the logits after some tokens, and the text of an answer to them.
fn run(session: *mut fidelis_session, tokens: &[u32]) -> (Vec<u32>, Vec<u32>) {
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
    (params.max_tokens, params.ignore_end) = (3, 1);
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
    let (logits, answer) = run(session, &[1, 5, 70]);
    assert_eq!((logits.len(), answer.len()), (320, 3));
    // What was read once gives the same again, token by token as well.
    assert_eq!(run(session, &[1, 5, 70]), (logits.clone(), answer));
    ok!(fidelis_session_rewind(session, 2));
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
        let found = run(session, tokens);
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
                    assert_eq!(&run(session, tokens), alone);
                }
                // SAFETY: it is not used any more.
                unsafe { fidelis_session_free(session) };
            });
        }
    });
}

//! What is not restored, and that a refusal changes nothing.

use super::{Opened, answer, file, ids, read, sampling, settings};
use fidelis_conformance::tiny::Kind;
use fidelis_engine::backend::{CacheFormat, CpuSettings, RememberError, Tier};
use fidelis_engine::session::SavedError;

fn here() -> CpuSettings {
    settings(Tier::Fast, CacheFormat::F16)
}

/// Restores what a session with `here`'s settings saved of 30 tokens; gives the error and checks that nothing was changed.
#[track_caller]
fn refused(opened: &Opened<'_>, saved: &[u8], settings: &CpuSettings) -> SavedError {
    let prompt = ids(20, 4);
    let mut session = opened.session(settings, sampling(2));
    let mut untouched = opened.session(settings, sampling(2));
    answer(&mut session, &prompt[..10], 2);
    answer(&mut untouched, &prompt[..10], 2);
    let error = session
        .restore(&read(saved), &opened.digest)
        .expect_err("refused");
    assert!(answer(&mut session, &prompt, 4) == answer(&mut untouched, &prompt, 4));
    error
}

fn saved(opened: &Opened<'_>, settings: &CpuSettings) -> Vec<u8> {
    let mut session = opened.session(settings, sampling(2));
    answer(&mut session, &ids(30, 1), 2);
    opened.saved(&session)
}

#[test]
fn another_model_is_refused_by_its_digest() {
    let (ours, theirs) = (file(Kind::Llama, 1), file(Kind::Llama, 2));
    let (ours, theirs) = (Opened::new(&ours), Opened::new(&theirs));
    let error = refused(&ours, &saved(&theirs, &here()), &here());
    assert!(matches!(error, SavedError::Model { .. }), "{error}");
    let said = error.to_string();
    for digest in [ours.digest, theirs.digest] {
        assert!(said.contains(&digest.to_string()), "{said}");
    }
}

#[test]
fn another_tier_cache_or_context_is_refused_by_name() {
    let bytes = file(Kind::Qwen2, 1);
    let opened = Opened::new(&bytes);
    let saved = saved(&opened, &here());
    let cases = [
        (
            settings(Tier::F32, CacheFormat::F16),
            "it was saved with the tier fast, but here it is f32",
        ),
        (
            settings(Tier::Fast, CacheFormat::Q8_0),
            "it was saved with the cache format f16, but here it is q8_0",
        ),
        (
            CpuSettings {
                context: 30,
                ..here()
            },
            "31 positions were saved, but the context holds 30; ask for a larger one",
        ),
    ];
    for (settings, wanted) in cases {
        let error = refused(&opened, &saved, &settings);
        assert_eq!(error.to_string(), wanted);
    }
    // As many as were saved are enough.
    let enough = CpuSettings {
        context: 31,
        ..here()
    };
    let mut session = opened.session(&enough, sampling(2));
    session
        .restore(&read(&saved), &opened.digest)
        .expect("room enough");
}

/// Phi 3 has other angles in contexts longer than those it was first trained for.
#[test]
fn a_context_with_other_angles_is_refused() {
    let bytes = file(Kind::Phi3Long, 1);
    let opened = Opened::new(&bytes);
    let with = |context| CpuSettings { context, ..here() };
    let error = refused(&opened, &saved(&opened, &with(512)), &with(256));
    assert!(
        error.to_string().contains("the rotary tables"),
        "it says {error}"
    );
    let long = saved(&opened, &with(512));
    let mut longer = opened.session(&with(300), sampling(2));
    longer
        .restore(&read(&long), &opened.digest)
        .expect("the same angles");
}

#[test]
fn positions_that_were_not_read_are_not_described() {
    let bytes = file(Kind::Gemma3, 1);
    let opened = Opened::new(&bytes);
    let mut session = opened.session(&here(), sampling(2));
    answer(&mut session, &ids(400, 1), 2);
    let backend = session.backend();
    let refused = |position| {
        let error = backend.remembered(position).expect_err("not held");
        assert!(matches!(error, RememberError::NotHeld { .. }), "{error}");
    };
    refused(402);
    // A ring of 256 positions has moved on.
    refused(100);
    assert_eq!(backend.remembered(401).expect("held").position, 401);
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_an_error() {
    let bytes = file(Kind::Llama, 1);
    let opened = Opened::new(&bytes);
    let mut session = opened.session(&here(), sampling(2));
    answer(&mut session, &ids(30, 1), 2);
    let mut full = std::fs::OpenOptions::new()
        .write(true)
        .open("/dev/full")
        .expect("a device that is always full");
    let error = session.write(&mut full, &opened.digest, &[]);
    let Err(SavedError::Io(error)) = error else {
        panic!("a full disk is not noticed");
    };
    assert_eq!(error.kind(), std::io::ErrorKind::StorageFull);
    // A device is not replaced by a file.
    let path = std::path::Path::new("/dev/full");
    assert!(session.save(path, &opened.digest, &[]).is_err());
    assert!(!path.is_file());
}

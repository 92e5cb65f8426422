//! Files that are damaged or made to harm: errors, and never another conversation.

use super::{Opened, answer, file, ids, read, sampling, settings};
use fidelis_conformance::tiny::Kind;
use fidelis_engine::backend::{CacheFormat, Tier};
use fidelis_engine::session::{Description, Saved, SavedError};
use rand_core::Rng;
use rand_pcg::Pcg64;

const DIGEST: usize = 32;

fn saved(opened: &Opened<'_>) -> Vec<u8> {
    let here = settings(Tier::Fast, CacheFormat::F16);
    let mut session = opened.session(&here, sampling(2));
    answer(&mut session, &ids(10, 1), 3);
    opened.saved(&session)
}

/// The same with the digest that it should have.
fn digested(mut bytes: Vec<u8>) -> Vec<u8> {
    let end = bytes.len() - DIGEST;
    let digest = blake3::hash(&bytes[..end]);
    bytes[end..].copy_from_slice(digest.as_bytes());
    bytes
}

/// The same with another description.
fn described(bytes: &[u8], change: impl Fn(&mut serde_json::Value)) -> Vec<u8> {
    let length = u32::from_le_bytes(*bytes[12..].first_chunk().expect("a length")) as usize;
    let mut text = serde_json::from_slice(&bytes[16..16 + length]).expect("a description");
    change(&mut text);
    let text = serde_json::to_vec(&text).expect("plain data");
    let mut out = bytes[..12].to_vec();
    out.extend((text.len() as u32).to_le_bytes());
    out.extend(text);
    out.extend(&bytes[16 + length..]);
    digested(out)
}

#[test]
fn a_file_cut_off_anywhere_or_too_long_is_refused() {
    let bytes = file(Kind::Gemma2, 1);
    let saved = saved(&Opened::new(&bytes));
    for length in 0..saved.len() {
        assert!(Saved::read(saved[..length].to_vec()).is_err(), "{length}");
    }
    let longer = [&saved[..], &[0]].concat();
    assert!(Saved::read(longer).is_err());
    assert!(Saved::read(saved).is_ok());
}

#[test]
fn a_bit_changed_anywhere_is_refused() {
    let bytes = file(Kind::Llama, 1);
    let saved = saved(&Opened::new(&bytes));
    for byte in 0..saved.len() {
        let mut changed = saved.clone();
        changed[byte] ^= 1 << (byte % 8);
        assert!(Saved::read(changed).is_err(), "byte {byte}");
    }
}

/// Who changes a file can digest it too. What is restored then is what the file says, but nothing breaks.
#[test]
fn changes_that_are_digested_anew_break_nothing() {
    let bytes = file(Kind::Gemma3, 1);
    let opened = Opened::new(&bytes);
    let saved = saved(&opened);
    let here = settings(Tier::Fast, CacheFormat::F16);
    let mut random = Pcg64::new(3, 54);
    let header = 2_000.min(saved.len() - DIGEST);
    let (mut refused, mut taken) = (0, 0);
    for round in 0..3_000 {
        let mut changed = saved.clone();
        for _ in 0..=random.next_u32() % 3 {
            // The description is short, but more depends on it.
            let range = if round % 4 == 0 {
                changed.len() - DIGEST
            } else {
                header
            };
            let at = random.next_u32() as usize % range;
            changed[at] = random.next_u32() as u8;
        }
        if round % 7 == 0 {
            let at = random.next_u32() as usize % (changed.len() - DIGEST);
            changed.drain(at..(at + 9).min(saved.len() - DIGEST));
        }
        let Ok(saved) = Saved::read(digested(changed)) else {
            refused += 1;
            continue;
        };
        let mut session = opened.session(&here, sampling(2));
        match session.restore(&saved, &opened.digest) {
            Ok(()) => taken += 1,
            Err(_) => refused += 1,
        }
    }
    // Both happen, or nothing was tested.
    assert!(refused > 1_000 && taken > 50, "{refused} {taken}");
}

/// What is done to a description.
type Change<'c> = &'c dyn Fn(&mut serde_json::Value);

#[test]
fn lengths_that_no_file_has_are_refused() {
    let bytes = file(Kind::Gemma2, 1);
    let opened = Opened::new(&bytes);
    let saved = saved(&opened);
    let here = settings(Tier::Fast, CacheFormat::F16);
    let unchanged = described(&saved, |_| {});
    assert!(Saved::read(unchanged.clone()).is_ok());
    for number in [u64::MAX, u64::MAX / 4 + 1, 1 << 60, 1 << 40, 14, 11, 0] {
        let changes: [(&str, Change<'_>); 5] = [
            ("position", &|d| d["remembered"]["position"] = number.into()),
            ("recent", &|d| d["recent"] = number.into()),
            ("first", &|d| {
                d["remembered"]["layers"][1]["first"] = number.into();
            }),
            ("heads", &|d| {
                d["remembered"]["layers"][1]["heads"] = number.into();
            }),
            ("layers", &|d| {
                let layers = d["remembered"]["layers"].as_array_mut().expect("layers");
                layers.truncate(usize::try_from(number % 3).expect("small"));
            }),
        ];
        for (what, change) in changes {
            let changed = described(&saved, change);
            // That is its number.
            if changed == unchanged {
                continue;
            }
            let restored = Saved::read(changed).and_then(|saved| {
                opened
                    .session(&here, sampling(2))
                    .restore(&saved, &opened.digest)
            });
            assert!(restored.is_err(), "{what} {number}");
        }
    }
}

#[test]
fn other_files_and_versions_are_told_apart() {
    let bytes = file(Kind::Llama, 1);
    let saved = saved(&Opened::new(&bytes));
    let mut newer = saved.clone();
    newer[8] = 2;
    assert!(matches!(
        Saved::read(digested(newer)),
        Err(SavedError::Version { found: 2 })
    ));
    for other in [&b"[]"[..], b"GGUF", b"", &[0; 100]] {
        assert!(matches!(
            Saved::read(other.to_vec()),
            Err(SavedError::NotASession)
        ));
    }
    assert!(Saved::is_one(&saved) && !Saved::is_one(b"[]"));
    let Description { remembered, .. } = read(&saved).description().clone();
    assert_eq!((remembered.position, remembered.layers.len()), (12, 2));
}

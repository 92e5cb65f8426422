//! A restored session is the one that was not interrupted.

use super::{Opened, answer, file, ids, read, sampling, settings};
use fidelis_conformance::tiny::Kind;
use fidelis_engine::backend::{CacheFormat, CpuSettings, Tier};
use fidelis_engine::session::Limits;
use fidelis_simd::Level;
use std::ops::ControlFlow;

const NUMBERS: [(Tier, CacheFormat); 6] = [
    (Tier::Fast, CacheFormat::F16),
    (Tier::Fast, CacheFormat::F32),
    (Tier::Fast, CacheFormat::Q8_0),
    (Tier::F32, CacheFormat::F16),
    (Tier::F32, CacheFormat::F32),
    (Tier::Audit, CacheFormat::F64),
];

/// Other ways of doing the same work.
fn ways(here: &CpuSettings) -> Vec<CpuSettings> {
    let way = |threads, batch, context, level: &Level| CpuSettings {
        threads,
        batch,
        context,
        level: *level,
        ..here.clone()
    };
    let levels = Level::available();
    let (slowest, fastest) = (levels.first(), levels.last());
    let scalar = Level::named("scalar").expect("always there");
    vec![
        here.clone(),
        way(3, 5, 700, slowest.unwrap_or(&scalar)),
        way(2, 300, 512, fastest.unwrap_or(&scalar)),
    ]
}

/// Prompts that fill more than a chunk, the windows and their rings.
#[test]
fn a_restored_session_goes_on_with_the_bits_of_one_that_was_not_interrupted() {
    for (seed, kind) in Kind::ALL.into_iter().enumerate() {
        let bytes = file(kind, 1);
        let opened = Opened::new(&bytes);
        for (tier, cache) in NUMBERS {
            let here = settings(tier, cache);
            let mut session = opened.session(&here, sampling(seed as u64));
            let (first, read_first) = answer(&mut session, &ids(300, seed), 20);
            assert_eq!((first.len(), read_first), (20, 300));
            let saved = opened.saved(&session);
            let mut prompt = session.history().to_vec();
            prompt.extend(ids(30, seed + 1));
            let (expected, read_second) = answer(&mut session, &prompt, 20);
            for way in ways(&here) {
                let case = format!("{kind:?} {tier:?} {cache} {way:?}");
                // Whatever the sampler of the new session is.
                let mut restored = opened.session(&way, sampling(99));
                restored
                    .restore(&read(&saved), &opened.digest)
                    .expect(&case);
                // The bytes are those of the text, whoever has read it.
                assert!(opened.saved(&restored) == saved, "{case}: saved again");
                let (found, again) = answer(&mut restored, &prompt, 20);
                assert!(found == expected, "{case}");
                assert_eq!((again, read_second), (30, 30), "{case}: tokens read");
            }
        }
    }
}

/// Going back within what a window's ring still holds reads as little as it would have; further back, everything is read again.
#[test]
fn a_restored_session_goes_back_as_far_as_the_one_that_was_not_interrupted() {
    for kind in [Kind::Llama, Kind::Gemma2, Kind::Gemma3] {
        let bytes = file(kind, 1);
        let opened = Opened::new(&bytes);
        let here = settings(Tier::Fast, CacheFormat::F16);
        for shared in [318, 310, 200, 71, 70, 30, 1] {
            let mut session = opened.session(&here, sampling(2));
            answer(&mut session, &ids(300, 2), 20);
            let saved = opened.saved(&session);
            let mut prompt = session.history()[..shared].to_vec();
            prompt.extend(ids(40, 3).iter().map(|id| id ^ 1));
            let expected = answer(&mut session, &prompt, 5);
            let mut restored = opened.session(&here, sampling(2));
            restored
                .restore(&read(&saved), &opened.digest)
                .expect("the same model");
            let found = answer(&mut restored, &prompt, 5);
            assert!(found.0 == expected.0, "{kind:?} {shared}");
            assert_eq!(found.1, expected.1, "{kind:?} {shared}: tokens read");
        }
    }
}

#[test]
fn an_answer_that_was_saved_half_way_is_gone_on_with() {
    let bytes = file(Kind::Gemma3, 1);
    let opened = Opened::new(&bytes);
    let here = settings(Tier::F32, CacheFormat::F32);
    let prompt = ids(40, 5);
    let mut session = opened.session(&here, sampling(4));
    let limits = Limits {
        tokens: Some(20),
        ignore_end: true,
        ..Limits::default()
    };
    let mut reply = session
        .reply(&prompt, limits, |_, _| ControlFlow::Continue(()))
        .expect("read");
    let mut text = prompt;
    for piece in reply.by_ref().take(8) {
        text.push(piece.expect("a token").token);
    }
    let saved = opened.saved(reply.session());
    let rest: Vec<u32> = reply.map(|piece| piece.expect("a token").token).collect();
    let mut restored = opened.session(&here, sampling(0));
    restored
        .restore(&read(&saved), &opened.digest)
        .expect("the same model");
    let (found, again) = answer(&mut restored, &text, 12);
    let found: Vec<u32> = found.into_iter().map(|(token, _)| token).collect();
    assert_eq!((found, again), (rest, 1));
}

#[test]
fn a_text_that_is_restored_alone_leaves_the_sampler_where_it_is() {
    let bytes = file(Kind::Qwen3, 1);
    let opened = Opened::new(&bytes);
    let here = settings(Tier::Fast, CacheFormat::F16);
    let prompt = ids(60, 7);
    let (expected, _) = answer(&mut opened.session(&here, sampling(6)), &prompt, 12);
    let mut other = opened.session(&here, sampling(8));
    answer(&mut other, &prompt[..50], 3);
    let saved = opened.saved(&other);
    let mut session = opened.session(&here, sampling(6));
    session
        .restore_text(&read(&saved), &opened.digest)
        .expect("the same model");
    let (found, again) = answer(&mut session, &prompt, 12);
    assert!(found == expected);
    assert_eq!(again, 10, "tokens read");
}

#[test]
fn what_was_read_in_another_way_is_saved_as_the_same_bytes() {
    for (tier, cache) in NUMBERS {
        let bytes = file(Kind::Llama3, 1);
        let opened = Opened::new(&bytes);
        let here = settings(tier, cache);
        let saved = ways(&here).into_iter().map(|way| {
            let mut session = opened.session(&way, sampling(1));
            answer(&mut session, &ids(200, 1), 10);
            opened.saved(&session)
        });
        let saved: Vec<Vec<u8>> = saved.collect();
        assert!(saved.windows(2).all(|pair| pair[0] == pair[1]), "{tier:?}");
    }
}

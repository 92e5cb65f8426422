//! Guessing tokens ahead changes how many steps an answer takes, and nothing else: not a token, not a bit of any logit it was chosen
//! from, not the sampler's next draw.

use fidelis_conformance::tiny::{Kind, Tiny};
use fidelis_engine::backend::{BackendError, CacheFormat, CpuBackend, CpuSettings, Tier};
use fidelis_engine::gguf::Gguf;
use fidelis_engine::model::Model;
use fidelis_engine::sample::{Mirostat, Sampler, SamplerState, Settings};
use fidelis_engine::session::{
    Draft, DraftModel, Limits, Lookup, ModelDigest, Session, Speculation, Stop, VocabularyError,
};
use fidelis_engine::text::Tokenizer;
use rand_core::Rng;
use rand_pcg::Pcg64;
use std::ops::ControlFlow;

const TIERS: [(Tier, CacheFormat); 3] = [
    (Tier::Fast, CacheFormat::F16),
    (Tier::F32, CacheFormat::F32),
    (Tier::Audit, CacheFormat::F64),
];

fn file(kind: Kind, seed: u64) -> Vec<u8> {
    let tiny = Tiny {
        seed,
        ..Tiny::small(kind)
    };
    tiny.bytes().expect("encoded")
}

fn settings(tier: Tier, cache: CacheFormat, batch: usize) -> CpuSettings {
    CpuSettings {
        threads: 1,
        tier,
        cache,
        batch,
        ..CpuSettings::new(1024).expect("a level")
    }
}

fn backend<'a>(bytes: &'a [u8], settings: &CpuSettings) -> CpuBackend<'a> {
    let gguf = Gguf::read(bytes).expect("a GGUF file");
    let model = Model::read(&gguf).expect("a model");
    CpuBackend::new(&model.graph, settings).expect("a back end")
}

fn tokenizer(bytes: &[u8]) -> Tokenizer {
    Tokenizer::read(&Gguf::read(bytes).expect("a GGUF file")).expect("a tokenizer")
}

fn greedy() -> Settings {
    Settings {
        temperature: 0.0,
        ..Settings::default()
    }
}

/// Samplers whose draws depend on everything before.
fn samplings() -> Vec<Settings> {
    let drawn = |seed, temperature| Settings {
        seed,
        temperature,
        ..Settings::default()
    };
    vec![
        greedy(),
        drawn(1, 0.3),
        drawn(2, 1.2),
        Settings {
            xtc_probability: 0.4,
            repeat_penalty: 1.1,
            dry_multiplier: 0.8,
            ..drawn(3, 0.8)
        },
        Settings {
            mirostat: Mirostat::V2,
            ..drawn(4, 0.8)
        },
    ]
}

/// What an answer is.
#[derive(PartialEq)]
struct Answer {
    ids: Vec<u32>,
    /// The bits of the logits that each was chosen from.
    logits: Vec<Vec<u64>>,
    stop: Option<Stop>,
    history: Vec<u32>,
    sampler: Option<SamplerState>,
}

/// Two answers, the second to what the first was about and more.
fn answers(session: &mut Session<'_>, prompt: &[u32], tokens: usize) -> Vec<Answer> {
    let mut prompt = prompt.to_vec();
    let mut answers = Vec::new();
    for more in [[5, 6, 7], [0, 0, 0]] {
        let limits = Limits {
            tokens: Some(tokens),
            ignore_end: true,
            ..Limits::default()
        };
        let mut reply = session
            .reply(&prompt, limits, |_, _| ControlFlow::Continue(()))
            .expect("the prompt is read");
        let (mut ids, mut logits) = (Vec::new(), Vec::new());
        while let Some(piece) = reply.next() {
            ids.push(piece.expect("a token").token);
            logits.push(match reply.exact_logits() {
                Some(exact) => exact.iter().map(|x| x.to_bits()).collect(),
                None => reply.logits().iter().map(|x| x.to_bits().into()).collect(),
            });
        }
        let stop = reply.stop();
        let history = session.history().to_vec();
        prompt.clone_from(&history);
        prompt.extend(more);
        answers.push(Answer {
            ids,
            logits,
            stop,
            history,
            sampler: Some(session.sampler().state()),
        });
    }
    answers
}

/// A prompt that says the same three times.
fn repetitive() -> Vec<u32> {
    let phrase: Vec<u32> = (0..25).map(|i| 270 + i * 7 % 45).collect();
    phrase.repeat(3)
}

/// Guesses whatever it likes.
struct Guesser<F>(F);

impl<F: FnMut(&[u32], usize) -> Vec<u32> + Send> Draft for Guesser<F> {
    fn guess(
        &mut self,
        text: &[u32],
        most: usize,
        guesses: &mut Vec<u32>,
    ) -> Result<(), BackendError> {
        guesses.extend((self.0)(text, most));
        Ok(())
    }
}

/// Everybody who guesses here: well, badly and absurdly.
fn drafts<'a>(
    bytes: &'a [u8],
    other: &'a [u8],
    tier: &CpuSettings,
) -> Vec<(&'static str, Box<dyn Draft + 'a>)> {
    let model = |bytes: &'a [u8]| {
        let (ours, theirs) = (tokenizer(bytes), tokenizer(bytes));
        let backend = Box::new(backend(bytes, tier));
        Box::new(DraftModel::new(backend, &ours, &theirs).expect("one vocabulary"))
    };
    let mut random = Pcg64::new(9, 54);
    // Ids beyond the vocabulary cannot be read.
    let absurd = move |_: &[u32], most: usize| -> Vec<u32> {
        (0..most + 3).map(|_| random.next_u32() % 330).collect()
    };
    vec![
        ("lookup", Box::new(Lookup)),
        ("itself", model(bytes)),
        ("another model", model(other)),
        ("absurd", Box::new(Guesser(absurd))),
    ]
}

fn session<'a>(
    bytes: &'a [u8],
    tokenizer: &'a Tokenizer,
    settings: &CpuSettings,
    sampling: &Settings,
) -> Session<'a> {
    let sampler = Sampler::new(sampling.clone(), tokenizer).expect("settings");
    Session::new(backend(bytes, settings), tokenizer, sampler)
}

#[test]
fn guessing_changes_no_token_and_no_bit() {
    for kind in Kind::ALL {
        let (bytes, other) = (file(kind, 1), file(kind, 2));
        let tokenizer = tokenizer(&bytes);
        for (tier, cache) in TIERS {
            let settings = settings(tier, cache, 32);
            for sampling in samplings() {
                let mut plain = session(&bytes, &tokenizer, &settings, &sampling);
                let expected = answers(&mut plain, &repetitive(), 50);
                assert_eq!(plain.speculation(), None);
                for (name, draft) in drafts(&bytes, &other, &settings) {
                    let case = format!("{kind:?} {tier:?} {name} {sampling:?}");
                    let mut quick =
                        session(&bytes, &tokenizer, &settings, &sampling).with_draft(draft, 16);
                    let found = answers(&mut quick, &repetitive(), 50);
                    for (found, expected) in found.iter().zip(&expected) {
                        assert_eq!(found.ids, expected.ids, "{case}");
                        assert!(found == expected, "{case}: logits, history or sampler");
                    }
                    let told = quick.speculation().expect("it guesses");
                    // The last token of an answer is not read.
                    assert_eq!(told.tokens, 98, "{case}");
                    assert!(told.accepted <= told.guessed, "{case} {told:?}");
                    if name == "itself" && sampling.temperature == 0.0 {
                        assert!(told.steps < 15 && told.accepted > 80, "{case} {told:?}");
                    }
                }
            }
        }
    }
}

/// The demonstration of its use: a greedy model of random weights soon repeats itself.
#[test]
fn looking_up_what_was_said_takes_fewer_steps() {
    let mut all = Speculation::default();
    for kind in Kind::ALL {
        let bytes = file(kind, 1);
        let tokenizer = tokenizer(&bytes);
        let settings = settings(Tier::Fast, CacheFormat::F16, 32);
        let mut session =
            session(&bytes, &tokenizer, &settings, &greedy()).with_draft(Box::new(Lookup), 16);
        answers(&mut session, &repetitive(), 200);
        let told = session.speculation().expect("it guesses");
        println!("{kind:?}: {told:?}");
        all.accepted += told.accepted;
        all.steps += told.steps;
        all.tokens += told.tokens;
    }
    assert!(all.accepted > 0 && all.steps < all.tokens, "{all:?}");
}

#[test]
fn a_session_that_guesses_is_saved_without_its_guesses() {
    for kind in [Kind::Llama, Kind::Gemma3] {
        let (bytes, other) = (file(kind, 1), file(kind, 2));
        let tokenizer = tokenizer(&bytes);
        let digest = ModelDigest::of(&[&bytes]);
        let settings = settings(Tier::Fast, CacheFormat::F16, 32);
        let sampling = &samplings()[1];
        // Broken off after some tokens: at its limit an answer has no guesses left.
        let saved = |mut session: Session<'_>, tokens: usize| {
            let limits = Limits {
                ignore_end: true,
                ..Limits::default()
            };
            let mut reply = session
                .reply(&repetitive(), limits, |_, _| ControlFlow::Continue(()))
                .expect("the prompt is read");
            for piece in reply.by_ref().take(tokens) {
                piece.expect("a token");
            }
            let mut out = Vec::new();
            let written = session.write(&mut out, &digest, &[]);
            written.expect("memory takes everything");
            (out, session.backend().position() - session.history().len())
        };
        let mut most = 0;
        for tokens in [7, 20, 41] {
            let (plain, ahead) = saved(session(&bytes, &tokenizer, &settings, sampling), tokens);
            assert_eq!(ahead, 0);
            for (name, draft) in drafts(&bytes, &other, &settings) {
                let quick = session(&bytes, &tokenizer, &settings, sampling).with_draft(draft, 16);
                let (quick, ahead) = saved(quick, tokens);
                assert!(quick == plain, "{kind:?} {name}, {tokens} tokens");
                most = most.max(ahead);
            }
        }
        assert!(most > 0, "somebody's guesses were read and not used");
    }
}

/// Guesses that are right for long and then wrong by hundreds make a window's ring lose what comes next; it is read again.
#[test]
fn more_wrong_guesses_than_a_ring_has_room_for_change_nothing() {
    for kind in [Kind::Gemma2, Kind::Gemma3, Kind::Llama] {
        let bytes = file(kind, 1);
        let tokenizer = tokenizer(&bytes);
        for (tier, cache) in TIERS {
            let settings = settings(tier, cache, 8);
            let sampling = &samplings()[1];
            let mut plain = session(&bytes, &tokenizer, &settings, sampling);
            let expected = answers(&mut plain, &repetitive(), 400);
            let truth = [&expected[1].history[..], &expected[1].ids[399..]].concat();
            let mut wrong = 0;
            let prophet = move |text: &[u32], most: usize| -> Vec<u32> {
                let right = truth.iter().skip(text.len()).take(most).copied();
                wrong += usize::from(most > 250);
                right
                    .map(|id| {
                        if most > 250 && wrong % 2 == 1 {
                            id ^ 1
                        } else {
                            id
                        }
                    })
                    .collect()
            };
            let mut quick = session(&bytes, &tokenizer, &settings, sampling)
                .with_draft(Box::new(Guesser(prophet)), 300);
            let found = answers(&mut quick, &repetitive(), 400);
            let told = quick.speculation().expect("it guesses");
            assert!(found == expected, "{kind:?} {tier:?} {told:?}");
            assert!(told.guessed - told.accepted > 250, "{kind:?} {told:?}");
        }
    }
}

#[test]
fn guesses_stay_within_the_context_and_the_answer() {
    let bytes = file(Kind::Llama, 1);
    let tokenizer = tokenizer(&bytes);
    let small = CpuSettings {
        context: 90,
        ..settings(Tier::Fast, CacheFormat::F16, 32)
    };
    let itself = || {
        let draft = backend(&bytes, &small);
        let model = DraftModel::new(Box::new(draft), &tokenizer, &tokenizer);
        Box::new(model.expect("one vocabulary"))
    };
    for tokens in [1, 2, 3, 8, 1000] {
        let answer = |mut session: Session<'_>| {
            let limits = Limits {
                tokens: Some(tokens),
                ignore_end: true,
                ..Limits::default()
            };
            let mut reply = session
                .reply(&repetitive(), limits, |_, _| ControlFlow::Continue(()))
                .expect("read");
            let ids: Vec<u32> = reply
                .by_ref()
                .map(|piece| piece.expect("a token").token)
                .collect();
            (ids, reply.stop(), session.history().len())
        };
        let plain = answer(session(&bytes, &tokenizer, &small, &greedy()));
        let quick = session(&bytes, &tokenizer, &small, &greedy()).with_draft(itself(), 16);
        assert_eq!(answer(quick), plain, "{tokens}");
        assert_eq!(
            plain.1,
            Some(if tokens == 1000 {
                Stop::ContextFull
            } else {
                Stop::Length
            })
        );
    }
}

#[test]
fn a_draft_model_with_another_vocabulary_is_refused_by_name() {
    let bytes = file(Kind::Llama, 1);
    let target = tokenizer(&bytes);
    let tiny = Tiny::small(Kind::Llama);
    let mut contents = tiny.contents().expect("encoded");
    let key = "tokenizer.ggml.tokens";
    let (_, tokens) = contents
        .metadata
        .iter_mut()
        .find(|(name, _)| name == key)
        .expect("a vocabulary");
    let fidelis_engine::gguf::OwnedValue::Array(_, texts) = tokens else {
        panic!("tokens are an array");
    };
    texts[300] = fidelis_engine::gguf::OwnedValue::Str("other".to_owned());
    let other = contents.bytes();
    let settings = settings(Tier::Fast, CacheFormat::F16, 32);
    let refused = DraftModel::new(
        Box::new(backend(&other, &settings)),
        &tokenizer(&other),
        &target,
    );
    let error = refused.err().expect("another vocabulary");
    assert_eq!(
        error,
        VocabularyError::Token {
            token: 300,
            draft: "other".to_owned(),
            target: target.token_text(300).expect("known").to_owned(),
        }
    );
    assert!(error.to_string().contains("\"other\""), "{error}");
}

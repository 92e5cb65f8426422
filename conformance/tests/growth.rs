//! However many prompts were answered, no more memory is held. Alone in its program, for it counts every byte there.

#[path = "support/counting.rs"]
mod counting;

use fidelis_conformance::tiny::{Kind, Tiny};
use fidelis_engine::backend::{CpuBackend, CpuSettings};
use fidelis_engine::gguf::Gguf;
use fidelis_engine::model::Model;
use fidelis_engine::sample::{NoVocabulary, Sampler, Settings};
use fidelis_engine::session::{Limits, Session};
use fidelis_engine::text::{Bos, Specials, Tokenizer};
use std::ops::ControlFlow;

const PROMPTS: usize = 10_000;

#[test]
fn ten_thousand_prompts_hold_no_more_memory_than_a_thousand() {
    let bytes = Tiny::small(Kind::Llama).bytes().expect("it is encoded");
    let gguf = Gguf::read(&bytes).expect("a file");
    let model = Model::read(&gguf).expect("a model");
    let tokenizer = Tokenizer::read(&gguf).expect("a vocabulary");
    let settings = CpuSettings {
        threads: 2,
        ..CpuSettings::new(64).expect("a level")
    };
    let backend = CpuBackend::new(&model.graph, &settings).expect("a tiny model");
    let sampler = Sampler::new(Settings::default(), &NoVocabulary).expect("the default");
    let mut session = Session::new(backend, &tokenizer, sampler);
    let mut answer = |prompt: usize| {
        let text = format!("prompt {}", prompt % 1000);
        let ids = tokenizer.encode(&text, Specials::Parse, Bos::Auto);
        let ids = ids.expect("text");
        let limits = Limits {
            tokens: Some(2),
            stop_strings: vec!["never said".to_owned()],
            ignore_end: true,
        };
        let reply = session.reply(&ids, limits, |_, _| ControlFlow::Continue(()));
        let mut reply = reply.expect("it fits");
        let pieces = reply.by_ref().filter(Result::is_ok).count();
        assert_eq!(pieces, 2, "prompt {prompt}");
        drop(reply.finish());
        if prompt.is_multiple_of(7) {
            session.clear();
        }
    };
    (0..PROMPTS / 10).for_each(&mut answer);
    let after_a_tenth = counting::live();
    (PROMPTS / 10..PROMPTS).for_each(&mut answer);
    let at_the_end = counting::live();
    println!(
        "held after {} prompts: {after_a_tenth} bytes; after {PROMPTS}: {at_the_end}",
        PROMPTS / 10
    );
    assert!(
        after_a_tenth > 0 && at_the_end <= after_a_tenth,
        "{after_a_tenth} bytes grew to {at_the_end}"
    );
}

//! The chat that the page runs, on the machine's own instructions.

use fidelis_browser::{Chat, ChatError};
use fidelis_conformance::receipt::{LogitChain, Values};
use fidelis_engine::backend::{CpuBackend, CpuSettings};
use fidelis_engine::gguf::Gguf;
use fidelis_engine::model::Model;
use fidelis_engine::sample::Sampler;
use fidelis_engine::session::{Limits, Session, SessionError};
use fidelis_engine::text::{Bos, ChatTemplate, Message, Specials, Tokenizer};
use std::ops::ControlFlow;

const MODEL: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../demo-model/demo-llama-q4_k_m.gguf"
);
const QUESTION: &str = "Tell me a story about a dog.";

fn model() -> Vec<u8> {
    std::fs::read(MODEL).expect("the demo model")
}

/// All of an answer.
fn answer(chat: &mut Chat<'_>) -> Result<String, ChatError> {
    std::iter::from_fn(|| chat.next_piece().transpose()).collect()
}

#[test]
fn token_by_token_is_the_answer_of_a_session_with_a_receipts_digest() {
    let bytes = model();
    let gguf = Gguf::read(&bytes).expect("GGUF");
    let tokenizer = Tokenizer::read(&gguf).expect("a tokenizer");
    let mut chat = Chat::new(&gguf, &tokenizer, 512).expect("a chat");
    chat.ask(QUESTION).expect("a prompt");
    let found = answer(&mut chat).expect("an answer");

    let model = Model::read(&gguf).expect("a model");
    let settings = CpuSettings::new(512).expect("a level");
    let backend = CpuBackend::new(&model.graph, &settings).expect("a back end");
    let mut session = Session::new(backend, &tokenizer, Sampler::greedy());
    let template = ChatTemplate::read(&gguf, "", "").expect("Jinja");
    let text = template
        .expect("there is one")
        .render(&[Message::new("user", QUESTION)], true);
    let prompt = tokenizer.encode(&text.expect("a prompt"), Specials::Parse, Bos::Auto);
    let go_on = |_: usize, _: usize| ControlFlow::Continue(());
    let mut reply = session
        .reply(&prompt.expect("ids"), Limits::default(), go_on)
        .expect("a reply");
    let (mut expected, mut chain, mut token) = (String::new(), LogitChain::default(), 0);
    let mut digest = None;
    while let Some(piece) = reply.next() {
        let piece = piece.expect("a piece");
        expected.push_str(&piece.text);
        token = piece.token;
        digest = Some(chain.add(Values::F32(reply.logits())));
    }
    if let Some(end) = reply.ended_with() {
        token = end;
        digest = Some(chain.add(Values::F32(reply.logits())));
    }
    assert!(expected.len() > 40, "a story: {expected}");
    assert_eq!(found, expected);
    let newest = chat.newest();
    assert_eq!(newest.token, token);
    let hexadecimal: String = newest
        .digest
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    assert_eq!(Some(hexadecimal), digest.map(|digest| digest.to_string()));
}

#[test]
fn a_stopped_answer_stays_in_the_conversation_and_a_question_that_does_not_fit_leaves_it() {
    let bytes = model();
    let gguf = Gguf::read(&bytes).expect("GGUF");
    let tokenizer = Tokenizer::read(&gguf).expect("a tokenizer");
    let mut chat = Chat::new(&gguf, &tokenizer, 64).expect("a chat");
    chat.ask(QUESTION).expect("a prompt");
    for _ in 0..5 {
        chat.next_piece()
            .expect("a token")
            .expect("the story is longer");
    }
    chat.stop();
    assert_eq!(chat.next_piece().expect("nothing fails"), None);
    let said: Vec<&str> = chat
        .messages()
        .iter()
        .map(|message| &*message.role)
        .collect();
    assert_eq!(said, ["user", "assistant"]);

    chat.ask(&"word ".repeat(100))
        .expect("it can be written out");
    let refused = chat.next_piece();
    assert!(
        matches!(
            refused,
            Err(ChatError::Session(SessionError::PromptTooLong {
                context: 64,
                ..
            }))
        ),
        "{refused:?}"
    );
    assert_eq!(chat.messages().len(), 2);

    // An answer that fills the context ends there.
    chat.clear();
    chat.ask("Tell me a story about a cat and a dog.")
        .expect("a prompt");
    let story = answer(&mut chat).expect("no error");
    assert!(!story.is_empty());
    assert_eq!(chat.messages().len(), 2);
}

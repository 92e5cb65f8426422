//! The demo model's answers to questions it was not trained on (`demo-model/held-out.jsonl`).

use fidelis_engine::backend::{CpuBackend, CpuSettings};
use fidelis_engine::gguf::Gguf;
use fidelis_engine::model::Model;
use fidelis_engine::sample::Sampler;
use fidelis_engine::session::{Limits, Session};
use fidelis_engine::text::{Bos, ChatTemplate, Message, Specials, Tokenizer};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::ops::ControlFlow;

#[derive(Deserialize)]
struct Question {
    category: String,
    kind: String,
    #[serde(default)]
    messages: Vec<Message>,
    #[serde(default)]
    prompt: String,
    accept: Vec<String>,
}

/// Right answers and questions, by category.
fn rates(file: &[u8]) -> BTreeMap<String, [usize; 2]> {
    let gguf = Gguf::read(file).expect("the demo model is committed");
    let model = Model::read(&gguf).expect("a model");
    let tokenizer = Tokenizer::read(&gguf).expect("a tokenizer");
    let text = |id: Option<u32>| {
        id.and_then(|id| tokenizer.token_text(id))
            .unwrap_or_default()
    };
    let template = ChatTemplate::read(&gguf, text(tokenizer.bos()), text(tokenizer.eos()))
        .expect("Jinja")
        .expect("a template");
    let backend = CpuBackend::new(&model.graph, &CpuSettings::new(1024).expect("a level"))
        .expect("a back end");
    let mut session = Session::new(backend, &tokenizer, Sampler::greedy());
    let mut rates: BTreeMap<String, [usize; 2]> = BTreeMap::new();
    for line in include_str!("../demo-model/held-out.jsonl").lines() {
        let question: Question = serde_json::from_str(line).expect("a question");
        let prompt = if question.messages.is_empty() {
            question.prompt
        } else {
            template.render(&question.messages, true).expect("renders")
        };
        let ids = tokenizer
            .encode(&prompt, Specials::Parse, Bos::Auto)
            .expect("ids");
        let limits = Limits {
            tokens: Some(96),
            ..Limits::default()
        };
        let mut reply = session
            .reply(&ids, limits, |_, _| ControlFlow::Continue(()))
            .expect("fits");
        let mut answer: String = reply
            .by_ref()
            .map(|piece| piece.expect("a token").text)
            .collect();
        answer.push_str(&reply.finish());
        let rate = rates.entry(question.category).or_default();
        // A completion must begin with what is wanted, an answer hold it.
        let raw = question.kind == "raw";
        let is_right = |accept: &String| {
            if raw {
                answer.trim_start().starts_with(accept.as_str())
            } else {
                answer.contains(accept.as_str())
            }
        };
        rate[0] += usize::from(question.accept.iter().any(is_right));
        rate[1] += 1;
    }
    rates
}

/// Prints the rates and checks the whole.
fn check(name: &str, file: &[u8]) {
    let rates = rates(file);
    let [right, asked] = rates
        .values()
        .fold([0, 0], |[right, asked], [r, a]| [right + r, asked + a]);
    for (category, [right, asked]) in &rates {
        println!("{name} {category}: {right} of {asked}");
    }
    println!("{name}: {right} of {asked}");
    assert!(asked > 300, "only {asked} questions were asked");
    assert!(
        right * 100 >= asked * 95,
        "{name}: {right} of {asked} answers are right"
    );
}

#[test]
fn held_out_questions_are_answered() {
    check(
        "llama",
        include_bytes!("../demo-model/demo-llama-q4_k_m.gguf"),
    );
}

//! Tokenizers, streams and templates.
//!
//! `data/byte-pairs.gguf` is GPT-2's first 500 merges; the ids in `data/byte-pairs.json` are llama.cpp's
//! (`llama-tokenize --ids --no-bos`) for that vocabulary under each pre-tokenizer.

use fidelis_engine::gguf::{Gguf, Kind, OwnedValue, Writer};
use fidelis_engine::text::{
    Bos, ChatTemplate, Message, Specials, Stream, TemplateError, TextError, Tokenizer,
};

const BYTE_PAIRS: &[u8] = include_bytes!("data/byte-pairs.gguf");

/// The metadata of a file with some keys replaced.
fn changed(bytes: &[u8], keys: &[(&str, OwnedValue)]) -> Vec<u8> {
    let gguf = Gguf::read(bytes).expect("a whole file");
    let mut writer = Writer::default();
    for (key, value) in gguf.metadata() {
        writer.set(key, value.into());
    }
    for (key, value) in keys {
        writer.set(key, value.clone());
    }
    let mut out = Vec::new();
    writer.write(&mut out).expect("memory takes everything");
    out
}

fn tokenizer(bytes: &[u8]) -> Result<Tokenizer, TextError> {
    Tokenizer::read(&Gguf::read(bytes).expect("a whole file"))
}

#[test]
fn every_pre_tokenizer_gives_llama_cpps_ids() {
    let data: serde_json::Value =
        serde_json::from_str(include_str!("data/byte-pairs.json")).expect("JSON");
    let texts = data["texts"].as_array().expect("texts");
    let by_pre = data["ids"].as_object().expect("ids");
    assert_eq!(by_pre.len(), 12);
    for (pre, expected) in by_pre {
        let bytes = changed(
            BYTE_PAIRS,
            &[("tokenizer.ggml.pre", OwnedValue::Str(pre.clone()))],
        );
        let tokenizer = tokenizer(&bytes).expect("a vocabulary");
        for (text, expected) in texts
            .iter()
            .zip(expected.as_array().expect("a list per text"))
        {
            let text = text.as_str().expect("a text");
            let ids = tokenizer
                .encode(text, Specials::Parse, Bos::Never)
                .expect("ids");
            let expected: Vec<u32> = expected
                .as_array()
                .expect("ids")
                .iter()
                .filter_map(|id| id.as_u64()?.try_into().ok())
                .collect();
            assert_eq!(ids, expected, "{pre}: {text:?}");
        }
    }
}

#[test]
fn decoding_gives_the_text_back_and_streams_whole_characters() {
    let tokenizer = tokenizer(BYTE_PAIRS).expect("a vocabulary");
    for text in ["Hello, world!", "  日本語 🦙 ünï\n\n\t", ""] {
        let ids = tokenizer
            .encode(text, Specials::AsText, Bos::Never)
            .expect("ids");
        assert_eq!(tokenizer.decode(&ids), text);
        let mut stream = Stream::new(&tokenizer);
        let mut streamed = String::new();
        for &id in &ids {
            let piece = stream.push(id);
            assert!(
                !piece.contains(char::REPLACEMENT_CHARACTER),
                "{text:?}: half a character"
            );
            streamed.push_str(&piece);
        }
        assert_eq!(streamed + &stream.finish(), text);
    }
    let ids = tokenizer
        .encode("🦙", Specials::AsText, Bos::Never)
        .expect("ids");
    let mut cut = Stream::new(&tokenizer);
    assert_eq!(cut.push(ids[0]), "");
    assert_eq!(cut.finish(), "\u{fffd}");
}

#[test]
fn a_control_token_is_text_where_asked() {
    let tokenizer = tokenizer(BYTE_PAIRS).expect("a vocabulary");
    let end = tokenizer
        .token_id("<|endoftext|>")
        .expect("in the vocabulary");
    let encode = |specials| {
        tokenizer
            .encode("a<|endoftext|>", specials, Bos::Never)
            .expect("ids")
    };
    assert_eq!(encode(Specials::Parse).last(), Some(&end));
    assert!(!encode(Specials::AsText).contains(&end));
    assert!(tokenizer.is_end(end));
    assert!(tokenizer.piece(end).is_empty());
}

#[test]
fn the_first_token_is_never_put_twice() {
    let bytes = changed(
        BYTE_PAIRS,
        &[("tokenizer.ggml.add_bos_token", OwnedValue::Bool(true))],
    );
    let tokenizer = tokenizer(&bytes).expect("a vocabulary");
    let bos = tokenizer.bos().expect("a key says so");
    let plain = tokenizer
        .encode("a", Specials::Parse, Bos::Auto)
        .expect("ids");
    let rendered = tokenizer
        .encode("<|endoftext|>a", Specials::Parse, Bos::Auto)
        .expect("ids");
    assert_eq!(plain, rendered);
    assert_eq!(plain.iter().filter(|&&id| id == bos).count(), 1);
}

#[test]
fn broken_vocabularies_are_refused_by_key() {
    let cases = [
        (
            "tokenizer.ggml.model",
            OwnedValue::Str("wordpiece".to_owned()),
            "tokenizer.ggml.model is \"wordpiece\"",
        ),
        (
            "tokenizer.ggml.pre",
            OwnedValue::Str("klingon".to_owned()),
            "tokenizer.ggml.pre is \"klingon\"",
        ),
        (
            "tokenizer.ggml.tokens",
            OwnedValue::i32s(&[1]),
            "tokenizer.ggml.tokens must be an array of strings",
        ),
        (
            "tokenizer.ggml.merges",
            OwnedValue::Array(Kind::Str, vec![]),
            "tokenizer.ggml.merges is empty",
        ),
        (
            "tokenizer.ggml.merges",
            OwnedValue::strings(["a qqqq"]),
            "entry 0, \"a qqqq\"",
        ),
        (
            "tokenizer.ggml.bos_token_id",
            OwnedValue::U32(5000),
            "tokenizer.ggml.bos_token_id is 5000",
        ),
        (
            "tokenizer.ggml.token_type",
            OwnedValue::i32s(&[1, 1]),
            "tokenizer.ggml.token_type has 2 elements",
        ),
        (
            "tokenizer.ggml.add_bos_token",
            OwnedValue::U32(1),
            "tokenizer.ggml.add_bos_token is u32",
        ),
    ];
    for (key, value, wanted) in cases {
        let error = tokenizer(&changed(BYTE_PAIRS, &[(key, value)]))
            .err()
            .expect(wanted)
            .to_string();
        assert!(error.contains(wanted), "{error:?} does not say {wanted:?}");
    }
}

fn render(source: &str, messages: &[Message]) -> Result<String, TemplateError> {
    ChatTemplate::new(source, "<s>", "</s>")?.render(messages, true)
}

#[test]
fn templates_may_use_what_real_ones_use() {
    let messages = [Message::new("user", " Hi ")];
    let cases = [
        (
            "{{ bos_token }}{{ messages[0]['content'].strip() }}{{ eos_token }}",
            "<s>Hi</s>",
        ),
        (
            "{% set ns = namespace(n=0) %}{% for m in messages %}{% set ns.n = ns.n + 1 %}{% endfor %}{{ ns.n }}",
            "1",
        ),
        ("{{ {'a': [1, 'ü']} | tojson }}", "{\"a\": [1, \"ü\"]}"),
        ("{{ [1, 2] | tojson(indent=2) }}", "[\n  1,\n  2\n]"),
        (
            "{{ 'a-b'.split('-')[1].upper() }}{{ 'x'.startswith('x') }}",
            "BTrue",
        ),
        ("{% if add_generation_prompt %}\nyes\n{% endif %}", "yes\n"),
        ("{{ strftime_now('%Y') | length }}", "4"),
        (
            "{{ messages[0].role is defined and tools is not defined }}",
            "True",
        ),
        (
            "{% for x in [1, 2, 3] %}{% if x == 2 %}{% break %}{% endif %}{{ x }}{% endfor %}",
            "1",
        ),
        ("a{%- generation %} b {%- endgeneration %}c", "a bc"),
        (
            "{%- for m in messages -%} {{ loop.first }}{{ loop.index0 }} {%- endfor -%}",
            "True0",
        ),
    ];
    for (source, wanted) in cases {
        assert_eq!(render(source, &messages).expect(source), wanted, "{source}");
    }
}

// The formats as their makers document them.
#[test]
fn formats_known_by_name_are_those_that_were_published() {
    let talk = [
        Message::new("system", "S"),
        Message::new("user", "U"),
        Message::new("assistant", "A"),
        Message::new("user", "V"),
    ];
    let cases = [
        (
            "chatml",
            "<|im_start|>system\nS<|im_end|>\n<|im_start|>user\nU<|im_end|>\n<|im_start|>assistant\nA<|im_end|>\n<|im_start|>user\nV<|im_end|>\n<|im_start|>assistant\n",
        ),
        (
            "zephyr",
            "<|system|>\nS</s>\n<|user|>\nU</s>\n<|assistant|>\nA</s>\n<|user|>\nV</s>\n<|assistant|>\n",
        ),
        (
            "llama2",
            "<s>[INST] <<SYS>>\nS\n<</SYS>>\n\nU [/INST] A </s><s>[INST] V [/INST]",
        ),
        (
            "llama3",
            "<s><|start_header_id|>system<|end_header_id|>\n\nS<|eot_id|><|start_header_id|>user<|end_header_id|>\n\nU<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\nA<|eot_id|><|start_header_id|>user<|end_header_id|>\n\nV<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n",
        ),
        (
            "gemma",
            "<s><start_of_turn>user\nS\n\nU<end_of_turn>\n<start_of_turn>model\nA<end_of_turn>\n<start_of_turn>user\nV<end_of_turn>\n<start_of_turn>model\n",
        ),
        (
            "phi3",
            "<|system|>\nS<|end|>\n<|user|>\nU<|end|>\n<|assistant|>\nA<|end|>\n<|user|>\nV<|end|>\n<|assistant|>\n",
        ),
    ];
    for (name, wanted) in cases {
        assert_eq!(render(name, &talk).expect(name), wanted, "{name}");
    }
}

#[test]
fn a_template_that_fails_says_where() {
    let error = render("line one\n{% if %}", &[])
        .expect_err("no Jinja")
        .to_string();
    assert!(
        error.starts_with("the chat template cannot be read (line 2)"),
        "{error}"
    );
    let error = render("\n{{ raise_exception('roles must alternate') }}", &[])
        .expect_err("it gives up")
        .to_string();
    assert_eq!(
        error,
        "the chat template does not render (line 2): roles must alternate"
    );
}

#[test]
fn a_template_that_refuses_the_system_role_gets_it_with_the_question() {
    let source = "{% for m in messages %}{% if m.role == 'system' %}{{ raise_exception('no system') }}{% endif %}[{{ m.content }}]{% endfor %}";
    let talk = [Message::new("system", "S"), Message::new("user", "U")];
    assert_eq!(render(source, &talk).expect("folded"), "[S\n\nU]");
}

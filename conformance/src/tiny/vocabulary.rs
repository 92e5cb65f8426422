//! A SentencePiece vocabulary that can spell everything: control tokens, bytes, letters, a few pieces.

use fidelis_engine::gguf::{Kind, OwnedValue};

/// Tokens in all.
pub(super) const TOKENS: usize = 320;

const CONTROL: [(&str, i32); 3] = [("<unk>", 2), ("<s>", 3), ("</s>", 3)];
const PAIRS: [&str; 7] = ["th", "he", "in", "er", "an", "re", "on"];

pub(super) fn metadata() -> Vec<(String, OwnedValue)> {
    let tokens: Vec<(String, i32)> = CONTROL
        .map(|(text, kind)| (text.to_owned(), kind))
        .into_iter()
        .chain((0..256).map(|byte| (format!("<0x{byte:02X}>"), 6)))
        .chain([("▁".to_owned(), 1)])
        .chain(('a'..='z').map(|letter| (letter.to_string(), 1)))
        .chain(('a'..='z').map(|letter| (format!("▁{letter}"), 1)))
        .chain(PAIRS.map(|text| (text.to_owned(), 1)))
        // llama.cpp does not open Phi 3 without it.
        .chain([("<|endoftext|>".to_owned(), 3)])
        .collect();
    assert_eq!(tokens.len(), TOKENS, "3 + 256 + 1 + 26 + 26 + 7 + 1");
    let scores: Vec<f32> = (0..TOKENS).map(|id| -(id as f32)).collect();
    let kinds: Vec<i32> = tokens.iter().map(|(_, kind)| *kind).collect();
    let texts = tokens
        .into_iter()
        .map(|(text, _)| OwnedValue::Str(text))
        .collect();
    [
        ("model", OwnedValue::Str("llama".to_owned())),
        ("pre", OwnedValue::Str("default".to_owned())),
        ("tokens", OwnedValue::Array(Kind::Str, texts)),
        ("scores", OwnedValue::f32s(&scores)),
        ("token_type", OwnedValue::i32s(&kinds)),
        ("unknown_token_id", OwnedValue::U32(0)),
        ("bos_token_id", OwnedValue::U32(1)),
        ("eos_token_id", OwnedValue::U32(2)),
        ("add_bos_token", OwnedValue::Bool(true)),
    ]
    .map(|(key, value)| (format!("tokenizer.ggml.{key}"), value))
    .into_iter()
    .collect()
}

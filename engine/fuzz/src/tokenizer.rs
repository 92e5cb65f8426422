//! Tokenizers: a vocabulary that bytes describe, and a text that it encodes.
//!
//! ```text
//! MODEL TAB PRE-TOKENIZER
//! SCORE TAB KIND TAB TOKEN          a line for each, \n for a line break
//!
//! MERGE                             a line for each
//!
//! text
//! ```

use fidelis_engine::gguf::{Gguf, Kind, OwnedValue, Writer};
use fidelis_engine::text::{Bos, Specials, Stream, Tokenizer};
use std::hint::black_box;

/// Encodes and decodes by the vocabulary that `bytes` describe.
pub fn tokenizer(bytes: &[u8]) {
    let described = String::from_utf8_lossy(bytes);
    let mut parts = described.splitn(3, "\n\n");
    let [vocabulary, merges, text] = [(); 3].map(|()| parts.next().unwrap_or_default());
    let file = file(vocabulary, merges);
    let gguf = Gguf::read(&file).expect("it was written as it should");
    let Ok(tokenizer) = Tokenizer::read(&gguf) else {
        return;
    };
    for specials in [Specials::Parse, Specials::AsText] {
        let Ok(ids) = tokenizer.encode(text, specials, Bos::Auto) else {
            continue;
        };
        let tokens = tokenizer.vocabulary_len();
        assert!(ids.iter().all(|&id| (id as usize) < tokens), "{ids:?}");
        black_box(tokenizer.decode(&ids));
        let mut stream = Stream::new(&tokenizer);
        for &id in &ids {
            black_box(stream.push(id));
        }
        black_box(stream.finish());
    }
    for id in 0..=tokenizer.vocabulary_len() as u32 {
        black_box((tokenizer.piece(id), tokenizer.is_end(id)));
    }
}

fn file(vocabulary: &str, merges: &str) -> Vec<u8> {
    let mut lines = vocabulary.lines();
    let mut head = lines.next().unwrap_or_default().split('\t');
    let (mut texts, mut scores, mut kinds) = (Vec::new(), Vec::new(), Vec::new());
    for line in lines {
        let mut cells = line.splitn(3, '\t');
        let [score, kind, text] = [(); 3].map(|()| cells.next().unwrap_or_default());
        scores.push(score.parse().unwrap_or(f32::NAN));
        kinds.push(kind.parse().unwrap_or(1));
        texts.push(OwnedValue::Str(text.replace("\\n", "\n")));
    }
    let mut writer = Writer::default();
    let mut set = |key: &str, value| {
        writer.set(&format!("tokenizer.ggml.{key}"), value);
    };
    set(
        "model",
        OwnedValue::Str(head.next().unwrap_or_default().to_owned()),
    );
    if let Some(pre) = head.next() {
        set("pre", OwnedValue::Str(pre.to_owned()));
    }
    set("tokens", OwnedValue::Array(Kind::Str, texts));
    set("scores", OwnedValue::f32s(&scores));
    set("token_type", OwnedValue::i32s(&kinds));
    set("merges", OwnedValue::strings(merges.lines()));
    let mut bytes = Vec::new();
    writer.write(&mut bytes).expect("memory takes everything");
    bytes
}

//! Writes the seeds that are no text: `cargo run --example seeds`, in this folder.

use fidelis_conformance::candidate::Candidate;
use fidelis_conformance::receipt::{
    ARITHMETIC, Digest, FORMAT, LimitsRecord, ModelDigests, Numerics, Receipt, SigningKey, Step,
    StopRecord, VERSION,
};
use fidelis_conformance::recording::{Recording, Selection};
use fidelis_conformance::tiny::{Contents, Kind, Tiny};
use fidelis_engine::backend::CacheFormat;
use fidelis_engine::gguf::{Gguf, Kind as Type, OwnedValue};
use fidelis_engine::sample::{SPECIFICATION, Settings};
use fidelis_engine::text::Message;
use fidelis_fuzz::{empty_session, reference_model};
use fidelis_simd::Format;
use std::error::Error;
use std::fs;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

/// Tokens that are left of a tiny vocabulary.
const TOKENS: usize = 12;

fn main() -> Result<(), Box<dyn Error>> {
    let seeds = Path::new(env!("CARGO_MANIFEST_DIR")).join("seeds");
    let save = |target: &str, name: &str, bytes: &[u8]| {
        let folder: PathBuf = seeds.join(target);
        fs::create_dir_all(&folder)?;
        fs::write(folder.join(name), bytes)
    };
    for kind in Kind::ALL {
        let file = short(kind)?;
        let name = format!("{kind:?}.gguf").to_lowercase();
        save("gguf", &name, &file)?;
    }
    // The kind's place times four, plus the format's; the tier's plus three times the cache's.
    for kind in 0..Kind::ALL.len() as u8 {
        let bytes = [kind * 4 + kind % 4, kind];
        save("model", &format!("kind-{kind}"), &bytes)?;
    }
    let file = short(Kind::Llama)?;
    save("receipt", "signed.json", receipt(&file)?.as_bytes())?;
    let recording = recording()?;
    save("recording", "own.safetensors", &recording.to_bytes()?)?;
    save("recording", "numpy.npz", &npz(&recording))?;
    save("session", "sampled", &saved_session()?)?;
    Ok(())
}

/// A saved session of the target's model, without its digest.
fn saved_session() -> Result<Vec<u8>, Box<dyn Error>> {
    let (mut session, digest) = empty_session();
    session.feed(&[1, 5, 7], |_, _| ControlFlow::Continue(()))?;
    let mut bytes = Vec::new();
    session.write(&mut bytes, &digest, &[Message::new("user", "hello")])?;
    bytes.truncate(bytes.len() - 32);
    Ok(bytes)
}

/// A tiny model's file, with a vocabulary as small as can be.
fn short(kind: Kind) -> Result<Vec<u8>, Box<dyn Error>> {
    let tiny = Tiny {
        layers: 1,
        width: 32,
        feed_forward: 32,
        heads: 2,
        kv_heads: 1,
        head: 16,
        format: Format::Q4_0,
        ..Tiny::small(kind)
    };
    let mut contents: Contents = tiny.contents()?;
    for tensor in &mut contents.tensors {
        if ["token_embd.weight", "output.weight"].contains(&&tensor.name[..]) {
            let row = tensor.bytes.len() / tensor.shape.rows();
            tensor.shape.0[1] = TOKENS;
            tensor.bytes.truncate(row * TOKENS);
        }
    }
    let texts = [
        "<unk>", "<s>", "</s>", "<0x41>", "a", "b", "▁", "ab", "▁a", "é", "aa", "c",
    ];
    let texts = texts.map(|text| OwnedValue::Str(text.to_owned())).to_vec();
    let template = "{% for m in messages %}{{ m.role }}: {{ m.content }}{% endfor %}";
    let kinds = [2, 3, 3, 6, 1, 1, 1, 1, 1, 1, 1, 1];
    contents
        .set("tokenizer.ggml.tokens", OwnedValue::Array(Type::Str, texts))
        .set("tokenizer.ggml.scores", OwnedValue::f32s(&[-1.0; TOKENS]))
        .set("tokenizer.ggml.token_type", OwnedValue::i32s(&kinds))
        .set(
            "tokenizer.chat_template",
            OwnedValue::Str(template.to_owned()),
        );
    Ok(contents.bytes())
}

fn receipt(file: &[u8]) -> Result<String, Box<dyn Error>> {
    let gguf = Gguf::read(file)?;
    let mut model = ModelDigests::new(&[file], &gguf);
    model.tensors.truncate(2);
    let step = |token| Step {
        token,
        logits: Digest::of(&[0]),
    };
    let receipt = Receipt {
        format: FORMAT.to_owned(),
        version: VERSION,
        engine: "0.1.0".to_owned(),
        numerics: Numerics {
            tier: "fast".to_owned(),
            cache: "f16".to_owned(),
            logits: "f32".to_owned(),
            arithmetic: ARITHMETIC.to_owned(),
            sampling: SPECIFICATION.to_owned(),
        },
        context: 64,
        model,
        prompt: vec![1, 5, 7],
        template: Some(Digest::of(b"template")),
        sampler: (&Settings::default()).into(),
        limits: LimitsRecord {
            tokens: Some(2),
            stop_strings: vec!["\n".to_owned()],
            ignore_end: false,
        },
        steps: vec![step(4), step(2)],
        stop: StopRecord::End,
    };
    Ok(receipt.to_text(Some(&SigningKey::from_bytes(&[7; 32])))?)
}

fn recording() -> Result<Recording, Box<dyn Error>> {
    let names = [
        "token_embd",
        "blk.0.attn_q*",
        "blk.0.attn_scores",
        "blk.0.attn_probs",
    ];
    let selection = Selection {
        names: names.map(str::to_owned).to_vec(),
        ..Selection::default()
    };
    let graph = &reference_model().graph;
    let run = Candidate::named("f32", CacheFormat::F32)?;
    Ok(run.record(graph, &[1, 2, 3], &[2, 1], &selection, None)?)
}

/// The recording as `numpy.savez` would write it.
fn npz(recording: &Recording) -> Vec<u8> {
    let array = |descr: &str, shape: &[usize], bytes: Vec<u8>| {
        let shape: String = shape.iter().map(|dim| format!("{dim}, ")).collect();
        let header =
            format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': ({shape}), }}\n");
        let mut out = b"\x93NUMPY\x01\0".to_vec();
        out.extend((header.len() as u16).to_le_bytes());
        out.extend(header.bytes().chain(bytes));
        out
    };
    let ids = recording
        .tokens
        .iter()
        .flat_map(|&id| i64::from(id).to_le_bytes());
    let mut members = vec![(
        "tokens",
        array("<i8", &[recording.tokens.len()], ids.collect()),
    )];
    for (name, tensor) in &recording.tensors {
        let values = tensor.values.iter().flat_map(|&x| (x as f32).to_le_bytes());
        members.push((name, array("<f4", &tensor.shape, values.collect())));
    }
    zip(&members)
}

/// A zip file of stored members, with no more than readers of arrays look at.
fn zip(members: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let (mut out, mut directory) = (Vec::new(), Vec::new());
    for (name, bytes) in members {
        let at = (out.len() as u32).to_le_bytes();
        let size = (bytes.len() as u32).to_le_bytes();
        let name = format!("{name}.npy");
        let length = (name.len() as u16).to_le_bytes();
        // Versions and flags, method 0, time and date, and a checksum that nobody looks at.
        let common = [
            &[20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0][..],
            &size,
            &size,
            &length,
        ];
        let common = [&common.concat()[..], &[0, 0]].concat();
        out.extend([b"PK\x03\x04", &common[..], name.as_bytes(), bytes].concat());
        let rest = [&[0; 10][..], &at, name.as_bytes()].concat();
        directory.extend([b"PK\x01\x02\x14\0", &common[..], &rest].concat());
    }
    let count = (members.len() as u16).to_le_bytes();
    let [at, size] = [out.len(), directory.len()].map(|n| (n as u32).to_le_bytes());
    out.extend(directory);
    out.extend(
        [
            b"PK\x05\x06\0\0\0\0",
            &count[..],
            &count,
            &size,
            &at,
            &[0, 0],
        ]
        .concat(),
    );
    out
}

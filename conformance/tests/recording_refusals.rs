//! What cannot be compared is refused by name, and every kind of wrong element is found.

use fidelis_conformance::compare::{Refusal, Verdict, accept, operations};
use fidelis_conformance::import::{self, ImportError, NpzError};
use fidelis_conformance::precision::Precision;
use fidelis_conformance::receipt::Digest;
use fidelis_conformance::recording::{Recording, RecordingError, Tensor};
use fidelis_conformance::reference::Reference;
use fidelis_engine::gguf::File;
use fidelis_engine::model::Model;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

fn here(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn llama() -> File {
    File::open(&here("oracle/llama-f32.gguf")).expect("committed")
}

fn good() -> Recording {
    Recording::load(&here("tests/data/faulty/llama.none.safetensors")).expect("committed")
}

#[test]
fn what_cannot_be_compared_is_refused_by_name() {
    let file = llama();
    let gguf = file.gguf().expect("GGUF");
    let model = Model::read(&gguf).expect("a model");
    let reference = Reference::new(&model.graph);
    let good = good();
    let refused = |change: &dyn Fn(&mut Recording), ids: Option<&[u32]>| {
        let mut changed = good.clone();
        change(&mut changed);
        let this = Digest::of(b"this");
        accept(&reference, changed, Some(this), ids).expect_err("it must be refused")
    };
    let other = Digest::of(b"another");
    let refusal = refused(&|r| r.provenance.model = Some(other), None);
    assert!(matches!(refusal, Refusal::Model { found, .. } if found == other));
    let mut ids = good.tokens.clone();
    ids[3] += 1;
    let refusal = refused(&|_| (), Some(&ids));
    assert!(
        matches!(refusal, Refusal::Ids { index: 3, .. }),
        "{refusal}"
    );
    let refusal = refused(&|_| (), Some(&good.tokens[..4]));
    assert!(
        matches!(refusal, Refusal::Ids { index: 4, .. }),
        "{refusal}"
    );
    let refusal = refused(&|r| r.tokens[2] = 320, None);
    assert!(
        matches!(
            refusal,
            Refusal::Id {
                index: 2,
                id: 320,
                ..
            }
        ),
        "{refusal}"
    );
    let put = |r: &mut Recording, name: &str, shape: &[usize]| {
        let tensor = Tensor {
            shape: shape.to_vec(),
            first: 0,
            values: vec![0.0; shape.iter().product()],
        };
        r.tensors.insert(name.to_owned(), tensor);
    };
    for (name, shape) in [
        ("blk.0.attn_q", &[9, 63][..]),
        ("blk.0.attn_q", &[64, 9]),
        ("blk.0.attn_q", &[10, 64]),
        ("blk.0.attn_probs", &[4, 9, 8]),
        ("blk.0.attn_probs", &[9, 4, 9]),
    ] {
        let refusal = refused(&|r| put(r, name, shape), None);
        assert!(
            matches!(&refusal, Refusal::Shape { name: at, .. } if at == name),
            "{refusal}"
        );
    }
    let refusal = refused(&|r| put(r, "logits", &[0, 320]), None);
    assert!(matches!(refusal, Refusal::Empty { .. }), "{refusal}");
    let strangers = |r: &mut Recording| {
        let tensor = r.tensors["logits"].clone();
        r.tensors = BTreeMap::from([("mine".to_owned(), tensor)]);
    };
    let refusal = refused(&strangers, None);
    assert!(
        matches!(refusal, Refusal::Names { count: 1, .. }),
        "{refusal}"
    );
}

#[test]
fn damaged_files_are_refused_by_name() {
    let file = llama();
    let gguf = file.gguf().expect("GGUF");
    let model = Model::read(&gguf).expect("a model");
    let reference = Reference::new(&model.graph);
    let good = good();
    let written = |recording: &Recording| recording.to_bytes().expect("a file");
    let bytes = written(&good);
    let again = Recording::from_bytes(&bytes).expect("what was written");
    assert_eq!(again, good);
    for cut in [0, 7, 100, bytes.len() / 2, bytes.len() - 1] {
        let read = import::read(&bytes[..cut], &reference, None);
        assert!(read.is_err(), "cut at {cut}");
    }
    for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        let mut wrong = good.clone();
        wrong
            .tensors
            .get_mut("blk.0.attn_q")
            .expect("recorded")
            .values[5] = bad;
        let error = Recording::from_bytes(&written(&wrong)).expect_err("not finite");
        let RecordingError::NonFinite { tensor, index, .. } = &error else {
            panic!("{error}");
        };
        assert_eq!((&tensor[..], *index), ("blk.0.attn_q", 5));
    }
    let mut steps = good.clone();
    steps.steps = vec![4, 4];
    let error = Recording::from_bytes(&written(&steps)).expect_err("too few");
    assert!(
        matches!(error, RecordingError::Steps { sum: 8, tokens: 9 }),
        "{error}"
    );
    let empty = Recording {
        tensors: BTreeMap::new(),
        ..good.clone()
    };
    let error = Recording::from_bytes(&written(&empty)).expect_err("empty");
    assert!(matches!(error, RecordingError::Empty), "{error}");
    let mut both = good.clone();
    let norm = both.tensors.remove("blk.0.attn_norm").expect("recorded");
    both.tensors.insert("attn_norm-0".to_owned(), norm.clone());
    both.tensors
        .insert("model.layers.0.input_layernorm".to_owned(), norm);
    let error = import::read(&written(&both), &reference, None).expect_err("two of one");
    assert!(
        matches!(&error, ImportError::Twice { checkpoint, .. } if checkpoint == "blk.0.attn_norm"),
        "{error}"
    );
    let read = |text: &str, ids| import::read(text.as_bytes(), &reference, ids).expect_err(text);
    let error = read("hello", None);
    assert!(
        matches!(error, ImportError::Recording(RecordingError::NoTokens)),
        "{error}"
    );
    let error = read("checkpoint,rms\nlogits,x\n", Some(&[1]));
    assert!(
        matches!(error, ImportError::Cell { line: 2, .. }),
        "{error}"
    );
    let error = read("checkpoint,rms\nnothing,1\n", Some(&[1]));
    assert!(matches!(error, ImportError::NoClaims), "{error}");
}

/// Errors put in on purpose into one operation of a right recording.
#[test]
fn every_kind_of_wrong_element_is_found() {
    type Change = fn(&mut [f64]);
    let changes: [(&str, Change); 8] = [
        ("zero", |v| v[70] = 0.0),
        ("not a number", |v| v[70] = f64::NAN),
        ("infinite", |v| v[70] = f64::NEG_INFINITY),
        ("sign flipped", |v| v[70] = -v[70]),
        ("one lane off", |v| v[64..128].rotate_left(1)),
        ("all negated", |v| v.iter_mut().for_each(|x| *x = -*x)),
        ("2 % of scale", |v| v.iter_mut().for_each(|x| *x *= 1.02)),
        ("one block", |v| v[64..96].fill(0.5)),
    ];
    let file = llama();
    let gguf = file.gguf().expect("GGUF");
    let model = Model::read(&gguf).expect("a model");
    let reference = Reference::new(&model.graph);
    let good = good();
    for (what, change) in changes {
        let mut wrong = good.clone();
        change(
            &mut wrong
                .tensors
                .get_mut("blk.1.ffn_down")
                .expect("recorded")
                .values,
        );
        let all = operations(&reference, &wrong, &Precision::of(&wrong.provenance));
        assert_eq!(Verdict::of(&all), Verdict::Diverge, "{what}");
        let first = all.iter().find(|op| op.is_wrong()).expect("one");
        assert_eq!(first.name, "blk.1.ffn_down", "{what}");
    }
    assert_eq!(Verdict::of(&[]), Verdict::Nothing);
}

/// An input that a reader once took too much of, or overflowed on.
fn once(name: &str) -> Vec<u8> {
    let seeds = here("../engine/fuzz/seeds/recording");
    std::fs::read(seeds.join(name)).expect("committed")
}

#[test]
fn files_that_claim_more_than_they_hold_are_refused() {
    let file = llama();
    let gguf = file.gguf().expect("GGUF");
    let model = Model::read(&gguf).expect("a model");
    let reference = Reference::new(&model.graph);
    // Nine members, four of which are the same bytes: together more than the file.
    let bytes = once("once-members-over-each-other.npz");
    let error = import::read(&bytes, &reference, None).expect_err("more than the file");
    assert!(
        matches!(error, ImportError::Npz(NpzError::Damaged { .. })),
        "{error}"
    );
    // Tensors of 2⁶⁵ and of 3 · (2⁶⁴ − 1) elements are no tensors.
    let bytes = once("once-countless-elements.log");
    let error = import::read(&bytes, &reference, None).expect_err("no tensors");
    assert!(matches!(error, ImportError::NoClaims), "{error}");
}

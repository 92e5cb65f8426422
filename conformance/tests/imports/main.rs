//! Recordings of engines that share nothing with this one: those without a fault agree, those with one are diagnosed
//! (`data/README.md` says what made them).

mod faulty;
mod names;
mod numbers;
mod partial;

use fidelis_conformance::candidate::Candidate;
use fidelis_conformance::claims::judge;
use fidelis_conformance::compare::{Verdict, accept, operations};
use fidelis_conformance::fault::{Diagnosis, diagnose};
use fidelis_conformance::import::{self, Imported};
use fidelis_conformance::precision::Precision;
use fidelis_conformance::recording::{Recording, Selection, Tensor};
use fidelis_conformance::reference::Reference;
use fidelis_engine::backend::{CacheFormat, Tier};
use fidelis_engine::gguf::File;
use fidelis_engine::model::Model;
use std::path::{Path, PathBuf};

pub(crate) fn here(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

pub(crate) fn open(name: &str) -> File {
    File::open(&here(&format!("oracle/{name}.gguf"))).expect("committed")
}

pub(crate) fn run(model: &Model<'_>, tokens: &[u32], tier: Tier) -> Recording {
    let candidate = Candidate::Cpu {
        tier,
        cache: CacheFormat::F32,
        level: None,
    };
    let all = Selection::default();
    candidate
        .record(&model.graph, tokens, &[tokens.len()], &all, None)
        .expect("a run")
}

pub(crate) fn recording(reference: &Reference<'_, '_>, path: &str) -> Recording {
    match import::load(&here(path), reference, None).expect("a recording") {
        Imported::Recording(recording) => recording,
        Imported::Claims(_) => panic!("{path} holds tensors"),
    }
}

/// The diagnoses of a recording, and whether it agrees.
pub(crate) fn judged(
    reference: &Reference<'_, '_>,
    recording: Recording,
) -> (Verdict, Vec<Diagnosis>) {
    let precision = Precision::of(&recording.provenance);
    let recording = accept(reference, recording, None, None)
        .expect("of this model")
        .recording;
    let all = operations(reference, &recording, &precision);
    let diagnoses = diagnose(reference, &recording, &precision, &all);
    (Verdict::of(&all), diagnoses)
}

pub(crate) fn tried(d: &Diagnosis) -> String {
    let best = &d.fits[..3.min(d.fits.len())];
    format!("{} {:?} {:?} {best:?}", d.checkpoint, d.named, d.ambiguous)
}

/// The fault that is named, or those that cannot be told apart.
pub(crate) fn said(d: &Diagnosis) -> String {
    let mut all: Vec<&str> = d.named.iter().chain(&d.ambiguous).map(|f| f.name).collect();
    all.sort_unstable();
    all.join("|")
}

/// What the exporters in `tools/exporters` write, under the engines' own names.
#[test]
fn recordings_of_the_exporters_agree() {
    for (name, engine, most) in [
        ("llama-f32", "llama_cpp", 36),
        ("qwen2-f32", "llama_cpp", 40),
        ("llama-f32", "transformers", 25),
        ("qwen2-f32", "transformers", 25),
        ("gemma3-f32", "transformers", 110),
    ] {
        let file = open(name);
        let gguf = file.gguf().expect("GGUF");
        let model = Model::read(&gguf).expect("a model");
        let reference = Reference::new(&model.graph);
        let path = format!("tests/data/exported/{name}.{engine}.safetensors");
        let recorded = recording(&reference, &path);
        let precision = Precision::of(&recorded.provenance);
        let accepted = accept(&reference, recorded, None, None).expect("of this model");
        let all = operations(&reference, &accepted.recording, &precision);
        let wrong: Vec<_> = all.iter().filter(|op| op.is_wrong()).collect();
        assert!(wrong.is_empty(), "{name} {engine}: {:?}", wrong[0]);
        let compared = all.iter().filter(|op| op.compared.is_some()).count();
        println!(
            "{name} {engine}: {compared} operations, not known: {:?}",
            accepted.ignored
        );
        assert!(compared >= most, "{name} {engine}: {compared}");
    }
}

/// What `numpy.savez` wrote of the same run.
#[test]
fn an_archive_of_numpy_is_read() {
    let file = open("llama-f32");
    let gguf = file.gguf().expect("GGUF");
    let model = Model::read(&gguf).expect("a model");
    let reference = Reference::new(&model.graph);
    let archived = recording(&reference, "tests/data/llama.none.npz");
    let stored = recording(&reference, "tests/data/faulty/llama.none.safetensors");
    assert_eq!(archived.tokens, stored.tokens);
    assert!(archived.tensors.len() >= 3);
    for (name, tensor) in &archived.tensors {
        assert_eq!(tensor.values, stored.tensors[name].values, "{name}");
    }
    let bytes = std::fs::read(here("tests/data/llama.none.npz")).expect("committed");
    for cut in [4, 40, bytes.len() / 2, bytes.len() - 1] {
        let read = import::read(&bytes[..cut], &reference, None);
        assert!(read.is_err(), "cut at {cut}");
    }
}

//! Every operation of recordings on their own inputs: independent engines' and ours, of every tier, agree.

use fidelis_conformance::compare::{Verdict, accept, operations};
use fidelis_conformance::precision::Precision;
use fidelis_conformance::recording::{Provenance, Recording, Selection, record};
use fidelis_conformance::reference::Reference;
use fidelis_conformance::tiny::{Kind, Tiny};
use fidelis_engine::backend::{CacheFormat, CpuBackend, CpuSettings, Tier};
use fidelis_engine::gguf::{File, Gguf};
use fidelis_engine::model::Model;
use fidelis_simd::Format;
use std::path::{Path, PathBuf};

fn oracle(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("oracle")
        .join(name)
}

/// Compares a recording and says the worst; panics with the first wrong operation.
fn assert_agrees(case: &str, model: &Model<'_>, recording: Recording) -> usize {
    let reference = Reference::new(&model.graph);
    let precision = Precision::of(&recording.provenance);
    let accepted = accept(&reference, recording, None, None).expect("a recording of this model");
    let all = operations(&reference, &accepted.recording, &precision);
    let mut worst = (0.0, "");
    for operation in &all {
        let Some(seen) = &operation.compared else {
            continue;
        };
        assert!(
            seen.over == 0,
            "{case}: {} (through {:?}): {seen:?}",
            operation.name,
            operation.through
        );
        if seen.ratio > worst.0 {
            worst = (seen.ratio, &operation.name);
        }
    }
    assert_eq!(Verdict::of(&all), Verdict::Agree, "{case}");
    let compared = all.iter().filter(|op| op.compared.is_some()).count();
    println!(
        "{case}: {compared} operations, the worst {:.3} of its bound at {}",
        worst.0, worst.1
    );
    compared
}

/// The recordings of `oracle/README.md`, which other engines made.
#[test]
fn recordings_of_independent_engines_agree_at_every_operation() {
    for name in [
        "llama-f32",
        "llama3-f32",
        "gemma2-f32",
        "gemma3-f32",
        "qwen2-f32",
        "qwen3-f32",
        "llama-q4_k_m",
        "gemma3-q4_k_m",
    ] {
        let file = File::open(&oracle(&format!("{name}.gguf"))).expect("committed");
        let model = Model::read(&file.gguf().expect("GGUF")).expect("a model");
        for (kind, engine, tier) in [
            ("ref", "llama.cpp", "f32"),
            ("f64", "transformers", "f64"),
            ("exact", "numpy", "f64"),
        ] {
            let path = oracle(&format!("{name}.{kind}.safetensors"));
            if !path.exists() {
                assert_eq!(kind, "exact", "{name}.{kind} is committed");
                continue;
            }
            let mut recording = Recording::load(&path).expect("a recording");
            recording.provenance = Provenance {
                engine: engine.to_owned(),
                tier: tier.to_owned(),
                stored: if kind == "exact" { "f32" } else { "" }.to_owned(),
                ..Provenance::default()
            };
            if model.config.architecture == "gemma2" {
                // Transformers caps its scores before it shows them.
                recording
                    .tensors
                    .retain(|name, _| kind == "ref" || !name.ends_with("attn_scores"));
            }
            let compared = assert_agrees(&format!("{name}.{kind}"), &model, recording);
            assert!(
                compared >= 8 * model.config.layers,
                "{name}.{kind}: {compared}"
            );
        }
    }
}

/// Our own runs, with a prompt in one call or cut up.
#[test]
fn every_tier_kind_and_format_agrees_at_every_operation() {
    let formats = [
        Format::F32,
        Format::F16,
        Format::BF16,
        Format::Q4_0,
        Format::Q5_0,
        Format::Q8_0,
        Format::Q4_K,
        Format::Q6_K,
    ];
    let described = (Kind::ALL.into_iter().map(|kind| (kind, Format::Q4_K)))
        .chain(formats.into_iter().map(|format| (Kind::Llama, format)))
        .chain(formats.into_iter().map(|format| (Kind::Gemma3, format)));
    for (kind, format) in described {
        let tiny = Tiny {
            layers: 2,
            ..Tiny::blocks(kind, format)
        };
        let bytes = tiny.bytes().expect("encoded");
        let gguf = Gguf::read(&bytes).expect("GGUF");
        let model = Model::read(&gguf).expect("a model");
        let tokens: Vec<u32> = (0..14).map(|i| (i * 7919 + 13) % 320).collect();
        for (tier, name, cache, cache_name) in [
            (Tier::Audit, "audit", CacheFormat::F32, "f64"),
            (Tier::F32, "f32", CacheFormat::F32, "f32"),
            (Tier::F32, "f32", CacheFormat::F16, "f16"),
            (Tier::F32, "f32", CacheFormat::Q8_0, "q8_0"),
            (Tier::Fast, "fast", CacheFormat::F16, "f16"),
        ] {
            let settings = CpuSettings {
                tier,
                cache,
                threads: 1,
                ..CpuSettings::new(64).expect("a level")
            };
            let mut backend = CpuBackend::new(&model.graph, &settings).expect("a back end");
            let provenance = Provenance {
                engine: "fidelis".to_owned(),
                tier: name.to_owned(),
                cache: cache_name.to_owned(),
                ..Provenance::default()
            };
            let recording = record(
                &mut backend,
                &tokens,
                &[10, 1, 3],
                &Selection::default(),
                provenance,
            )
            .expect("a run");
            let compared = assert_agrees(
                &format!("{kind:?} {format} {name} {cache_name}"),
                &model,
                recording,
            );
            assert_eq!(compared, Reference::new(&model.graph).nodes.len());
        }
    }
}

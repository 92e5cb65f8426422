//! Logits of tiny models against a table of their digests: the same bits on every level and machine.
//!
//! `tests/data/digests.tsv` has one line per model and tier. A digest is BLAKE3 of the little-endian bits
//! of all logits (`f64` in `audit`) of 140 ids: longer than a chunk of attention, and than the windows
//! of the Gemma models. The table is compared with every level that this machine has.
//!
//! A change of arithmetic changes digests: then the table is written anew with
//! `FIDELIS_WRITE_DIGESTS=1`, and the name of the arithmetic in receipts must change too.

use fidelis_conformance::tiny::{Kind, Tiny};
use fidelis_engine::backend::{CacheFormat, CpuBackend, CpuSettings, Logits, Step, Tier};
use fidelis_engine::gguf::Gguf;
use fidelis_engine::model::Model;
use fidelis_simd::{Format, Level};
use std::path::{Path, PathBuf};

/// Those that have an encoder, but `Q4_K`, which every kind has.
const FORMATS: [Format; 10] = [
    Format::F32,
    Format::F16,
    Format::BF16,
    Format::Q4_0,
    Format::Q4_1,
    Format::Q5_0,
    Format::Q5_1,
    Format::Q8_0,
    Format::Q5_K,
    Format::Q6_K,
];

const TIERS: [(Tier, &str); 3] = [
    (Tier::Fast, "fast"),
    (Tier::F32, "f32"),
    (Tier::Audit, "audit"),
];

fn table() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/digests.tsv")
}

/// Every kind in three formats, every format in one kind; small, since emulators read them too.
fn models() -> Vec<(String, Vec<u8>)> {
    let mut described = Vec::new();
    for kind in Kind::ALL {
        for format in [Format::F32, Format::Q8_0] {
            described.push(Tiny {
                format,
                ..Tiny::small(kind)
            });
        }
        described.push(Tiny {
            layers: 1,
            feed_forward: 256,
            ..Tiny::blocks(kind, Format::Q4_K)
        });
    }
    for format in FORMATS {
        described.push(Tiny {
            layers: 1,
            feed_forward: 256,
            ..Tiny::blocks(Kind::Llama, format)
        });
    }
    let encoded = described.into_iter().map(|tiny| {
        let bytes = tiny.bytes().expect("encoded");
        let Tiny {
            kind,
            format,
            layers,
            width,
            ..
        } = tiny;
        (format!("{kind:?}\t{layers} x {width}\t{format}"), bytes)
    });
    encoded.collect()
}

fn digest(model: &Model<'_>, tier: Tier, level: Level, vocabulary: usize) -> String {
    let settings = CpuSettings {
        tier,
        level,
        threads: if cfg!(target_family = "wasm") { 1 } else { 2 },
        batch: 64,
        cache: CacheFormat::F16,
        ..CpuSettings::new(256).expect("a level")
    };
    let mut backend = CpuBackend::new(&model.graph, &settings).expect("a back end");
    let tokens: Vec<u32> = (0..140)
        .map(|i| ((i * 7919 + 13) % vocabulary) as u32)
        .collect();
    let mut hasher = blake3::Hasher::new();
    for part in [&tokens[..133], &tokens[133..]] {
        let step = Step {
            tokens: part,
            position: backend.position(),
            logits: Logits::All,
        };
        let logits = backend.forward(&step).expect("a forward pass").to_vec();
        match backend.exact_logits() {
            Some(exact) => exact.iter().for_each(|x| {
                hasher.update(&x.to_le_bytes());
            }),
            None => logits.iter().for_each(|x| {
                hasher.update(&x.to_le_bytes());
            }),
        }
    }
    hasher.finalize().to_hex()[..32].to_owned()
}

#[test]
fn every_level_gives_the_digests_of_the_table() {
    let write = std::env::var_os("FIDELIS_WRITE_DIGESTS").is_some();
    let published = std::fs::read_to_string(table()).unwrap_or_default();
    let mut found = String::from("kind\tlayers x width\tformat\ttier\tdigest\n");
    let levels = Level::available();
    let mut wrong = Vec::new();
    for (name, bytes) in models() {
        let gguf = Gguf::read(&bytes).expect("a GGUF file");
        let model = Model::read(&gguf).expect("a model");
        for (tier, tier_name) in TIERS {
            let of = |level| digest(&model, tier, level, model.config.vocabulary);
            let scalar = of(levels[0]);
            let line = format!("{name}\t{tier_name}\t{scalar}\n");
            if !write && !published.contains(&line) {
                wrong.push(format!("scalar gives {line}"));
            }
            found.push_str(&line);
            for &level in &levels[1..] {
                let other = of(level);
                if other != scalar {
                    wrong.push(format!(
                        "{} gives {name}\t{tier_name}\t{other}, not {scalar}\n",
                        level.name()
                    ));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.concat());
    if write {
        std::fs::write(table(), &found).expect("the table can be written");
    }
    let lines = found.lines().count();
    assert_eq!(
        std::fs::read_to_string(table()).expect("the table is committed"),
        found,
        "the table has other lines than the test"
    );
    let names: Vec<&str> = levels.iter().map(|level| level.name()).collect();
    println!("{} digests agree on {}", lines - 1, names.join(", "));
}

//! Logits of tiny models against a table of their digests: the same bits on every level and machine.
//!
//! `tests/data/digests.tsv` has one line per model and tier. A digest is BLAKE3 of the little-endian bits
//! of all logits (`f64` in `audit`) of 140 ids: longer than a chunk of attention, and than the windows
//! of the Gemma models. The table is compared with every level that this machine has, or with those
//! that `FIDELIS_DIGEST_LEVELS` names: an emulator is slow, and passes over the formats that an architecture
//! shares with others.
//!
//! A change of arithmetic changes digests: then the table is written anew with
//! `FIDELIS_WRITE_DIGESTS=1`, and the name of the arithmetic in receipts must change too.

use fidelis_conformance::bound::Weights;
use fidelis_conformance::receipt::ARITHMETIC;
use fidelis_conformance::tiny::{Contents, Kind, Tiny};
use fidelis_engine::backend::{CacheFormat, CpuBackend, CpuSettings, Logits, Step, Tier};
use fidelis_engine::gguf::Gguf;
use fidelis_engine::model::Model;
use fidelis_simd::encode::is_supported as has_encoder;
use fidelis_simd::{Format, Level};
use rand_core::Rng;
use rand_pcg::Pcg64Mcg;
use std::path::{Path, PathBuf};

/// The main formats, in which every kind is there; those of real Q4_K_M, Q5_K_M and Q8_0 files among them.
const MAIN: [Format; 6] = [
    Format::F16,
    Format::Q4_0,
    Format::Q5_0,
    Format::Q4_K,
    Format::Q5_K,
    Format::Q6_K,
];

/// All that have an encoder, in which one kind is there, but for [`MAIN`].
const FORMATS: [Format; 5] = [
    Format::F32,
    Format::BF16,
    Format::Q4_1,
    Format::Q5_1,
    Format::Q8_0,
];

const TIERS: [(Tier, &str); 3] = [
    (Tier::Fast, "fast"),
    (Tier::F32, "f32"),
    (Tier::Audit, "audit"),
];

/// The table as committed.
const TABLE: &str = include_str!("data/digests.tsv");

fn table() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/digests.tsv")
}

/// Every kind in eight formats, every format in one kind, those without an encoder as random blocks; small, since emulators read them too.
fn models(emulated: bool) -> Vec<(String, Vec<u8>)> {
    let mut described = Vec::new();
    for kind in Kind::ALL {
        for format in [Format::F32, Format::Q8_0] {
            described.push(Tiny {
                format,
                ..Tiny::small(kind)
            });
        }
        let read = |format| !emulated || kind == Kind::Llama || format == Format::Q4_K;
        for format in MAIN.into_iter().filter(|&format| read(format)) {
            described.push(Tiny {
                layers: 1,
                feed_forward: 256,
                ..Tiny::blocks(kind, format)
            });
        }
    }
    for format in FORMATS {
        described.push(Tiny {
            layers: 1,
            feed_forward: 256,
            ..Tiny::blocks(Kind::Llama, format)
        });
    }
    let name = |tiny: &Tiny, format: Format| {
        let Tiny {
            kind,
            layers,
            width,
            ..
        } = tiny;
        format!("{kind:?}\t{layers} x {width}\t{format}")
    };
    let mut models: Vec<(String, Vec<u8>)> = described
        .into_iter()
        .map(|tiny| (name(&tiny, tiny.format), tiny.bytes().expect("encoded")))
        .collect();
    let tiny = Tiny {
        layers: 1,
        feed_forward: 256,
        ..Tiny::blocks(Kind::Llama, Format::F32)
    };
    for &format in Format::ALL.iter().filter(|&&format| !has_encoder(format)) {
        let mut contents = tiny.contents().expect("F32 is encoded");
        fill_with_blocks(&mut contents, format);
        models.push((name(&tiny, format), contents.bytes()));
    }
    models
}

/// Replaces every matrix by random blocks of moderate weights: for formats that have no encoder.
fn fill_with_blocks(contents: &mut Contents, format: Format) {
    let mut random = Pcg64Mcg::new(11 << 1 | 1);
    let matrices = contents.tensors.iter_mut();
    for tensor in matrices.filter(|tensor| tensor.shape.rows() > 1) {
        let row = format.bytes_of(tensor.shape.width()).expect("whole blocks");
        let mut bytes = vec![0; row * tensor.shape.rows()];
        for block in bytes.chunks_exact_mut(format.block_bytes()) {
            loop {
                random.fill_bytes(block);
                let weights = Weights::decode(format, block, format.block_len());
                if weights.values.iter().all(|w| w.abs() < 1.0) {
                    break;
                }
            }
        }
        tensor.format = format;
        tensor.bytes = bytes;
    }
}

/// The levels to compare.
fn levels() -> Vec<Level> {
    match std::env::var("FIDELIS_DIGEST_LEVELS") {
        Ok(names) => names
            .split(',')
            .map(|name| Level::named(name).expect("a level of this machine"))
            .collect(),
        Err(_) => Level::available(),
    }
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
    let published = TABLE;
    let mut found = format!("# {ARITHMETIC}\n");
    found.push_str("kind\tlayers x width\tformat\ttier\tdigest\n");
    let levels = levels();
    let mut wrong = Vec::new();
    let emulated = !write && std::env::var_os("FIDELIS_DIGEST_LEVELS").is_some();
    for (name, bytes) in models(emulated) {
        let gguf = Gguf::read(&bytes).expect("a GGUF file");
        let model = Model::read(&gguf).expect("a model");
        for (tier, tier_name) in TIERS {
            let of = |level| digest(&model, tier, level, model.config.vocabulary);
            let first = of(levels[0]);
            let line = format!("{name}\t{tier_name}\t{first}\n");
            if !write && !published.contains(&line) {
                wrong.push(format!("{} gives {line}", levels[0].name()));
            }
            found.push_str(&line);
            for &level in &levels[1..] {
                let other = of(level);
                if other != first {
                    wrong.push(format!(
                        "{} gives {name}\t{tier_name}\t{other}, not {first}\n",
                        level.name()
                    ));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.concat());
    let known: Vec<&str> = published.lines().skip(2).collect();
    if write && published.contains(ARITHMETIC) {
        // Lines may come and go; the digest of a model that stays is the arithmetic's.
        for line in found.lines().skip(2) {
            let (model, _) = line.rsplit_once('\t').expect("a digest");
            let changed = known
                .iter()
                .any(|old| old.starts_with(model) && *old != line);
            assert!(
                !changed,
                "{line} has changed: the arithmetic needs another name"
            );
        }
    }
    if write {
        std::fs::write(table(), &found).expect("the table can be written");
    }
    let lines = found.lines().count();
    assert!(
        write || emulated || found == published,
        "the table has other lines than the test"
    );
    let names: Vec<&str> = levels.iter().map(|level| level.name()).collect();
    println!("{} digests agree on {}", lines - 2, names.join(", "));
}

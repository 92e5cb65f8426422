//! A forward pass of a tiny model in whose file bytes were changed.
//!
//! ```text
//! kind  tier  (place u16, byte u8, count u8)*
//! ```
//!
//! A change fills up to eight bytes of the file, so that few of them change a number as a whole.

use fidelis_conformance::tiny::{Kind, Tiny};
use fidelis_engine::backend::{CacheFormat, CpuBackend, CpuSettings, Logits, Step, Tier};
use fidelis_engine::gguf::Gguf;
use fidelis_engine::model::Model;
use fidelis_simd::{Format, Level};
use std::sync::LazyLock;

const FORMATS: [Format; 4] = [Format::F32, Format::F16, Format::Q8_0, Format::Q4_0];
const TIERS: [Tier; 3] = [Tier::Fast, Tier::F32, Tier::Audit];
const CACHES: [CacheFormat; 3] = [CacheFormat::F16, CacheFormat::F32, CacheFormat::Q8_0];

/// The files, kind by kind, in every format.
static FILES: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
    let pairs = Kind::ALL
        .into_iter()
        .flat_map(|kind| FORMATS.map(|format| (kind, format)));
    pairs.map(|(kind, format)| file(kind, format)).collect()
});

fn file(kind: Kind, format: Format) -> Vec<u8> {
    let tiny = Tiny {
        layers: 1,
        width: 32,
        feed_forward: 32,
        heads: 2,
        kv_heads: 1,
        head: 32,
        context: 64,
        format,
        ..Tiny::small(kind)
    };
    tiny.bytes().expect("whole blocks")
}

/// Runs the model that `bytes` describe.
pub fn model(bytes: &[u8]) {
    let [kind, how, changes @ ..] = bytes else {
        return;
    };
    let mut file = FILES[usize::from(*kind) % FILES.len()].clone();
    for &[low, high, byte, count] in changes.as_chunks().0 {
        let at = usize::from(u16::from_le_bytes([low, high])) % file.len();
        let end = file.len().min(at + 1 + usize::from(count % 8));
        file[at..end].fill(byte);
    }
    let how = usize::from(*how);
    run(&file, TIERS[how % 3], CACHES[how / 3 % 3]);
}

fn run(file: &[u8], tier: Tier, cache: CacheFormat) {
    let Ok(gguf) = Gguf::read(file) else {
        return;
    };
    let Ok(model) = Model::read(&gguf) else {
        return;
    };
    let settings = CpuSettings {
        threads: 1,
        context: 8,
        tier,
        cache,
        batch: 2,
        level: Level::named("scalar").expect("always there"),
    };
    let Ok(mut backend) = CpuBackend::new(&model.graph, &settings) else {
        return;
    };
    let step = |tokens, position| Step {
        tokens,
        position,
        logits: Logits::Last,
    };
    // Two of a batch, then one.
    for step in [step(&[0, 1], 0), step(&[1], 2)] {
        let Ok(logits) = backend.forward(&step) else {
            return;
        };
        assert!(
            logits.iter().all(|logit| logit.is_finite()),
            "logits that are not finite must be an error"
        );
    }
}

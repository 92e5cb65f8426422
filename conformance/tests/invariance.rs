//! Models of every kind and of the main weight formats, in every tier: however the work is done, on however
//! many threads and beside whatever load, the logits are the same bits. The ids are more than a
//! chunk of attention, the windows and a block of keys.

use fidelis_conformance::tiny::{Kind, Tiny};
use fidelis_engine::backend::{CpuBackend, CpuSettings, Logits, Step, Tier};
use fidelis_engine::gguf::Gguf;
use fidelis_engine::model::Model;
use fidelis_simd::Format;
use std::sync::atomic::{AtomicBool, Ordering};

const TIERS: [Tier; 3] = [Tier::Fast, Tier::F32, Tier::Audit];

fn described() -> Vec<(Kind, Format)> {
    let kinds = Kind::ALL.map(|kind| (kind, Format::Q4_K));
    let formats = [
        Format::F32,
        Format::F16,
        Format::BF16,
        Format::Q4_0,
        Format::Q5_0,
        Format::Q8_0,
        Format::Q5_K,
        Format::Q6_K,
    ];
    kinds
        .into_iter()
        .chain(formats.map(|format| (Kind::Llama, format)))
        .collect()
}

fn ids(model: &Model<'_>) -> Vec<u32> {
    (0..150)
        .map(|i| ((i * 7919 + 13) % model.config.vocabulary) as u32)
        .collect()
}

/// How the work is done.
#[derive(Clone, Copy, Debug)]
struct Way {
    threads: usize,
    batch: usize,
    split: usize,
}

fn backend<'a>(model: &Model<'a>, tier: Tier, way: Way) -> CpuBackend<'a> {
    let settings = CpuSettings {
        tier,
        threads: way.threads,
        batch: way.batch,
        ..CpuSettings::new(256).expect("a level")
    };
    CpuBackend::new(&model.graph, &settings).expect("a back end")
}

/// The bits of the logits of every id.
fn read(backend: &mut CpuBackend<'_>, ids: &[u32], split: usize) -> Vec<u64> {
    let mut bits = Vec::new();
    for part in ids.chunks(split) {
        let step = Step {
            tokens: part,
            position: backend.position(),
            logits: Logits::All,
        };
        let logits = backend.forward(&step).expect("a forward pass");
        let single: Vec<u64> = logits.iter().map(|x| x.to_bits().into()).collect();
        bits.extend(match backend.exact_logits() {
            Some(exact) => exact.iter().map(|x| x.to_bits()).collect(),
            None => single,
        });
    }
    bits
}

const WAYS: [Way; 9] = [
    Way {
        threads: 1,
        batch: 512,
        split: 150,
    },
    Way {
        threads: 2,
        batch: 512,
        split: 150,
    },
    Way {
        threads: 3,
        batch: 7,
        split: 150,
    },
    Way {
        threads: 5,
        batch: 31,
        split: 101,
    },
    Way {
        threads: 16,
        batch: 33,
        split: 150,
    },
    Way {
        threads: 1,
        batch: 2,
        split: 150,
    },
    Way {
        threads: 2,
        batch: 32,
        split: 3,
    },
    Way {
        threads: 2,
        batch: 64,
        split: 129,
    },
    Way {
        threads: 2,
        batch: 1,
        split: 1,
    },
];

const ONE_BY_ONE: Way = Way {
    threads: 1,
    batch: 1,
    split: 1,
};

#[test]
fn every_way_of_working_gives_the_same_bits() {
    for (kind, format) in described() {
        let bytes = Tiny::blocks(kind, format).bytes().expect("encoded");
        let gguf = Gguf::read(&bytes).expect("a GGUF file");
        let model = Model::read(&gguf).expect("a model");
        let ids = ids(&model);
        for tier in TIERS {
            let expected = read(&mut backend(&model, tier, ONE_BY_ONE), &ids, 1);
            for way in WAYS {
                let mut backend = backend(&model, tier, way);
                let case = format!("{kind:?} {format} {tier:?} {way:?}");
                assert!(read(&mut backend, &ids, way.split) == expected, "{case}");
            }
            let mut again = backend(&model, tier, WAYS[1]);
            for _ in 0..2 {
                again.reset();
                let case = format!("{kind:?} {format} {tier:?}, the same back end again");
                assert!(read(&mut again, &ids, 150) == expected, "{case}");
            }
        }
    }
}

/// Steps that want all logits are read in small batches; those that want the last are not.
#[test]
fn large_batches_give_the_bits_of_one_by_one() {
    for (kind, format) in [
        (Kind::Llama, Format::Q4_K),
        (Kind::Gemma3, Format::Q8_0),
        (Kind::Phi3, Format::Q6_K),
    ] {
        let tiny = Tiny {
            layers: 2,
            ..Tiny::blocks(kind, format)
        };
        let bytes = tiny.bytes().expect("encoded");
        let gguf = Gguf::read(&bytes).expect("a GGUF file");
        let model = Model::read(&gguf).expect("a model");
        let ids: Vec<u32> = (0..700)
            .map(|i| ((i * 7919 + 13) % model.config.vocabulary) as u32)
            .collect();
        // Logits at the end of each part, read as whole steps or id by id.
        let parts = [0..513, 513..620, 620..700];
        for tier in TIERS {
            let settings = |threads, batch| CpuSettings {
                tier,
                threads,
                batch,
                ..CpuSettings::new(1024).expect("a level")
            };
            let last = |backend: &mut CpuBackend<'_>, tokens: &[u32], logits| {
                let step = Step {
                    tokens,
                    position: backend.position(),
                    logits,
                };
                let found = backend.forward(&step).expect("a forward pass").to_vec();
                match backend.exact_logits() {
                    Some(exact) => exact.iter().map(|x| x.to_bits()).collect(),
                    None => found
                        .iter()
                        .map(|x| x.to_bits().into())
                        .collect::<Vec<u64>>(),
                }
            };
            let mut one = CpuBackend::new(&model.graph, &settings(1, 1)).expect("a back end");
            let expected = parts.clone().map(|part| {
                for id in part.start..part.end - 1 {
                    last(&mut one, &ids[id..=id], Logits::None);
                }
                last(&mut one, &ids[part.end - 1..part.end], Logits::Last)
            });
            for (threads, batch) in [(1, 512), (2, 512), (2, 300), (3, 129), (2, 65)] {
                let settings = settings(threads, batch);
                let mut backend = CpuBackend::new(&model.graph, &settings).expect("a back end");
                for (part, expected) in parts.clone().into_iter().zip(&expected) {
                    let case = format!("{kind:?} {format} {tier:?} {threads} {batch} {part:?}");
                    let found = last(&mut backend, &ids[part], Logits::Last);
                    assert!(!found.is_empty() && found == *expected, "{case}");
                }
            }
        }
    }
}

#[test]
fn more_threads_than_cores_beside_a_load_give_the_same_bits() {
    let bytes = Tiny::blocks(Kind::Gemma3, Format::Q4_K)
        .bytes()
        .expect("encoded");
    let gguf = Gguf::read(&bytes).expect("a GGUF file");
    let model = Model::read(&gguf).expect("a model");
    let ids = ids(&model);
    let expected = TIERS.map(|tier| read(&mut backend(&model, tier, ONE_BY_ONE), &ids, 1));
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let done = AtomicBool::new(false);
    /// Ends the load, also if the test fails.
    struct Done<'d>(&'d AtomicBool);
    impl Drop for Done<'_> {
        fn drop(&mut self) {
            self.0.store(true, Ordering::Relaxed);
        }
    }
    std::thread::scope(|scope| {
        let _load = Done(&done);
        for _ in 0..cores {
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    std::hint::spin_loop();
                }
            });
        }
        let way = Way {
            threads: 2 * cores,
            batch: 64,
            split: 140,
        };
        for (tier, expected) in TIERS.into_iter().zip(&expected) {
            let found = read(&mut backend(&model, tier, way), &ids, way.split);
            assert!(found == *expected, "{tier:?}");
        }
    });
}

//! Models on a device behind a plug-in, end to end: the reference plug-in computes in plain 32-bit loops, so what
//! differs from `audit` by more than rounding is the engine's translation, its splits or its bookkeeping.

#![cfg(any(unix, windows))]

use fidelis_conformance::metric::largest_error;
use fidelis_conformance::tiny::{Kind, Tiny};
use fidelis_engine::backend::offload::{GpuLayers, OffloadBackend, OffloadSettings, Plugin};
use fidelis_engine::backend::{
    Backend, CacheFormat, CpuBackend, CpuSettings, Greedy, Logits, Observer, Step, Tier,
};
use fidelis_engine::gguf::Gguf;
use fidelis_engine::model::Model;
use fidelis_offload_reference::Fault;
use fidelis_simd::Format;
use std::collections::BTreeMap;

/// Longer than the windows of 8, and than a chunk of logits.
const IDS: usize = 70;

fn plugin() -> Plugin {
    Plugin::open(&fidelis_offload_reference::path().expect("a path")).expect("the plug-in")
}

fn settings(layers: GpuLayers) -> OffloadSettings {
    OffloadSettings {
        device: Fault::None.index(),
        layers,
        tier: None,
        observe: false,
        cpu: CpuSettings {
            threads: 1,
            tier: Tier::F32,
            cache: CacheFormat::F32,
            ..CpuSettings::new(96).expect("a level")
        },
    }
}

fn backend<'a>(model: &Model<'a>, settings: &OffloadSettings) -> OffloadBackend<'a> {
    OffloadBackend::new(&model.graph, &plugin(), settings, |_, _| {}).expect("a back end")
}

fn ids(model: &Model<'_>, count: usize) -> Vec<u32> {
    let id = |i| ((i * 7919 + 13) % model.config.vocabulary) as u32;
    (0..count).map(id).collect()
}

/// What was shown, batch after batch: rows and values.
#[derive(Default)]
struct Recorder(BTreeMap<String, (usize, Vec<f64>)>);

impl Observer for Recorder {
    fn wants(&self, name: &str) -> bool {
        !name.ends_with("attn_scores") && !name.ends_with("attn_probs")
    }

    fn saw(&mut self, name: &str, shape: &[usize], values: &[f64]) {
        assert_eq!(shape.iter().product::<usize>(), values.len(), "{name}");
        let (rows, seen) = self.0.entry(name.to_owned()).or_default();
        *rows += shape[0];
        seen.extend(values);
    }
}

/// Every checkpoint of `audit`.
fn truth(model: &Model<'_>, ids: &[u32]) -> Recorder {
    let settings = CpuSettings {
        tier: Tier::Audit,
        ..settings(GpuLayers::All).cpu
    };
    let mut backend = CpuBackend::new(&model.graph, &settings).expect("a back end");
    let mut recorder = Recorder::default();
    let step = Step {
        tokens: ids,
        position: 0,
        logits: Logits::All,
    };
    backend
        .forward_observed(&step, &mut recorder)
        .expect("a forward pass");
    recorder
}

/// Rounding to 32-bit floats moves a tiny model's values by some 1e-6 of the largest; a wrong operation by far more.
const BOUND: f64 = 1e-5;

fn assert_near(what: &str, truth: &[f64], found: &[f64]) {
    let largest = truth.iter().fold(0.0_f64, |most, x| most.max(x.abs()));
    let error = largest_error(truth, found).unwrap_or_else(|error| panic!("{what}: {error}"));
    assert!(error <= BOUND * largest, "{what}: {error:e} of {largest}");
}

fn wide(values: &[f32]) -> Vec<f64> {
    values.iter().map(|&x| x.into()).collect()
}

fn with_model(tiny: &Tiny, check: impl FnOnce(&Model<'_>)) {
    let bytes = tiny.bytes().expect("encoded");
    let gguf = Gguf::read(&bytes).expect("a GGUF file");
    check(&Model::read(&gguf).expect("a model"));
}

#[test]
fn every_checkpoint_of_every_kind_agrees_wherever_the_layers_are_split() {
    for kind in Kind::ALL {
        with_model(&Tiny::small(kind), |model| {
            let ids = ids(model, IDS);
            let truth = truth(model, &ids);
            let layers = model.graph.caches.len();
            let splits = (1..=layers + 1).map(GpuLayers::Last);
            for split in splits.chain([GpuLayers::All]) {
                let settings = OffloadSettings {
                    observe: true,
                    ..settings(split)
                };
                let mut backend = backend(model, &settings);
                let mut recorder = Recorder::default();
                let step = Step {
                    tokens: &ids,
                    position: 0,
                    logits: Logits::All,
                };
                let logits = backend
                    .forward_observed(&step, &mut recorder)
                    .expect("a forward pass");
                let found = wide(logits);
                assert_near(&format!("{kind:?} {split:?}"), &truth.0["logits"].1, &found);
                let names = |recorder: &Recorder| recorder.0.keys().cloned().collect::<Vec<_>>();
                assert_eq!(names(&truth), names(&recorder), "{kind:?} {split:?}");
                for (name, (rows, values)) in &recorder.0 {
                    let what = format!("{kind:?} {split:?} {name}");
                    assert_eq!(*rows, ids.len(), "{what}");
                    assert_near(&what, &truth.0[name].1, values);
                }
            }
        });
    }
}

#[test]
fn weights_go_over_in_their_own_bytes() {
    for format in [
        Format::F32,
        Format::F16,
        Format::BF16,
        Format::Q4_0,
        Format::Q8_0,
        Format::Q4_K,
        Format::Q6_K,
    ] {
        with_model(&Tiny::blocks(Kind::Llama, format), |model| {
            let ids = ids(model, 20);
            let truth = truth(model, &ids);
            let mut backend = backend(model, &settings(GpuLayers::All));
            let step = Step {
                tokens: &ids,
                position: 0,
                logits: Logits::All,
            };
            let logits = wide(backend.forward(&step).expect("a forward pass"));
            assert_near(&format!("{format}"), &truth.0["logits"].1, &logits);
        });
    }
}

#[test]
fn steps_and_batches_of_any_size_give_the_same_logits() {
    with_model(&Tiny::small(Kind::Gemma2), |model| {
        let ids = ids(model, IDS);
        let mut all = None;
        for (split, batch) in [(70, 512), (70, 70), (70, 7), (70, 1), (13, 5), (1, 4)] {
            for layers in [GpuLayers::All, GpuLayers::Last(1)] {
                let mut settings = settings(layers);
                settings.cpu.batch = batch;
                let mut backend = backend(model, &settings);
                let (mut logits, mut last) = (Vec::new(), Vec::new());
                for part in ids.chunks(split) {
                    let step = Step {
                        tokens: part,
                        position: backend.position(),
                        logits: Logits::All,
                    };
                    logits.extend(wide(backend.forward(&step).expect("a forward pass")));
                }
                assert_eq!(backend.position(), IDS);
                backend.reset();
                for part in ids.chunks(split) {
                    let position = backend.position();
                    let is_last = position + part.len() == IDS;
                    let step = Step {
                        tokens: part,
                        position,
                        logits: if is_last { Logits::Last } else { Logits::None },
                    };
                    last = wide(backend.forward(&step).expect("a forward pass"));
                    assert_eq!(last.is_empty(), !is_last);
                }
                let what = format!("{split} {batch} {layers:?}");
                assert_near(&what, &logits[logits.len() - last.len()..], &last);
                let all = all.get_or_insert_with(|| logits.clone());
                assert_near(&what, all, &logits);
            }
        }
    });
}

#[test]
fn going_back_forgets_what_was_read_after() {
    for (fault, kind) in [
        (Fault::None, Kind::Llama),
        (Fault::None, Kind::Gemma3),
        (Fault::Sliding, Kind::Gemma3),
    ] {
        with_model(&Tiny::small(kind), |model| {
            let ids = ids(model, 40);
            let truth = truth(model, &ids);
            let width = truth.0["logits"].1.len() / ids.len();
            let settings = OffloadSettings {
                device: fault.index(),
                ..settings(GpuLayers::All)
            };
            let mut backend = backend(model, &settings);
            let read = |backend: &mut OffloadBackend<'_>, tokens: &[u32]| {
                let step = Step {
                    tokens,
                    position: backend.position(),
                    logits: Logits::Last,
                };
                wide(backend.forward(&step).expect("a forward pass"))
            };
            let _ = read(&mut backend, &ids[..20]);
            let wrong: Vec<u32> = ids[20..].iter().map(|id| id ^ 1).collect();
            let _ = read(&mut backend, &wrong);
            assert!(!backend.rewind(41));
            // A window of 8 with 3 to spare holds what position 36 sees after 40.
            let far = backend.rewind(20);
            assert_eq!(far, fault == Fault::None, "{fault:?}");
            if !far {
                assert_eq!(backend.position(), 40);
                assert!(!backend.rewind(35));
                assert!(backend.rewind(36));
                // To have gone back does not bring back what was overwritten before.
                assert!(!backend.rewind(35));
                let _ = read(&mut backend, &ids[36..37]);
                assert!(!backend.rewind(35));
                assert!(backend.rewind(37));
                backend.reset();
                let _ = read(&mut backend, &ids[..20]);
                let _ = read(&mut backend, &wrong[..2]);
                assert!(backend.rewind(20));
            }
            let found = read(&mut backend, &ids[20..]);
            assert_near(
                &format!("{fault:?} {kind:?}"),
                &truth.0["logits"].1[39 * width..],
                &found,
            );
        });
    }
}

#[test]
fn tokens_chosen_on_the_device_are_those_of_the_largest_logits() {
    with_model(&Tiny::small(Kind::Qwen3), |model| {
        let prompt = ids(model, 9);
        let width = model.graph.vocabulary();
        for choices in [width, 5] {
            for layers in [GpuLayers::All, GpuLayers::Last(1)] {
                let mut by_logits = backend(model, &settings(layers));
                let mut on_device = backend(model, &settings(layers));
                for backend in [&mut by_logits, &mut on_device] {
                    let step = Step {
                        tokens: &prompt,
                        position: 0,
                        logits: Logits::None,
                    };
                    backend.forward(&step).expect("a forward pass");
                }
                let (mut token, mut expected) = (3, Vec::new());
                for position in 9..19 {
                    let tokens = [token];
                    let step = Step {
                        tokens: &tokens,
                        position,
                        logits: Logits::Last,
                    };
                    let logits = by_logits.forward(&step).expect("a forward pass");
                    let best = (0..choices)
                        .fold(0, |best, i| if logits[i] > logits[best] { i } else { best });
                    token = best as u32;
                    expected.push(token);
                }
                let greedy = Greedy {
                    token: 3,
                    count: 10,
                    choices,
                    ends: &[],
                };
                let found = on_device.greedy(&greedy).expect("chosen").expect("it can");
                assert_eq!(found, expected, "{layers:?} {choices}");
                assert_eq!(on_device.position(), 19);
                assert!(on_device.rewind(9));
                let ends = [expected[2]];
                let greedy = Greedy {
                    ends: &ends,
                    ..greedy
                };
                let found = on_device.greedy(&greedy).expect("chosen").expect("it can");
                let end = expected
                    .iter()
                    .position(|token| ends.contains(token))
                    .expect("one is");
                assert_eq!(found, expected[..=end], "{layers:?} {choices}");
                assert_eq!(on_device.position(), 9 + end + 1);
            }
        }
    });
}

#[test]
fn halves_are_remembered_as_halves() {
    with_model(&Tiny::small(Kind::Llama), |model| {
        let ids = ids(model, 40);
        let mut offload = settings(GpuLayers::All);
        offload.cpu.cache = CacheFormat::F16;
        let step = Step {
            tokens: &ids,
            position: 0,
            logits: Logits::All,
        };
        let mut cpu = CpuBackend::new(&model.graph, &offload.cpu).expect("a back end");
        let expected = wide(cpu.forward(&step).expect("a forward pass"));
        let exact = truth(model, &ids);
        let found = wide(
            backend(model, &offload)
                .forward(&step)
                .expect("a forward pass"),
        );
        let far = |truth: &[f64]| largest_error(truth, &found).expect("finite");
        // A value near the middle of two halves may fall to either side; most do not.
        assert!(
            far(&expected) * 3.0 < far(&exact.0["logits"].1),
            "{} {}",
            far(&expected),
            far(&exact.0["logits"].1)
        );
    });
}

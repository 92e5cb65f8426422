//! Devices that fail, each in one way: what the engine says, and that it does not go on with a wrong answer.

#![cfg(any(unix, windows))]

use fidelis_conformance::tiny::{Kind, Tiny};
use fidelis_engine::backend::offload::{
    GpuLayers, OffloadBackend, OffloadError, OffloadSettings, Plugin,
};
use fidelis_engine::backend::{
    Backend, BackendError, CacheFormat, CpuSettings, Greedy, Logits, Observer, Step, Tier,
};
use fidelis_engine::gguf::Gguf;
use fidelis_engine::model::Model;
use fidelis_offload_reference::Fault;
use fidelis_simd::Format;

fn plugin() -> Plugin {
    Plugin::open(&fidelis_offload_reference::path().expect("a path")).expect("the plug-in")
}

fn settings(fault: Fault) -> OffloadSettings {
    OffloadSettings {
        device: fault.index(),
        layers: GpuLayers::All,
        tier: None,
        observe: false,
        cpu: CpuSettings {
            threads: 1,
            batch: 4,
            ..CpuSettings::new(64).expect("a level")
        },
    }
}

fn with_model(tiny: &Tiny, check: impl FnOnce(&Model<'_>)) {
    let bytes = tiny.bytes().expect("encoded");
    let gguf = Gguf::read(&bytes).expect("a GGUF file");
    check(&Model::read(&gguf).expect("a model"));
}

/// Why no back end can be made.
fn unmade(tiny: &Tiny, settings: &OffloadSettings) -> BackendError {
    let mut error = None;
    with_model(tiny, |model| {
        error = OffloadBackend::new(&model.graph, &plugin(), settings, |_, _| {}).err();
    });
    error.expect("it cannot be made")
}

const STEP: Step<'_> = Step {
    tokens: &[1, 2, 3],
    position: 0,
    logits: Logits::Last,
};

/// What the first step says.
fn failing(fault: Fault) -> BackendError {
    let mut error = None;
    with_model(&Tiny::small(Kind::Llama), |model| {
        let made = OffloadBackend::new(&model.graph, &plugin(), &settings(fault), |_, _| {});
        let mut backend = made.expect("a back end");
        error = backend.forward(&STEP).map(<[f32]>::len).err();
        assert_eq!(backend.position(), 0, "{fault:?}");
    });
    error.expect("it fails")
}

#[test]
fn a_panic_inside_is_an_error() {
    let error = failing(Fault::Panics).to_string();
    assert_eq!(
        error,
        "the plug-in panicked in run: shader 7 of nine fell over"
    );
}

#[test]
fn an_unknown_status_is_an_error() {
    let error = failing(Fault::Mumbles).to_string();
    assert_eq!(
        error,
        "the plug-in ended run with the unknown status 4711: mumble"
    );
}

#[test]
fn a_result_that_is_not_finite_is_an_error_wherever_it_is_seen() {
    // Operation 2 of a Llama is the first product.
    assert_eq!(
        failing(Fault::Notices).to_string(),
        "matrix product in F32 (blk.0.attn_q): a result on the device is not finite"
    );
    for (fault, element) in [(Fault::Overflows, 1), (Fault::Forgets, 0)] {
        match failing(fault) {
            BackendError::NonFinite {
                checkpoint,
                token: 2,
                element: found,
                value,
            } => {
                assert_eq!((checkpoint.as_str(), found), ("logits", element));
                assert!(!value.is_finite());
            }
            error => panic!("{fault:?}: {error}"),
        }
    }
}

#[test]
fn a_lost_device_stays_lost() {
    for fault in [Fault::Vanishes, Fault::Hangs] {
        with_model(&Tiny::small(Kind::Llama), |model| {
            let made = OffloadBackend::new(&model.graph, &plugin(), &settings(fault), |_, _| {});
            let mut backend = made.expect("a back end");
            let step = |tokens, position| Step {
                tokens,
                position,
                logits: Logits::Last,
            };
            for position in 0..3 {
                backend.forward(&step(&[7], position)).expect("not yet");
            }
            // Of a step of several batches nothing is kept.
            let error = backend.forward(&step(&[7; 9], 3)).expect_err("lost");
            assert!(
                matches!(&error, BackendError::Offload(OffloadError::Lost { .. })),
                "{error}"
            );
            assert!(
                error.to_string().starts_with("the device is lost: "),
                "{error}"
            );
            assert_eq!(backend.position(), 3);
            backend.reset();
            for _ in 0..2 {
                let error = backend.forward(&STEP).expect_err("lost");
                assert!(
                    matches!(&error, BackendError::Offload(OffloadError::IsLost)),
                    "{error}"
                );
            }
            let greedy = Greedy {
                token: 1,
                count: 2,
                choices: 5,
                ends: &[],
            };
            let error = backend.greedy(&greedy).expect_err("lost");
            assert!(
                matches!(&error, BackendError::Offload(OffloadError::IsLost)),
                "{error}"
            );
        });
    }
}

#[test]
fn a_token_that_is_none_is_not_gone_on_with() {
    for layers in [GpuLayers::All, GpuLayers::Last(1)] {
        with_model(&Tiny::small(Kind::Llama), |model| {
            let settings = OffloadSettings {
                layers,
                ..settings(Fault::Misleads)
            };
            let made = OffloadBackend::new(&model.graph, &plugin(), &settings, |_, _| {});
            let greedy = Greedy {
                token: 1,
                count: 3,
                choices: usize::MAX,
                ends: &[],
            };
            let error = made
                .expect("a back end")
                .greedy(&greedy)
                .expect_err("no token");
            assert!(
                matches!(&error, BackendError::Offload(OffloadError::Broken { .. })),
                "{error}"
            );
        });
    }
}

#[test]
fn too_little_memory_says_how_much_is_needed_and_how_many_layers_fit() {
    let tiny = Tiny {
        layers: 12,
        ..Tiny::small(Kind::Llama)
    };
    let BackendError::Offload(OffloadError::Memory {
        needed,
        available,
        fits,
        layers,
    }) = unmade(&tiny, &settings(Fault::Small))
    else {
        panic!("another error");
    };
    assert_eq!((available, layers), (2 << 20, 12));
    assert!(needed > available, "{needed}");
    let fits = fits.expect("it knows");
    assert!((1..12).contains(&fits), "{fits}");
    // So many do fit, and one more does not.
    with_model(&tiny, |model| {
        let make = |layers| {
            let settings = OffloadSettings {
                layers: GpuLayers::Last(layers),
                ..settings(Fault::Small)
            };
            let fit = plugin().fit(&model.graph, &settings).is_ok();
            let made = OffloadBackend::new(&model.graph, &plugin(), &settings, |_, _| {});
            assert_eq!(made.is_ok(), fit, "{layers}");
            made.ok()
                .map(|mut backend| backend.forward(&STEP).expect("a step").len())
        };
        assert_eq!(make(fits), Some(model.graph.vocabulary()));
        assert_eq!(make(fits + 1), None);
    });
    let error = unmade(&tiny, &settings(Fault::Small)).to_string();
    assert!(
        error.contains(&format!("{fits} of 12 layers would fit: -ngl {fits}")),
        "{error}"
    );
    // One that finds out while weights go up cannot tell.
    let error = unmade(&tiny, &settings(Fault::Surprised));
    let BackendError::Offload(OffloadError::Memory { fits: None, .. }) = error else {
        panic!("{error}");
    };
}

#[test]
fn what_a_device_cannot_do_is_named() {
    let error = unmade(&Tiny::small(Kind::Gemma2), &settings(Fault::Plain)).to_string();
    let wanted =
        "the device does not support attention (blk.0.attn_heads): neither caps nor windows here";
    assert_eq!(error, wanted);
    let tiny = Tiny::blocks(Kind::Llama, Format::Q4_K);
    let error = unmade(&tiny, &settings(Fault::FloatsOnly)).to_string();
    assert_eq!(
        error,
        "the device does not support embedding in Q4_K (token_embd): no Q4_K here"
    );
    let mut eight = settings(Fault::None);
    eight.cpu.cache = CacheFormat::Q8_0;
    let error = unmade(&Tiny::blocks(Kind::Llama, Format::F32), &eight).to_string();
    assert!(
        error.contains("attention (blk.0.attn_heads): keys and values as F32 or F16 alone"),
        "{error}"
    );
    let fast = OffloadSettings {
        tier: Some(Tier::Fast),
        ..settings(Fault::None)
    };
    let error = unmade(&Tiny::small(Kind::Llama), &fast).to_string();
    assert_eq!(
        error,
        "the device does not support the model: it computes in 32-bit floats alone"
    );
    let audit = OffloadSettings {
        tier: Some(Tier::Audit),
        ..settings(Fault::None)
    };
    let error = unmade(&Tiny::small(Kind::Llama), &audit);
    assert!(
        matches!(error, BackendError::Offload(OffloadError::Audit)),
        "{error}"
    );
}

#[test]
fn a_device_that_does_not_open_says_why_on_one_line() {
    let llama = Tiny::small(Kind::Llama);
    let error = unmade(&llama, &settings(Fault::Closed)).to_string();
    assert_eq!(error, "device 12 cannot be opened: the driver refuses [31m");
    let error = unmade(&llama, &settings(Fault::Absent)).to_string();
    assert_eq!(
        error,
        "the plug-in broke the contract in open: the device is null"
    );
    let nowhere = OffloadSettings {
        device: 99,
        ..settings(Fault::None)
    };
    let error = unmade(&llama, &nowhere).to_string();
    assert_eq!(
        error,
        "the plug-in finds 21 devices, so there is none with the number 99"
    );
    let none = OffloadSettings {
        layers: GpuLayers::Last(0),
        ..settings(Fault::None)
    };
    let error = unmade(&llama, &none);
    assert!(
        matches!(error, BackendError::Offload(OffloadError::NoLayers)),
        "{error}"
    );
}

struct Wants(&'static str);

impl Observer for Wants {
    fn wants(&self, name: &str) -> bool {
        name == self.0
    }

    fn saw(&mut self, name: &str, _: &[usize], _: &[f64]) {
        assert_eq!(name, "logits");
    }
}

#[test]
fn what_is_not_observed_is_not_passed_over_in_silence() {
    with_model(&Tiny::small(Kind::Llama), |model| {
        let made = OffloadBackend::new(&model.graph, &plugin(), &settings(Fault::None), |_, _| {});
        let mut backend = made.expect("a back end");
        let error = backend
            .forward_observed(&STEP, &mut Wants("blk.1.out"))
            .expect_err("kept");
        assert_eq!(
            error.to_string(),
            "blk.1.out is not shown: the back end was made without observation"
        );
        backend
            .forward_observed(&STEP, &mut Wants("logits"))
            .expect("the output is there");
    });
}

#[test]
fn what_a_step_must_be_is_checked_before_the_device_is_asked() {
    with_model(&Tiny::small(Kind::Llama), |model| {
        let made = OffloadBackend::new(&model.graph, &plugin(), &settings(Fault::None), |_, _| {});
        let mut backend = made.expect("a back end");
        let mut refused = |tokens: &[u32], position| {
            let step = Step {
                tokens,
                position,
                logits: Logits::Last,
            };
            backend.forward(&step).expect_err("refused")
        };
        assert!(matches!(refused(&[], 0), BackendError::NoTokens));
        assert!(matches!(
            refused(&[1], 1),
            BackendError::Position { found: 1, read: 0 }
        ));
        assert!(matches!(
            refused(&[1; 65], 0),
            BackendError::ContextFull { more: 65, .. }
        ));
        assert!(matches!(
            refused(&[1, u32::MAX], 0),
            BackendError::Token {
                token: u32::MAX,
                ..
            }
        ));
    });
}

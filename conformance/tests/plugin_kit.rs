//! The plug-in kit: the reference plug-in keeps the contract, and a device with a fault of each class that GPUs have is caught.

#![cfg(any(unix, windows))]

use fidelis_conformance::candidate::{Candidate, Device};
use fidelis_conformance::compare::{Verdict, operations};
use fidelis_conformance::plugin::{Found, Proof, prove};
use fidelis_conformance::precision::Precision;
use fidelis_conformance::recording::Selection;
use fidelis_conformance::reference::Reference;
use fidelis_conformance::tiny::{Kind, Tiny};
use fidelis_engine::backend::CacheFormat;
use fidelis_engine::gguf::Gguf;
use fidelis_engine::model::Model;
use fidelis_offload_reference::Fault;
use std::io::Write;

fn device(fault: Fault, cache: CacheFormat) -> Device {
    Device {
        path: Some(fidelis_offload_reference::path().expect("a path")),
        index: fault.index(),
        cache,
    }
}

fn proved(fault: Fault, cache: CacheFormat) -> Proof {
    prove(&device(fault, cache), |_| {}).expect("it opens")
}

#[test]
fn the_reference_plug_in_keeps_the_contract() {
    for cache in [CacheFormat::F32, CacheFormat::F16, CacheFormat::Q8_0] {
        let proof = proved(Fault::None, cache);
        let wrong: Vec<_> = proof.wrong().collect();
        assert!(wrong.is_empty(), "{cache}: {wrong:#?}");
        let elements: usize = (proof.cases.iter())
            .map(|case| match case.found {
                Found::Right { elements, .. } => elements,
                _ => 0,
            })
            .sum();
        let said = format!(
            "{cache}: {} of {} cases are right, {elements} elements",
            proof.right(),
            proof.cases.len()
        );
        writeln!(std::io::stderr(), "{said}").expect("stderr");
        if cache == CacheFormat::Q8_0 {
            // The reference plug-in has no such cache, and says so wherever there is attention.
            let unsupported = |case: &&fidelis_conformance::plugin::Case| {
                matches!(case.found, Found::Unsupported(_))
            };
            assert!(
                proof.cases.iter().filter(unsupported).count() > 20,
                "{said}"
            );
            continue;
        }
        assert!(proof.right() > 300, "{said}");
        for format in fidelis_simd::Format::ALL {
            let name = format!("{format} ");
            let cases = proof
                .cases
                .iter()
                .filter(|case| case.what.starts_with(&name));
            assert!(cases.count() >= 3, "{format}");
        }
        for group in [
            "contract",
            "product",
            "embedding",
            "norm",
            "row by row",
            "turn",
            "attention",
            "model",
            "behaviour",
        ] {
            let right = |found: &Found| matches!(found, Found::Right { .. });
            let any = proof
                .cases
                .iter()
                .any(|case| case.group == group && right(&case.found));
            assert!(any, "{cache}: nothing of {group} is right");
        }
    }
}

/// What each faulty device gets wrong, and something that it gets right: the kit tells them apart.
#[test]
fn a_device_with_a_fault_of_each_class_is_caught() {
    for (fault, wrong, right) in [
        (Fault::Misreads, "F32 7 × 33", "F32 1 × 1"),
        (Fault::Halves, "F32 64 × 100", "F32 1 × 1"),
        (Fault::Flat, "F32 65600 × 32", "F32 64 × 100"),
        (Fault::Truncates, "F32 65 × 1", "F32 64 × 100"),
        (Fault::Lags, "silu 64", "sum 64"),
    ] {
        let proof = proved(fault, CacheFormat::F32);
        let case = |what: &str| proof.cases.iter().find(|case| case.what == what);
        let said: Vec<_> = proof.wrong().map(|case| &case.what).collect();
        let found = case(wrong).unwrap_or_else(|| panic!("{fault:?}: no case {wrong}"));
        assert!(
            matches!(found.found, Found::Wrong(_)),
            "{fault:?}: {said:?}"
        );
        if let Some(found) = case(right) {
            assert!(
                !matches!(found.found, Found::Wrong(_)),
                "{fault:?}: {found:?}"
            );
        }
        let count = said.len();
        writeln!(
            std::io::stderr(),
            "{fault:?}: {count} of {} cases are wrong",
            proof.cases.len()
        )
        .expect("stderr");
        assert!(count < proof.cases.len() - 50, "{fault:?}: {said:?}");
    }
}

/// The devices that tests of the engine use fail in ways that the kit must not pass over either.
#[test]
fn devices_that_fail_do_not_pass() {
    for fault in [
        Fault::Vanishes,
        Fault::Hangs,
        Fault::Mumbles,
        Fault::Overflows,
        Fault::Forgets,
        Fault::Notices,
    ] {
        let proof = proved(fault, CacheFormat::F32);
        assert!(proof.wrong().next().is_some(), "{fault:?} passes");
    }
    for fault in [Fault::Closed, Fault::Absent] {
        assert!(prove(&device(fault, CacheFormat::F32), |_| {}).is_err());
    }
    // What it cannot do, it says: that is no fault.
    let plain = proved(Fault::Plain, CacheFormat::F32);
    let unsupported = |found: &Found| matches!(found, Found::Unsupported(_));
    assert!(plain.cases.iter().any(|case| unsupported(&case.found)));
    assert_eq!(
        plain.wrong().count(),
        0,
        "{:#?}",
        plain.wrong().collect::<Vec<_>>()
    );
}

#[test]
fn a_model_on_a_device_is_judged_operation_by_operation() {
    for (fault, wanted) in [
        (Fault::None, Verdict::Agree),
        (Fault::Halves, Verdict::Diverge),
    ] {
        let bytes = Tiny::small(Kind::Gemma3).bytes().expect("encoded");
        let gguf = Gguf::read(&bytes).expect("GGUF");
        let model = Model::read(&gguf).expect("a model");
        let candidate = Candidate::Plugin(device(fault, CacheFormat::F16));
        let recording = candidate
            .record(
                &model.graph,
                &[1, 2, 3, 4, 5, 6],
                &[4, 1, 1],
                &Selection::default(),
                None,
            )
            .expect("a run");
        let reference = Reference::new(&model.graph);
        let precision = Precision::of(&recording.provenance);
        let all = operations(&reference, &recording, &precision);
        let wrong: Vec<_> = all.iter().filter(|op| op.is_wrong()).collect();
        assert_eq!(Verdict::of(&all), wanted, "{fault:?}: {wrong:?}");
        // Attention is judged as a whole: scores and probabilities stay on the device.
        let heads = all
            .iter()
            .find(|op| op.role == "attn_heads")
            .expect("shown");
        assert_eq!(heads.through.len(), 2);
    }
}

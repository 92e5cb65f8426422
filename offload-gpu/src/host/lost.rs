//! A device that is taken away, behind a host's back and while it works.

use super::{Host, Running, StepParts};
use crate::describe::{Parts, failure};
use crate::device;
use crate::error::GpuError;
use fidelis_abi as abi;
use std::ptr::{null, null_mut};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

const WIDTH: usize = 64;

/// How long a lost device may keep its host waiting: far less than a step's patience.
const SOON: Duration = Duration::from_secs(20);

/// A device of the test's own, if this machine has one.
fn host() -> Option<Host> {
    let wanted = std::env::var("FIDELIS_GPU").ok();
    let index = wanted.map_or(0, |index| index.parse().expect("a number of an adapter"));
    if device::reports().is_empty() && std::env::var_os("FIDELIS_REQUIRE_GPU").is_none() {
        println!("GPU TESTS DID NOT RUN: there is no adapter");
        return None;
    }
    Some(Host::open(index).expect("an adapter gives a device"))
}

/// A plan of `out = input + input`.
fn doubling(host: &Host) -> Result<Running, GpuError> {
    let op = abi::Op {
        kind: abi::OpKind::ADD,
        out: 1,
        a: 0,
        b: 0,
        ..abi::Op::empty()
    };
    let activations = [abi::Activation {
        width: WIDTH as u32,
        flags: abi::Activation::OBSERVED,
    }; 2];
    let given = abi::Description {
        ops: null(),
        activations: null(),
        weights: null(),
        ropes: null(),
        caches: null(),
        op_count: 1,
        activation_count: 2,
        weight_count: 0,
        rope_count: 0,
        cache_count: 0,
        context: 8,
        batch: 1,
        output_rows: 1,
        input: 0,
        output: 1,
        tier: abi::Tier::ANY,
        reserved: 0,
    };
    let parts = Parts {
        given: &given,
        ops: &[op],
        activations: &activations,
        weights: &[],
        ropes: &[],
        frequencies: vec![],
        caches: &[],
    };
    host.plan(&parts).map(|(running, _)| running)
}

/// The status of one step, from the first position on.
fn step(running: &mut Running) -> abi::Status {
    let step = abi::Step {
        tokens: null_mut(),
        input: null(),
        output: null_mut(),
        count: 1,
        position: 0,
        rows: abi::Rows::LAST,
        flags: 0,
        choices: WIDTH as u32,
        reserved: 0,
    };
    let mut output = [f32::NAN; WIDTH];
    let parts = StepParts {
        tokens: &[],
        input: &[1.5; WIDTH],
        output: Some(&mut output),
        places: vec![],
    };
    match running.run(&step, parts) {
        Ok(_) => {
            assert_eq!(output, [3.0; WIDTH], "a step that says it was done");
            abi::Status::OK
        }
        Err(error) => failure(&error).0,
    }
}

#[test]
fn every_call_after_a_device_is_lost_says_so_at_once() {
    let Some(mut host) = host() else { return };
    let mut running = doubling(&host).expect("a plan");
    let weight = abi::Weight {
        id: 0,
        rows: 1,
        width: WIDTH as u64,
        format: 0,
        reserved: 0,
    };
    let id = host.weight(&weight).expect("room for a weight");
    assert_eq!(step(&mut running), abi::Status::OK);
    host.gpu.device.destroy();
    let start = Instant::now();
    for time in 0..3 {
        assert_eq!(step(&mut running), abi::Status::DEVICE_LOST, "step {time}");
    }
    let lost = |error: GpuError| assert_eq!(failure(&error).0, abi::Status::DEVICE_LOST, "{error}");
    host.upload(id, 0, 1, &[0; 4 * WIDTH])
        .map_err(lost)
        .expect_err("an upload");
    host.weight(&weight).map_err(lost).expect_err("a weight");
    doubling(&host).map(drop).map_err(lost).expect_err("a plan");
    host.drop_weight(id).expect("memory is given back");
    drop((running, host));
    assert!(start.elapsed() < SOON, "{:?}", start.elapsed());
}

#[test]
fn a_device_lost_while_steps_run_ends_them() {
    let Some(host) = host() else { return };
    let mut running = doubling(&host).expect("a plan");
    let (device, works) = (host.gpu.device.clone(), AtomicBool::new(false));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !works.load(Ordering::Acquire) {
                std::thread::yield_now();
            }
            device.destroy();
        });
        assert_eq!(step(&mut running), abi::Status::OK);
        works.store(true, Ordering::Release);
        let start = Instant::now();
        let end = loop {
            match step(&mut running) {
                abi::Status::OK => assert!(start.elapsed() < SOON, "steps go on"),
                other => break other,
            }
        };
        assert_eq!(end, abi::Status::DEVICE_LOST);
    });
}

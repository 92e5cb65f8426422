//! What a host may get wrong: statuses and messages, never a crash.

use super::library::plugin;
use fidelis_abi::{
    Activation, Api, Description, Device, Memory, Message, NONE, Op, OpKind, Outcome, Plan,
    Planned, Rows, Status, Step, Tier, VERSION, Weight,
};
use std::ptr::{null, null_mut};

fn api() -> &'static Api {
    // SAFETY: the table is not null for its own version and lives as long as the process.
    unsafe { &*fidelis_offload_gpu::fidelis_offload_entry(VERSION) }
}

fn opened() -> Option<*mut Device> {
    plugin()?;
    let (mut device, mut message) = (null_mut(), Message::empty());
    // SAFETY: both can be written.
    let status = unsafe { (api().open)(0, &raw mut device, &raw mut message) };
    assert_eq!(status, Status::OK, "{:?}", message.text);
    Some(device)
}

fn weight(format: u32, rows: u64, width: u64) -> Weight {
    Weight {
        id: 0,
        rows,
        width,
        format,
        reserved: 0,
    }
}

#[test]
fn null_pointers_are_refused() {
    let Some(device) = opened() else { return };
    let api = api();
    let mut message = Message::empty();
    let (mut memory, mut id) = (Memory::default(), 0);
    let (mut plan, mut planned): (*mut Plan, _) = (null_mut(), Planned::default());
    // SAFETY: the plug-in checks for null, which is what this shows.
    let statuses = unsafe {
        [
            (api.open)(0, null_mut(), &raw mut message),
            (api.open)(u32::MAX, null_mut(), null_mut()),
            (api.memory)(null_mut(), &raw mut memory, &raw mut message),
            (api.memory)(device, null_mut(), &raw mut message),
            (api.supports)(device, null_mut(), &raw mut memory, &raw mut message),
            (api.weight)(device, null_mut(), &raw mut id, &raw mut message),
            (api.plan)(
                device,
                null_mut(),
                &raw mut plan,
                &raw mut planned,
                &raw mut message,
            ),
            (api.run)(
                null_mut(),
                null_mut(),
                null_mut(),
                0,
                null_mut(),
                &raw mut message,
            ),
        ]
    };
    for (call, status) in statuses.iter().enumerate() {
        assert_ne!(*status, Status::OK, "call {call}");
        assert_ne!(*status, Status::PANICKED, "call {call}");
    }
    // SAFETY: from `open`; null is nothing.
    unsafe {
        (api.close)(device);
        (api.close)(null_mut());
        (api.drop_plan)(null_mut());
    }
}

#[test]
fn weights_that_cannot_be_are_refused_by_name() {
    let Some(device) = opened() else { return };
    let api = api();
    // Q8_1 has no kernel; 999 is no format; half a block; nothing; too much.
    for (given, wanted, said) in [
        (weight(9, 4, 256), Status::UNSUPPORTED, "9"),
        (weight(999, 4, 256), Status::UNSUPPORTED, "999"),
        (weight(12, 4, 100), Status::INVALID, ""),
        (weight(12, 0, 256), Status::INVALID, ""),
        (weight(0, 1 << 40, 1 << 23), Status::OK, ""),
    ] {
        let (mut id, mut message) = (0, Message::empty());
        // SAFETY: all can be read or written.
        let status =
            unsafe { (api.weight)(device, &raw const given, &raw mut id, &raw mut message) };
        let text = format!("{:?}", message.text.as_str());
        if wanted == Status::OK {
            assert!(status != Status::OK && status != Status::PANICKED, "{text}");
        } else {
            assert_eq!(status, wanted, "{given:?}: {text}");
        }
        assert!(text.contains(said), "{given:?}: {text}");
    }
    // SAFETY: from `open`.
    unsafe { (api.close)(device) };
}

#[test]
fn uploads_that_do_not_fit_are_refused() {
    let Some(device) = opened() else { return };
    let api = api();
    let given = weight(0, 4, 64);
    let (mut id, mut message) = (0, Message::empty());
    // SAFETY: all can be read or written.
    let status = unsafe { (api.weight)(device, &raw const given, &raw mut id, &raw mut message) };
    assert_eq!(status, Status::OK);
    let bytes = vec![0_u8; 4 * 64 * 4];
    for (id, first, rows, length) in [
        (id, 0, 5, bytes.len()),
        (id, 4, 1, 256),
        (id, 0, 4, bytes.len() - 1),
        (id, u64::MAX, 2, 512),
        (id, 1, u64::MAX, 512),
        (id + 77, 0, 4, bytes.len()),
    ] {
        // SAFETY: `bytes` has at least `length`.
        let status = unsafe {
            (api.upload)(
                device,
                id,
                first,
                rows,
                bytes.as_ptr(),
                length as u64,
                &raw mut message,
            )
        };
        assert_eq!(status, Status::INVALID, "{first} {rows} {length}");
    }
    // SAFETY: from `open`; the weight is given back twice on purpose.
    unsafe {
        assert_eq!((api.drop_weight)(device, id, &raw mut message), Status::OK);
        assert_eq!(
            (api.drop_weight)(device, id, &raw mut message),
            Status::INVALID
        );
        (api.close)(device);
    }
}

const EMPTY: Description = Description {
    ops: null(),
    activations: null(),
    weights: null(),
    ropes: null(),
    caches: null(),
    op_count: 0,
    activation_count: 0,
    weight_count: 0,
    rope_count: 0,
    cache_count: 0,
    context: 1,
    batch: 1,
    output_rows: 1,
    input: NONE,
    output: NONE,
    tier: Tier::ANY,
    reserved: 0,
};

/// `out = a + b`, where the host gives both.
fn sum(kind: u32, a: u32, width: u32) -> (Vec<Activation>, Vec<Op>) {
    let activation = Activation {
        width,
        flags: Activation::OBSERVED,
    };
    let op = Op {
        kind: OpKind(kind),
        out: 1,
        a,
        b: 0,
        ..Op::empty()
    };
    (vec![activation; 2], vec![op])
}

#[test]
fn descriptions_that_contradict_themselves_are_refused() {
    let Some(device) = opened() else { return };
    let api = api();
    for (what, kind, a, width, context, batch) in [
        ("an operation that is none", 99, 0, 64, 8, 8),
        ("an operand that is none", 8, 7, 64, 8, 8),
        ("an operand computed later", 8, 1, 64, 8, 8),
        ("no width", 8, 0, 0, 8, 8),
        ("no context", 8, 0, 64, 0, 8),
        ("no batch", 8, 0, 64, 8, 0),
        ("too wide", 8, 0, u32::MAX, 8, 8),
    ] {
        let (activations, ops) = sum(kind, a, width);
        let description = Description {
            ops: ops.as_ptr(),
            op_count: 1,
            activations: activations.as_ptr(),
            activation_count: 2,
            input: 0,
            output: 1,
            context,
            batch,
            output_rows: 1,
            ..EMPTY
        };
        let (mut plan, mut planned) = (null_mut(), Planned::default());
        let mut message = Message::empty();
        // SAFETY: the description and what it points to outlive the call.
        let status = unsafe {
            (api.plan)(
                device,
                &raw const description,
                &raw mut plan,
                &raw mut planned,
                &raw mut message,
            )
        };
        let text = message.text.as_str();
        assert!(
            status == Status::INVALID || status == Status::UNSUPPORTED,
            "{what}: {status:?} {text:?}"
        );
        assert!(plan.is_null(), "{what}");
    }
    // SAFETY: from `open`.
    unsafe { (api.close)(device) };
}

#[test]
fn steps_beyond_the_plan_are_refused_and_not_finite_results_are_found() {
    let Some(device) = opened() else { return };
    let api = api();
    let (activations, ops) = sum(8, 0, 64);
    let description = Description {
        ops: ops.as_ptr(),
        op_count: 1,
        activations: activations.as_ptr(),
        activation_count: 2,
        input: 0,
        output: 1,
        context: 8,
        batch: 4,
        output_rows: 4,
        ..EMPTY
    };
    let (mut plan, mut planned) = (null_mut(), Planned::default());
    let (mut message, mut outcome) = (Message::empty(), Outcome::default());
    // SAFETY: as above.
    let status = unsafe {
        (api.plan)(
            device,
            &raw const description,
            &raw mut plan,
            &raw mut planned,
            &raw mut message,
        )
    };
    assert_eq!(status, Status::OK, "{:?}", message.text.as_str());
    let (mut input, mut output) = (vec![1.5_f32; 4 * 64], vec![f32::NAN; 4 * 64]);
    let mut run = |input: &[f32], count: u32, position: u32| {
        let step = Step {
            tokens: null_mut(),
            input: input.as_ptr(),
            output: output.as_mut_ptr(),
            count,
            position,
            rows: Rows::LAST,
            flags: 0,
            choices: 64,
            reserved: 0,
        };
        // SAFETY: input and output hold four rows; a step of more is refused before it reads.
        let status = unsafe {
            (api.run)(
                plan,
                &raw const step,
                null_mut(),
                0,
                &raw mut outcome,
                &raw mut message,
            )
        };
        (status, output[63])
    };
    for (count, position) in [(0, 0), (5, 0), (1, 1), (4, 6), (1, 8), (u32::MAX, u32::MAX)] {
        assert_eq!(run(&input, count, position).0, Status::INVALID);
    }
    assert_eq!(run(&input, 2, 0), (Status::OK, 3.0));
    input[1] = f32::INFINITY;
    assert_eq!(run(&input, 1, 2).0, Status::NON_FINITE);
    // The device is as good as before.
    input[1] = 0.25;
    assert_eq!(run(&input, 1, 2), (Status::OK, 3.0));
    // SAFETY: from `plan` and `open`.
    unsafe {
        (api.drop_plan)(plan);
        (api.close)(device);
    }
}

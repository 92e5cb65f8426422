//! The border: pointers become references here, panics become statuses, and nothing else is unsafe.

use crate::describe::{self, Parts};
use crate::device;
use crate::error::GpuError;
use crate::host::{Host, Running, StepParts};
use fidelis_abi::{
    Api, Description, Device, DeviceInfo, Greedy, Memory, Message, Outcome, Plan, Planned, Profile,
    Read, Status, Step, Text, VERSION, Weight,
};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::slice;

/// Runs `body`; its error or panic goes to the status and the message.
fn guard(message: *mut Message, body: impl FnOnce() -> Result<(), GpuError>) -> Status {
    let (status, said) = match catch_unwind(AssertUnwindSafe(body)) {
        Ok(Ok(())) => return Status::OK,
        Ok(Err(error)) => describe::failure(&error),
        Err(panic) => {
            let text = panic.downcast_ref::<&str>().copied();
            let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
            let said = Message {
                text: Text::new(text.unwrap_or("a panic without a text")),
                ..Message::empty()
            };
            // A panic's value may panic when it is dropped.
            std::mem::forget(panic);
            (Status::PANICKED, said)
        }
    };
    if !message.is_null() {
        // SAFETY: the contract has it point to a message that the caller owns.
        unsafe { message.write(said) };
    }
    status
}

/// `count` elements; none if the count is 0.
///
/// # Safety
///
/// As the contract says of pointers: valid for so many elements within the call.
unsafe fn elements<'a, T>(pointer: *const T, count: usize) -> Result<&'a [T], GpuError> {
    if count == 0 {
        return Ok(&[]);
    }
    if pointer.is_null() || count > isize::MAX as usize / size_of::<T>().max(1) {
        return Err(GpuError::invalid("a null pointer, or an impossible count"));
    }
    // SAFETY: not null, and the caller's promise.
    Ok(unsafe { slice::from_raw_parts(pointer, count) })
}

/// As [`elements`], to be written.
///
/// # Safety
///
/// As [`elements`], and nobody else uses them within the call.
unsafe fn elements_mut<'a, T>(pointer: *mut T, count: usize) -> Result<&'a mut [T], GpuError> {
    if count == 0 {
        return Ok(&mut []);
    }
    if pointer.is_null() || count > isize::MAX as usize / size_of::<T>().max(1) {
        return Err(GpuError::invalid("a null pointer, or an impossible count"));
    }
    // SAFETY: not null, and the caller's promise.
    Ok(unsafe { slice::from_raw_parts_mut(pointer, count) })
}

/// The one that `pointer` points to.
///
/// # Safety
///
/// As [`elements_mut`].
unsafe fn one<'a, T>(pointer: *mut T) -> Result<&'a mut T, GpuError> {
    // SAFETY: the caller's promise.
    unsafe { pointer.as_mut() }.ok_or_else(|| GpuError::invalid("a null pointer"))
}

/// Puts a result where the caller wants it.
///
/// # Safety
///
/// The pointer is null or valid for writing.
unsafe fn put<T>(to: *mut T, value: T) -> Result<(), GpuError> {
    if to.is_null() {
        return Err(GpuError::invalid("a null pointer"));
    }
    // SAFETY: not null, and the caller's promise.
    unsafe { to.write(value) };
    Ok(())
}

unsafe extern "C" fn about(text: *mut Text) {
    guard(std::ptr::null_mut(), || {
        let about = concat!("fidelis-offload-gpu ", env!("CARGO_PKG_VERSION"), ", wgpu");
        // SAFETY: the contract has `text` writable.
        unsafe { put(text, Text::new(about)) }
    });
}

unsafe extern "C" fn devices(
    infos: *mut DeviceInfo,
    capacity: u32,
    count: *mut u32,
    message: *mut Message,
) -> Status {
    guard(message, || {
        let found = device::reports();
        // SAFETY: the contract has `infos` hold `capacity` of them.
        let infos = unsafe { elements_mut(infos, capacity as usize) }?;
        for (info, report) in infos.iter_mut().zip(&found) {
            *info = describe::info(report);
        }
        // SAFETY: the contract has `count` writable.
        unsafe { put(count, found.len() as u32) }
    })
}

unsafe extern "C" fn open(index: u32, device: *mut *mut Device, message: *mut Message) -> Status {
    guard(message, || {
        let host = Box::new(Host::open(index as usize)?);
        // SAFETY: the contract has `device` writable.
        unsafe { put(device, Box::into_raw(host).cast()) }
    })
}

unsafe extern "C" fn close(device: *mut Device) {
    guard(std::ptr::null_mut(), || {
        if !device.is_null() {
            // SAFETY: it came from `open`, and is given back once.
            drop(unsafe { Box::from_raw(device.cast::<Host>()) });
        }
        Ok(())
    });
}

unsafe extern "C" fn memory(
    device: *mut Device,
    memory: *mut Memory,
    message: *mut Message,
) -> Status {
    guard(message, || {
        // SAFETY: the device came from `open`; `memory` is writable.
        unsafe { put(memory, one(device.cast::<Host>())?.memory()) }
    })
}

/// What a description points to.
///
/// # Safety
///
/// It is as the contract says.
unsafe fn parts<'a>(description: *const Description) -> Result<Parts<'a>, GpuError> {
    // SAFETY: the contract has it valid within the call.
    let given =
        unsafe { description.as_ref() }.ok_or_else(|| GpuError::invalid("no description"))?;
    // SAFETY: the contract has every pointer valid for the count beside it.
    unsafe {
        let ropes = elements(given.ropes, given.rope_count as usize)?;
        let mut frequencies = Vec::with_capacity(ropes.len());
        for rope in ropes {
            frequencies.push(elements(rope.frequencies, rope.pairs as usize)?);
        }
        Ok(Parts {
            given,
            ops: elements(given.ops, given.op_count as usize)?,
            activations: elements(given.activations, given.activation_count as usize)?,
            weights: elements(given.weights, given.weight_count as usize)?,
            ropes,
            frequencies,
            caches: elements(given.caches, given.cache_count as usize)?,
        })
    }
}

unsafe extern "C" fn supports(
    device: *mut Device,
    description: *const Description,
    memory: *mut Memory,
    message: *mut Message,
) -> Status {
    guard(message, || {
        // SAFETY: the device came from `open`; the description is as the contract says.
        let (host, parts) = unsafe { (one(device.cast::<Host>())?, parts(description)?) };
        let needed = host.needs(&parts)?;
        // SAFETY: `memory` is writable.
        unsafe { put(memory, needed) }?;
        host.fits(&needed)
    })
}

unsafe extern "C" fn weight(
    device: *mut Device,
    weight: *const Weight,
    id: *mut u64,
    message: *mut Message,
) -> Status {
    guard(message, || {
        // SAFETY: the device came from `open`; `weight` is readable.
        let (host, weight) = unsafe { (one(device.cast::<Host>())?, elements(weight, 1)?) };
        let made = host.weight(&weight[0])?;
        // SAFETY: `id` is writable.
        unsafe { put(id, made) }
    })
}

unsafe extern "C" fn upload(
    device: *mut Device,
    id: u64,
    first: u64,
    rows: u64,
    bytes: *const u8,
    length: u64,
    message: *mut Message,
) -> Status {
    guard(message, || {
        // SAFETY: the device came from `open`; there are `length` bytes.
        let (host, bytes) = unsafe {
            (
                one(device.cast::<Host>())?,
                elements(bytes, length as usize)?,
            )
        };
        host.upload(id, first, rows, bytes)
    })
}

unsafe extern "C" fn drop_weight(device: *mut Device, id: u64, message: *mut Message) -> Status {
    guard(message, || {
        // SAFETY: the device came from `open`.
        unsafe { one(device.cast::<Host>()) }?.drop_weight(id)
    })
}

unsafe extern "C" fn plan(
    device: *mut Device,
    description: *const Description,
    plan: *mut *mut Plan,
    planned: *mut Planned,
    message: *mut Message,
) -> Status {
    guard(message, || {
        // SAFETY: the device came from `open`; the description is as the contract says.
        let (host, parts) = unsafe { (one(device.cast::<Host>())?, parts(description)?) };
        let (made, known) = host.plan(&parts)?;
        // SAFETY: `planned` and `plan` are writable.
        unsafe {
            put(planned, known)?;
            put(plan, Box::into_raw(Box::new(made)).cast())
        }
    })
}

unsafe extern "C" fn drop_plan(plan: *mut Plan) {
    guard(std::ptr::null_mut(), || {
        if !plan.is_null() {
            // SAFETY: it came from `plan`, and is given back once.
            drop(unsafe { Box::from_raw(plan.cast::<Running>()) });
        }
        Ok(())
    });
}

unsafe extern "C" fn profile(
    plan: *mut Plan,
    profile: *mut Profile,
    message: *mut Message,
) -> Status {
    guard(message, || {
        // SAFETY: the plan came from `plan`; `profile` is writable.
        unsafe { put(profile, one(plan.cast::<Running>())?.profile()) }
    })
}

unsafe extern "C" fn run(
    plan: *mut Plan,
    step: *const Step,
    reads: *const Read,
    read_count: u32,
    outcome: *mut Outcome,
    message: *mut Message,
) -> Status {
    guard(message, || {
        // SAFETY: the plan came from `plan`; the step and the reads are readable.
        let (running, step, reads) = unsafe {
            (
                one(plan.cast::<Running>())?,
                &elements(step, 1)?[0],
                elements(reads, read_count as usize)?,
            )
        };
        let lengths = running.lengths(step)?;
        // SAFETY: the contract has tokens, input and output as long as the step and the plan say, and
        // every read's memory as long as it says, for this call alone.
        let parts = unsafe {
            let mut places = Vec::with_capacity(reads.len());
            for read in reads {
                places.push((
                    read.activation,
                    elements_mut(read.host, read.length as usize)?,
                ));
            }
            let output = if step.output.is_null() {
                None
            } else {
                Some(elements_mut(step.output, lengths.output)?)
            };
            StepParts {
                tokens: elements(step.tokens, lengths.tokens)?,
                input: elements(step.input, lengths.input)?,
                output,
                places,
            }
        };
        let found = running.run(step, parts)?;
        // SAFETY: `outcome` is writable.
        unsafe { put(outcome, found) }
    })
}

unsafe extern "C" fn greedy(
    plan: *mut Plan,
    greedy: *const Greedy,
    produced: *mut u32,
    message: *mut Message,
) -> Status {
    guard(message, || {
        // SAFETY: the plan came from `plan`; what `greedy` points to is as the contract says.
        let (running, greedy, ends, tokens) = unsafe {
            let greedy = &elements(greedy, 1)?[0];
            (
                one(plan.cast::<Running>())?,
                greedy,
                elements(greedy.ends, greedy.end_count as usize)?,
                elements_mut(greedy.tokens, greedy.count as usize)?,
            )
        };
        let mut count = 0;
        let result = running.greedy(greedy, ends, tokens, &mut count);
        // SAFETY: `produced` is writable.
        unsafe { put(produced, count) }?;
        result
    })
}

static API: Api = Api {
    version: VERSION,
    size: size_of::<Api>() as u32,
    about,
    devices,
    open,
    close,
    memory,
    supports,
    weight,
    upload,
    drop_weight,
    plan,
    drop_plan,
    profile,
    run,
    greedy: Some(greedy),
};

/// The one symbol that is exported; see [`fidelis_abi::Entry`].
// SAFETY: the contract's name, which nothing else in a host has.
#[unsafe(no_mangle)]
pub extern "C" fn fidelis_offload_entry(host_version: u32) -> *const Api {
    if host_version == VERSION {
        &API
    } else {
        std::ptr::null()
    }
}

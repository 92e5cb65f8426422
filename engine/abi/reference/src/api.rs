//! The functions of the contract: every body catches its panics.

use crate::Failure;
use crate::copy::{Inputs, Model, answer, list, write};
use crate::fault::Fault;
use crate::machine::Machine;
use crate::memory::{Opened, Shared};
use fidelis_abi::{
    Api, Description, Device, DeviceInfo, Greedy, Memory, Message, Outcome, Plan, Planned, Profile,
    Read, Status, Step, Text, VERSION, Weight,
};
use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;

/// Runs a body; what goes wrong becomes a status and a message.
fn guard(message: *mut Message, body: impl FnOnce() -> Result<(), Failure>) -> Status {
    let failure = match catch_unwind(AssertUnwindSafe(body)) {
        Ok(Ok(())) => return Status::OK,
        Ok(Err(failure)) => failure,
        Err(panic) => {
            let text = panic.downcast_ref::<&str>().map(ToString::to_string);
            let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
            Failure::new(Status::PANICKED, text.unwrap_or_default())
        }
    };
    // SAFETY: by the contract it is null or the caller's for the time of the call.
    if let Some(message) = unsafe { message.as_mut() } {
        failure.tell(message);
    }
    failure.status
}

fn null() -> Failure {
    Failure::invalid("a pointer is null")
}

/// A device, borrowed for a call.
///
/// # Safety
///
/// It is null or was given by `open` and not closed.
unsafe fn device<'d>(device: *mut Device) -> Result<&'d Shared, Failure> {
    // SAFETY: the caller's promise.
    unsafe { device.cast::<Shared>().as_ref() }.ok_or_else(null)
}

/// A plan, borrowed for a call.
///
/// # Safety
///
/// It is null or was given by `plan` and not dropped.
unsafe fn machine<'p>(plan: *mut Plan) -> Result<&'p mut Machine, Failure> {
    // SAFETY: the caller's promise.
    unsafe { plan.cast::<Machine>().as_mut() }.ok_or_else(null)
}

/// Writes a result.
///
/// # Safety
///
/// It is null or the caller's for the time of the call.
unsafe fn give<T>(to: *mut T, value: T) -> Result<(), Failure> {
    if to.is_null() {
        return Err(null());
    }
    // SAFETY: the caller's promise.
    unsafe { to.write(value) };
    Ok(())
}

unsafe extern "C" fn about(text: *mut Text) {
    guard(std::ptr::null_mut(), || {
        // SAFETY: the contract.
        unsafe { give(text, Text::new("reference plug-in: plain loops, for tests")) }
    });
}

unsafe extern "C" fn devices(
    infos: *mut DeviceInfo,
    capacity: u32,
    count: *mut u32,
    message: *mut Message,
) -> Status {
    guard(message, || {
        for (index, fault) in Fault::ALL.iter().take(capacity as usize).enumerate() {
            // SAFETY: the contract; there is room for `capacity`.
            unsafe { give(infos.wrapping_add(index), fault.info()) }?;
        }
        // SAFETY: the contract.
        unsafe { give(count, Fault::ALL.len() as u32) }
    })
}

unsafe extern "C" fn open(index: u32, device: *mut *mut Device, message: *mut Message) -> Status {
    guard(message, || {
        let Some(&fault) = Fault::ALL.get(index as usize) else {
            return Err(Failure::new(
                Status::NO_DEVICE,
                format!("no device {index}"),
            ));
        };
        let opened: *mut Device = match fault {
            Fault::Closed => {
                return Err(Failure::new(
                    Status::INTERNAL,
                    "the driver\nrefuses\u{1b}[31m",
                ));
            }
            Fault::Absent => std::ptr::null_mut(),
            _ => {
                let shared: Shared = Rc::new(RefCell::new(Opened::new(fault)));
                Box::into_raw(Box::new(shared)).cast()
            }
        };
        // SAFETY: the contract.
        unsafe { give(device, opened) }
    })
}

unsafe extern "C" fn close(device: *mut Device) {
    guard(std::ptr::null_mut(), || {
        if !device.is_null() {
            // SAFETY: the contract: given by `open`, not used again.
            drop(unsafe { Box::from_raw(device.cast::<Shared>()) });
        }
        Ok(())
    });
}

unsafe extern "C" fn memory(d: *mut Device, memory: *mut Memory, message: *mut Message) -> Status {
    guard(message, || {
        // SAFETY: the contract.
        unsafe { give(memory, device(d)?.borrow().memory()) }
    })
}

unsafe extern "C" fn supports(
    d: *mut Device,
    description: *const Description,
    memory: *mut Memory,
    message: *mut Message,
) -> Status {
    guard(message, || {
        // SAFETY: the contract.
        let (device, model) = unsafe { (device(d)?, Model::copy(description)?) };
        let (found, done) = match device.borrow().supports(&model) {
            Ok(found) => (found, Ok(())),
            Err((found, failure)) => (found, Err(failure)),
        };
        // SAFETY: the contract.
        unsafe { give(memory, found) }?;
        done
    })
}

unsafe extern "C" fn weight(
    d: *mut Device,
    weight: *const Weight,
    id: *mut u64,
    message: *mut Message,
) -> Status {
    guard(message, || {
        // SAFETY: the contract.
        let (device, weight) = unsafe { (device(d)?, weight.as_ref().ok_or_else(null)?) };
        let made = device.borrow_mut().weight(weight)?;
        // SAFETY: the contract.
        unsafe { give(id, made) }
    })
}

unsafe extern "C" fn upload(
    d: *mut Device,
    id: u64,
    first: u64,
    rows: u64,
    bytes: *const u8,
    length: u64,
    message: *mut Message,
) -> Status {
    guard(message, || {
        let length = u32::try_from(length).map_err(|_| Failure::invalid("a piece too large"))?;
        // SAFETY: the contract.
        let (device, bytes) = unsafe { (device(d)?, list(bytes, length)?) };
        let uploaded = device.borrow_mut().upload(id, first, &bytes)?;
        if uploaded as u64 == rows {
            Ok(())
        } else {
            Err(Failure::invalid("another number of rows than bytes"))
        }
    })
}

unsafe extern "C" fn drop_weight(d: *mut Device, id: u64, message: *mut Message) -> Status {
    guard(message, || {
        // SAFETY: the contract.
        let mut device = unsafe { device(d)? }.borrow_mut();
        match device.weights.get(&id) {
            Some(weight) if weight.users == 0 => {
                device.weights.remove(&id);
                Ok(())
            }
            Some(_) => Err(Failure::invalid("a plan uses the weight")),
            None => Err(Failure::invalid("no such weight")),
        }
    })
}

unsafe extern "C" fn plan(
    d: *mut Device,
    description: *const Description,
    plan: *mut *mut Plan,
    planned: *mut Planned,
    message: *mut Message,
) -> Status {
    guard(message, || {
        // SAFETY: the contract.
        let (device, model) = unsafe { (device(d)?, Model::copy(description)?) };
        device
            .borrow()
            .supports(&model)
            .map_err(|(_, failure)| failure)?;
        let bytes = device.borrow_mut().plan(&model)?;
        let spare = device.borrow().fault.spare();
        let machine = Machine::new(model, device.clone(), bytes);
        // SAFETY: the contract.
        unsafe {
            give(
                planned,
                Planned {
                    bytes,
                    spare,
                    reserved: 0,
                },
            )?;
            give(plan, Box::into_raw(Box::new(machine)).cast())
        }
    })
}

unsafe extern "C" fn drop_plan(plan: *mut Plan) {
    guard(std::ptr::null_mut(), || {
        if plan.is_null() {
            return Ok(());
        }
        // SAFETY: the contract: given by `plan`, not used again.
        let machine = unsafe { Box::from_raw(plan.cast::<Machine>()) };
        let mut device = machine.device.borrow_mut();
        device.plans -= machine.bytes;
        for weight in &machine.model.weights {
            if let Some(stored) = device.weights.get_mut(&weight.id) {
                stored.users -= 1;
            }
        }
        Ok(())
    });
}

unsafe extern "C" fn profile(p: *mut Plan, profile: *mut Profile, message: *mut Message) -> Status {
    guard(message, || {
        // SAFETY: the contract.
        unsafe {
            machine(p)?;
            let text = Text::new("32-bit floats, sums of products in 64-bit ones");
            give(
                profile,
                Profile {
                    text,
                    ..Profile::empty()
                },
            )
        }
    })
}

/// The place of the largest of the first `choices` elements of the last row.
fn largest(model: &Model, output: &[f32], choices: u32) -> Result<u32, Failure> {
    let width = model.width(model.output);
    let row = &output[output.len() - width..];
    let row = row
        .get(..choices as usize)
        .filter(|row| !row.is_empty())
        .ok_or_else(|| Failure::invalid("more choices than elements, or none"))?;
    if !row.iter().all(|x| x.is_finite()) {
        return Err(Failure::new(Status::NON_FINITE, "a logit is not finite"));
    }
    let best = (0..row.len()).fold(0, |best, i| if row[i] > row[best] { i } else { best });
    Ok(best as u32)
}

unsafe extern "C" fn run(
    p: *mut Plan,
    step: *const Step,
    reads: *const Read,
    read_count: u32,
    outcome: *mut Outcome,
    message: *mut Message,
) -> Status {
    guard(message, || {
        // SAFETY: the contract.
        let (machine, step, reads) = unsafe {
            (
                machine(p)?,
                step.as_ref().ok_or_else(null)?,
                list(reads, read_count)?,
            )
        };
        // SAFETY: the contract.
        let inputs = unsafe { Inputs::copy(step, &machine.model)? };
        let all = machine.run(&inputs, step.position as usize, step.count as usize)?;
        for read in &reads {
            let values = all.get(read.activation as usize).ok_or_else(null)?;
            // SAFETY: the contract.
            unsafe { answer(read, &machine.model, values) }?;
        }
        let mut result = Outcome::default();
        let mut output = all[machine.model.output as usize].clone();
        let fault = machine.device.borrow().fault;
        if step.flags & Step::ARGMAX != 0 {
            result.token = largest(&machine.model, &output, step.choices)?;
            if fault == Fault::Misleads {
                result.token = step.choices;
            }
        }
        if !step.output.is_null() {
            let skipped = usize::from(fault == Fault::Forgets);
            if fault == Fault::Overflows {
                output[1] = f32::INFINITY;
            }
            // SAFETY: the contract.
            unsafe { write(step.output.add(skipped), &output[skipped..]) };
        }
        // SAFETY: the contract.
        unsafe { give(outcome, result) }
    })
}

unsafe extern "C" fn greedy(
    p: *mut Plan,
    greedy: *const Greedy,
    produced: *mut u32,
    message: *mut Message,
) -> Status {
    guard(message, || {
        // SAFETY: the contract.
        let (machine, record) = unsafe { (machine(p)?, greedy.as_ref().ok_or_else(null)?) };
        // SAFETY: the contract.
        let ends = unsafe { list(record.ends, record.end_count)? };
        let mut token = record.token;
        for index in 0..record.count {
            let inputs = Inputs {
                tokens: vec![token],
                input: vec![],
                rows: 1,
            };
            let all = machine.run(&inputs, (record.position + index) as usize, 1)?;
            let output = &all[machine.model.output as usize];
            token = largest(&machine.model, output, record.choices)?;
            let misleads = machine.device.borrow().fault == Fault::Misleads;
            if misleads {
                token = record.choices;
            }
            // SAFETY: the contract: there is room for `count`.
            unsafe {
                give(record.tokens.add(index as usize), token)?;
                give(produced, index + 1)?;
            }
            if misleads || ends.contains(&token) {
                break;
            }
        }
        Ok(())
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

/// The contract's one symbol.
#[unsafe(no_mangle)]
pub extern "C" fn fidelis_offload_entry(host_version: u32) -> *const Api {
    if host_version == VERSION {
        &raw const API
    } else {
        std::ptr::null()
    }
}

//! The functions of the contract: every body catches its panics.

mod plan;

use crate::Failure;
use crate::copy::{Model, list};
use crate::fault::Fault;
use crate::memory::{Opened, Shared};
use fidelis_abi::{
    Api, Description, Device, DeviceInfo, Memory, Message, Status, Text, VERSION, Weight,
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
    plan: plan::plan,
    drop_plan: plan::drop_plan,
    profile: plan::profile,
    run: plan::run,
    greedy: Some(plan::greedy),
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

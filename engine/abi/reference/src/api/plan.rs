//! The functions of a plan.

use super::{device, give, guard, null};
use crate::Failure;
use crate::copy::{Inputs, Model, answer, list, write};
use crate::fault::Fault;
use crate::machine::Machine;
use fidelis_abi::{
    Description, Device, Greedy, Message, Outcome, Plan, Planned, Profile, Read, Status, Step, Text,
};

/// A plan, borrowed for a call.
///
/// # Safety
///
/// It is null or was given by `plan` and not dropped.
unsafe fn machine<'p>(plan: *mut Plan) -> Result<&'p mut Machine, Failure> {
    // SAFETY: the caller's promise.
    unsafe { plan.cast::<Machine>().as_mut() }.ok_or_else(null)
}

pub(super) unsafe extern "C" fn plan(
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

pub(super) unsafe extern "C" fn drop_plan(plan: *mut Plan) {
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

pub(super) unsafe extern "C" fn profile(
    p: *mut Plan,
    profile: *mut Profile,
    message: *mut Message,
) -> Status {
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

pub(super) unsafe extern "C" fn run(
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

pub(super) unsafe extern "C" fn greedy(
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

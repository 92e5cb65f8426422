//! An open device with its plan: the plug-in's functions behind safe ones.

mod steps;
mod upload;

pub(super) use steps::Call;

use super::error::{OffloadError, Place};
use super::library::Plugin;
use super::translate::Part;
use fidelis_abi::{Api, Device, Memory, Message, Plan, Planned, Status, Text};
use std::ptr::{self, NonNull};

/// A text of the plug-in on one line; `empty` if there is none.
pub(super) fn text_or(text: &Text, empty: &str) -> String {
    let text = text.as_str().trim();
    let text = if text.is_empty() { empty } else { text };
    text.replace(|c: char| c.is_control(), " ")
}

/// What a status means; `places` names the operations of the description that the call was about.
pub(super) fn check(
    call: &'static str,
    status: Status,
    message: &Message,
    places: &[Place],
) -> Result<(), OffloadError> {
    let place = || places.get(message.op as usize).cloned();
    let text = text_or(&message.text, "it does not say why");
    Err(match status {
        Status::OK => return Ok(()),
        Status::INVALID => OffloadError::Invalid { call, text },
        Status::NO_DEVICE => OffloadError::NoDevice,
        Status::UNSUPPORTED => OffloadError::Unsupported {
            place: place(),
            text,
        },
        Status::OUT_OF_MEMORY => OffloadError::Memory {
            needed: message.needed,
            available: message.available,
            fits: None,
            layers: 0,
        },
        Status::DEVICE_LOST | Status::TIMED_OUT => OffloadError::Lost { text },
        Status::NON_FINITE => OffloadError::NonFinite { place: place() },
        Status::PANICKED => OffloadError::Panicked { call, text },
        Status::INTERNAL => OffloadError::Failed { call, text },
        Status(status) => OffloadError::UnknownStatus { call, status, text },
    })
}

/// An open device with what was made there; everything is freed with it.
pub(super) struct OpenDevice {
    api: &'static Api,
    device: NonNull<Device>,
    plan: Option<NonNull<Plan>>,
    planned: Planned,
    places: Vec<Place>,
    /// Nothing more may be asked of it.
    is_lost: bool,
}

// SAFETY: by the contract a device and its plans may be used from one thread after another.
unsafe impl Send for OpenDevice {}

impl OpenDevice {
    /// Opens the device at this place of the list.
    pub(super) fn open(plugin: &Plugin, index: u32) -> Result<Self, OffloadError> {
        plugin.device(index)?;
        let (mut device, mut message) = (ptr::null_mut(), Message::empty());
        // SAFETY: both results are ours and live through the call.
        let status = unsafe { (plugin.api.open)(index, &raw mut device, &raw mut message) };
        check("open", status, &message, &[]).map_err(|error| match error {
            OffloadError::Unsupported { text, .. } | OffloadError::Failed { text, .. } => {
                OffloadError::CannotOpen { index, text }
            }
            error => error,
        })?;
        let device = NonNull::new(device).ok_or(OffloadError::Broken {
            call: "open",
            what: "the device is null",
        })?;
        Ok(Self {
            api: plugin.api,
            device,
            plan: None,
            planned: Planned::default(),
            places: vec![],
            is_lost: false,
        })
    }

    /// Notes that the device is of no use any more.
    fn checked(
        &mut self,
        call: &'static str,
        status: Status,
        message: &Message,
        places: &[Place],
    ) -> Result<(), OffloadError> {
        let done = check(call, status, message, places);
        self.is_lost |= done.as_ref().is_err_and(OffloadError::is_fatal);
        done
    }

    fn ready(&self) -> Result<(), OffloadError> {
        if self.is_lost {
            Err(OffloadError::IsLost)
        } else {
            Ok(())
        }
    }

    /// Its memory.
    pub(super) fn memory(&mut self) -> Result<Memory, OffloadError> {
        self.ready()?;
        let (mut memory, mut message) = (Memory::default(), Message::empty());
        // SAFETY: the device is open, and the results are ours.
        let status =
            unsafe { (self.api.memory)(self.device.as_ptr(), &raw mut memory, &raw mut message) };
        self.checked("memory", status, &message, &[])?;
        Ok(memory)
    }

    /// Whether the device can run a part of a graph, and the memory that takes.
    pub(super) fn supports(&mut self, part: &Part<'_, '_>) -> Result<Memory, OffloadError> {
        self.ready()?;
        let weights = part.weights(&[]);
        let description = part.description(&weights);
        let (mut memory, mut message) = (Memory::default(), Message::empty());
        // SAFETY: the device is open; the description's pointers are to `part` and `weights`, which live through the call.
        let status = unsafe {
            (self.api.supports)(
                self.device.as_ptr(),
                &raw const description,
                &raw mut memory,
                &raw mut message,
            )
        };
        self.checked("supports", status, &message, &part.places)?;
        Ok(memory)
    }
}

impl Drop for OpenDevice {
    fn drop(&mut self) {
        if let Some(plan) = self.plan {
            // SAFETY: the plan is there and not used again.
            unsafe { (self.api.drop_plan)(plan.as_ptr()) };
        }
        // SAFETY: the device is open, its plan is dropped, and it is not used again.
        unsafe { (self.api.close)(self.device.as_ptr()) };
    }
}

//! The exported function and the table it gives.

use crate::device::{Device, DeviceInfo, Memory, Plan, Planned, Profile};
use crate::model::{Description, Weight};
use crate::status::{Message, Status, Text};
use crate::step::{Greedy, Outcome, Read, Step};
use core::ffi::CStr;

/// The version of this contract. It changes when anything does; functions may be appended to [`Api`] without.
pub const VERSION: u32 = 1;

/// The name of the one symbol that a plug-in exports.
pub const ENTRY: &CStr = c"fidelis_offload_entry";

/// The exported function. `host_version` is the host's [`VERSION`]; null: the plug-in does not speak it.
///
/// It may be called from any thread, does no work, and gives the same pointer every time: a table that lives as long as the process.
pub type Entry = unsafe extern "C" fn(host_version: u32) -> *const Api;

/// Everything that a plug-in does. See the crate's documentation for the rules that hold for every function.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Api {
    /// [`VERSION`]. A host reads this and `size` first, and nothing else if they are not what it needs.
    pub version: u32,
    /// Bytes of the table. More than the host knows are later functions.
    pub size: u32,

    /// The plug-in's name and version, for people.
    ///
    /// Any thread. `text` is written.
    pub about: unsafe extern "C" fn(text: *mut Text),

    /// Lists the devices there are: writes those that fit to `infos`, and how many there are to `count`.
    ///
    /// Any thread. With a `capacity` of 0, `infos` may be null. The order is the same until the process ends; the first is the best.
    ///
    /// Errors: [`Status::INTERNAL`]. That there are none is no error.
    pub devices: unsafe extern "C" fn(
        infos: *mut DeviceInfo,
        capacity: u32,
        count: *mut u32,
        message: *mut Message,
    ) -> Status,

    /// Opens the device of this index in the list.
    ///
    /// Any thread. The result is freed by [`Self::close`]. One device may be opened several times.
    ///
    /// Errors: [`Status::NO_DEVICE`], [`Status::UNSUPPORTED`] if it lacks something that everything needs,
    /// [`Status::OUT_OF_MEMORY`], [`Status::INTERNAL`].
    pub open:
        unsafe extern "C" fn(index: u32, device: *mut *mut Device, message: *mut Message) -> Status,

    /// Frees a device with its weights. Its plans must have been dropped. Null does nothing.
    pub close: unsafe extern "C" fn(device: *mut Device),

    /// How much memory the device has, and what is in use.
    pub memory: unsafe extern "C" fn(
        device: *mut Device,
        memory: *mut Memory,
        message: *mut Message,
    ) -> Status,

    /// Says whether a plan could be made, and what memory it and its weights would take, without making anything.
    ///
    /// Weights need not exist; `memory` is written even with [`Status::OUT_OF_MEMORY`]. With a description of one
    /// operation this says whether the device can do that operation.
    ///
    /// Errors: [`Status::UNSUPPORTED`], naming the first operation, format or size that the device cannot do;
    /// [`Status::OUT_OF_MEMORY`]; [`Status::INVALID`] for a description that contradicts itself.
    pub supports: unsafe extern "C" fn(
        device: *mut Device,
        description: *const Description,
        memory: *mut Memory,
        message: *mut Message,
    ) -> Status,

    /// Makes room for a weight and gives its id, which is not 0.
    ///
    /// Freed by [`Self::drop_weight`] or with the device. Its values are unspecified until all its rows are uploaded.
    ///
    /// Errors: [`Status::UNSUPPORTED`] for its format or size, [`Status::OUT_OF_MEMORY`], [`Status::DEVICE_LOST`].
    pub weight: unsafe extern "C" fn(
        device: *mut Device,
        weight: *const Weight,
        id: *mut u64,
        message: *mut Message,
    ) -> Status,

    /// Uploads whole rows of a weight: `rows` rows from `first`, `length` bytes, in the format's own layout.
    ///
    /// `bytes` is read within the call, may lie in a mapped file, and is aligned to nothing. Rows may come in any order and in
    /// pieces of any size; a host uses some MiB at a time, to show progress.
    ///
    /// Errors: [`Status::INVALID`], [`Status::OUT_OF_MEMORY`], [`Status::DEVICE_LOST`].
    pub upload: unsafe extern "C" fn(
        device: *mut Device,
        id: u64,
        first: u64,
        rows: u64,
        bytes: *const u8,
        length: u64,
        message: *mut Message,
    ) -> Status,

    /// Frees a weight that no plan uses.
    ///
    /// Errors: [`Status::INVALID`].
    pub drop_weight:
        unsafe extern "C" fn(device: *mut Device, id: u64, message: *mut Message) -> Status,

    /// Makes a model ready to run: shaders, bindings, memory for keys, values and intermediates.
    ///
    /// All rows of its weights have been uploaded. Freed by [`Self::drop_plan`], before its device. It has read nothing.
    ///
    /// Errors: as for [`Self::supports`], and [`Status::DEVICE_LOST`].
    pub plan: unsafe extern "C" fn(
        device: *mut Device,
        description: *const Description,
        plan: *mut *mut Plan,
        planned: *mut Planned,
        message: *mut Message,
    ) -> Status,

    /// Frees a plan. Null does nothing.
    pub drop_plan: unsafe extern "C" fn(plan: *mut Plan),

    /// What the plan's numbers mean.
    pub profile: unsafe extern "C" fn(
        plan: *mut Plan,
        profile: *mut Profile,
        message: *mut Message,
    ) -> Status,

    /// Runs a step: reads tokens or an input, remembers keys and values, writes the output and the `read_count` observed activations.
    ///
    /// `outcome` is written. The plan counts positions: a step begins at the position where the last one ended, or before.
    ///
    /// Errors: [`Status::INVALID`], [`Status::NON_FINITE`], [`Status::DEVICE_LOST`], [`Status::TIMED_OUT`].
    pub run: unsafe extern "C" fn(
        plan: *mut Plan,
        step: *const Step,
        reads: *const Read,
        read_count: u32,
        outcome: *mut Outcome,
        message: *mut Message,
    ) -> Status,

    /// Chooses tokens on the device; how many goes to `produced`. Null in the table: the plug-in cannot.
    ///
    /// Errors: as for [`Self::run`]. With [`Status::NON_FINITE`], `produced` and the tokens so far are written.
    pub greedy: Option<
        unsafe extern "C" fn(
            plan: *mut Plan,
            greedy: *const Greedy,
            produced: *mut u32,
            message: *mut Message,
        ) -> Status,
    >,
}

const _: () = assert!(size_of::<Api>() == 8 + 14 * size_of::<usize>());

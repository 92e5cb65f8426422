//! The contract between Fidelis and a plug-in that runs models on another device.
//!
//! A plug-in is a shared library that exports one C function, [`ENTRY`], of type [`Entry`]. It gives a static table,
//! [`Api`], of everything else. What crosses the border is plain data of fixed layout:
//!
//! | | made by | freed by | |
//! |---|---|---|---|
//! | [`Device`] | [`Api::open`] | [`Api::close`] | opaque |
//! | weight | [`Api::weight`] | [`Api::drop_weight`], or with the device | a `u64` of the device |
//! | [`Plan`] | [`Api::plan`] | [`Api::drop_plan`] | opaque; owns its keys, values and intermediates |
//! | everything else | the caller | the caller | copied, or read and written, within the call alone |
//!
//! The path of a model:
//!
//! ```text
//! devices ─▶ open ─▶ supports ─▶ weight, upload …  ─▶ plan ─▶ run, run, run … ─▶ drop_plan ─▶ close
//!                    (dry run)   (every weight once)  (once)  (once per step)
//! ```
//!
//! A forward pass is data: [`Description`] holds a model's operations in order, as [`Op`] records that refer to weights,
//! intermediates, rotary tables and caches by index. It mirrors the graph of the engine one to one.
//!
//! # Rules for every function
//!
//! - **Errors** are a [`Status`]; what more there is to say goes to the caller's [`Message`], whose pointer may be null.
//!   After a status other than [`Status::OK`] the other results are unspecified, except [`Message`]. A host treats
//!   numbers that it does not know as [`Status::INTERNAL`].
//! - **Panics** and exceptions end inside the plug-in, as [`Status::PANICKED`].
//! - **Threads.** [`Api::about`], [`Api::devices`] and [`Api::open`] may be called from any thread at any time. A device
//!   with its weights and plans is used by one thread at a time, not always the same one; two devices may be used at once.
//! - **Time.** Calls return when the work is done. A plug-in waits for its device with a limit of its own and then returns
//!   [`Status::TIMED_OUT`].
//! - **Pointers** are aligned for what they point to and valid for as many elements as the count beside them says; with a
//!   count of 0 they may be null. Only those described so may be null otherwise.
//! - **A lost device** ([`Status::DEVICE_LOST`], [`Status::TIMED_OUT`]) or one after [`Status::PANICKED`] is used only to
//!   drop its weights and plans and to close it.
//! - The library is **never unloaded**: drivers keep threads and thread-locals.
//! - Everything is finite: values of weights, activations handed over, and results. See [`Status::NON_FINITE`].

#![no_std]
#![forbid(unsafe_code)]

mod api;
mod device;
mod model;
mod status;
mod step;

pub use api::{Api, ENTRY, Entry, VERSION};
pub use device::{Device, DeviceInfo, DeviceKind, Inputs, Memory, Plan, Planned, Profile, Tier};
pub use model::{
    Activate, Activation, Cache, Description, NONE, Op, OpKind, Pairing, Rope, Weight,
};
pub use status::{Message, Status, Text};
pub use step::{Greedy, Outcome, Read, Rows, Step};

//! The C library of Fidelis: a thin skin of C functions, [`ffi`], over a safe core.
//!
//! | module | what |
//! |---|---|
//! | [`ffi`] | pointers become references, panics become statuses; the only unsafe code |
//! | `model` | a file with what was read of it, shared by its sessions |
//! | `session` | a conversation that keeps its model |
//! | `sampler` | who chooses, lent to sessions |
//! | `constrain` | what answers keep to |
//! | `template` | conversations as text |
//! | `failure` | a status and a message |
//!
//! What is written at the functions of [`ffi`] is the header's text: `include/fidelis.h` is generated from it.

#![deny(unsafe_code)]

#[cfg_attr(not(feature = "constraints"), path = "constrain_absent.rs")]
mod constrain;
mod failure;
#[expect(
    unsafe_code,
    non_camel_case_types,
    clippy::missing_safety_doc,
    reason = "C has pointers and its own names; the rules for pointers are said once, in the header"
)]
pub mod ffi;
mod model;
mod sampler;
mod session;
#[cfg_attr(not(feature = "templates"), path = "template_absent.rs")]
mod template;

pub use ffi::*;

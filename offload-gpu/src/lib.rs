//! The plug-in that runs models on graphics processors, through wgpu.
//!
//! A [`device::Gpu`] is opened, [`memory::Weight`]s are brought to it, a [`plan::Plan`] is made of a [`graph::Graph`] once and run step by step.

#![deny(unsafe_code)]

mod check;
mod describe;
pub mod device;
mod encode;
pub mod error;
pub mod format;
mod fuse;
pub mod graph;
mod greedy;
#[expect(unsafe_code, reason = "the border of a C contract")]
mod guard;
mod host;
mod layout;
pub mod memory;
mod op;
pub mod pipeline;
pub mod plan;
pub mod run;
mod store;
mod timing;
#[expect(unsafe_code, reason = "a promise to wgpu")]
mod trust;

pub use guard::fidelis_offload_entry;

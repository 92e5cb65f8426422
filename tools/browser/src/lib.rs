//! A chat with a GGUF model in a browser's tab: the engine without threads, files and clock, as WebAssembly.
//!
//! `build` puts the page together in `dist`. A worker of the page makes an instance of this module, puts the model file into
//! its memory and asks for an answer token by token ([`exports`] says how), so that the page stays
//! alive. One instance runs one model.

#![deny(unsafe_code)]

mod chat;
#[expect(unsafe_code, reason = "names that the page calls must be kept")]
pub mod exports;

pub use chat::{Chat, ChatError, Newest};

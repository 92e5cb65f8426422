//! A plug-in of plain loops in 32-bit floats, to test the engine's side of the contract without a GPU.
//!
//! It is slow and obvious: one loop per operation, nothing fused, nothing shared. It checks what a host promises more strictly than
//! a fast plug-in would, and says [`Status::INVALID`](fidelis_abi::Status::INVALID) where the host is wrong. Its devices are one that works and
//! several that fail, each in one way; see [`Fault`].

#![deny(unsafe_code)]

#[expect(unsafe_code, reason = "functions of the C contract")]
mod api;
mod attend;
#[expect(unsafe_code, reason = "the contract's plain data holds pointers")]
mod copy;
mod fault;
mod machine;
mod memory;

pub use api::fidelis_offload_entry;
pub use fault::Fault;

use fidelis_abi::{Message, NONE, Status, Text};

/// Why a call fails.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Failure {
    status: Status,
    text: String,
    op: u32,
    needed: u64,
    available: u64,
}

impl Failure {
    fn new(status: Status, text: impl Into<String>) -> Self {
        Self {
            status,
            text: text.into(),
            op: NONE,
            needed: 0,
            available: 0,
        }
    }

    fn invalid(text: impl Into<String>) -> Self {
        Self::new(Status::INVALID, text)
    }

    fn at(self, op: usize) -> Self {
        Self {
            op: op as u32,
            ..self
        }
    }

    fn tell(&self, message: &mut Message) {
        message.text = Text::new(&self.text);
        message.op = self.op;
        message.needed = self.needed;
        message.available = self.available;
    }
}

/// The file that cargo builds beside the program `test`: in its folder, or in `deps` below that.
///
/// # Errors
///
/// `std::io::Error` if the running program's path is not known.
pub fn path() -> std::io::Result<std::path::PathBuf> {
    use std::env::consts::{DLL_PREFIX, DLL_SUFFIX};
    let name = format!("{DLL_PREFIX}fidelis_offload_reference{DLL_SUFFIX}");
    let program = std::env::current_exe()?;
    Ok(program.with_file_name(name))
}

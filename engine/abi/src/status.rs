//! How calls end, and what there is to say about it.

use crate::model::NONE;

/// How a call ended. A number, so that one that a host does not know is not undefined behaviour.
#[repr(transparent)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Status(pub u32);

impl Status {
    /// As asked.
    pub const OK: Self = Self(0);
    /// The caller broke the contract: an index out of range, a length that does not fit, a position beyond the context.
    pub const INVALID: Self = Self(1);
    /// There is no device with this index, or none at all.
    pub const NO_DEVICE: Self = Self(2);
    /// The device cannot do an operation, a format or a size; [`Message::op`] says which operation. Nothing is
    /// converted to something else instead.
    pub const UNSUPPORTED: Self = Self(3);
    /// The device's memory does not suffice; [`Message::needed`] and [`Message::available`] say how far.
    pub const OUT_OF_MEMORY: Self = Self(4);
    /// The device vanished or was reset.
    pub const DEVICE_LOST: Self = Self(5);
    /// A result is not a number or infinite, or a key or value is more than the cache's format holds;
    /// [`Message::op`] says where, if it is known. The plan remembers what it did before the step.
    pub const NON_FINITE: Self = Self(6);
    /// The plug-in panicked.
    pub const PANICKED: Self = Self(7);
    /// The device did not finish in time.
    pub const TIMED_OUT: Self = Self(8);
    /// Anything else: the message says what.
    pub const INTERNAL: Self = Self(9);
}

/// A text of up to 508 bytes, owned by who holds the structure.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Text {
    /// Bytes in use; a reader takes more than there are as all of them.
    pub length: u32,
    /// UTF-8, without a terminating zero.
    pub bytes: [u8; 508],
}

impl Text {
    /// No text.
    pub const fn empty() -> Self {
        Self {
            length: 0,
            bytes: [0; 508],
        }
    }

    /// `text`, cut to what fits, at a character's boundary.
    pub fn new(text: &str) -> Self {
        let mut new = Self::empty();
        let length = text.floor_char_boundary(new.bytes.len());
        new.bytes[..length].copy_from_slice(&text.as_bytes()[..length]);
        new.length = length as u32;
        new
    }

    /// The text, up to the first byte that is not UTF-8.
    pub fn as_str(&self) -> &str {
        let length = (self.length as usize).min(self.bytes.len());
        let bytes = &self.bytes[..length];
        match core::str::from_utf8(bytes) {
            Ok(text) => text,
            Err(error) => core::str::from_utf8(&bytes[..error.valid_up_to()]).unwrap_or_default(),
        }
    }
}

/// What a failed call says besides its status. The caller makes it, [`Self::empty`], and owns it.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Message {
    /// With [`Status::OUT_OF_MEMORY`], bytes that what was asked for takes in all; 0: unknown.
    pub needed: u64,
    /// With [`Status::OUT_OF_MEMORY`], bytes that can be had; 0: unknown.
    pub available: u64,
    /// The index of the operation at fault in [`crate::Description::ops`]; [`NONE`] if there is none or it is not known.
    pub op: u32,
    /// Zero.
    pub reserved: u32,
    /// One line for people, lower case, no full stop.
    pub text: Text,
}

impl Message {
    /// Nothing to say.
    pub const fn empty() -> Self {
        Self {
            needed: 0,
            available: 0,
            op: NONE,
            reserved: 0,
            text: Text::empty(),
        }
    }
}

const _: () = {
    assert!(size_of::<Text>() == 512);
    assert!(size_of::<Message>() == 24 + 512);
};

//! The devices: one that works, the others fail.

use fidelis_abi::{DeviceInfo, DeviceKind, Text};

/// What is wrong with a device. The order is that of the devices' list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nothing.
    None,
    /// `run` panics.
    Panics,
    /// The device vanishes in its fourth step.
    Vanishes,
    /// The fourth step takes too long.
    Hangs,
    /// `run` ends with a status that nobody knows.
    Mumbles,
    /// An element of the output is infinite, and nobody says so.
    Overflows,
    /// An element of the output is never written.
    Forgets,
    /// It sees that a result is not finite, in the operation at place 2.
    Notices,
    /// It has 2 MiB of memory, and knows.
    Small,
    /// It has 2 MiB of memory, and finds out when it is full.
    Surprised,
    /// It cannot do soft caps nor windows.
    Plain,
    /// It knows no format but `F32`.
    FloatsOnly,
    /// It cannot be opened.
    Closed,
    /// `open` succeeds and gives no device.
    Absent,
    /// It chooses a token beyond the vocabulary.
    Misleads,
    /// Its caches with windows hold 3 positions more than the window.
    Sliding,
    /// Its products read the fields of their sizes in another order: rows for width.
    Misreads,
    /// Its products add up 64 lanes as if they were one subgroup, which has 32.
    Halves,
    /// Its products count work groups in one dimension, of which there are 65,535.
    Flat,
    /// Its products start as many groups of 16 rows as fit wholly.
    Truncates,
    /// Its gates read what the step before left in their buffer.
    Lags,
}

impl Fault {
    /// Every device.
    pub const ALL: [Self; 21] = [
        Self::None,
        Self::Panics,
        Self::Vanishes,
        Self::Hangs,
        Self::Mumbles,
        Self::Overflows,
        Self::Forgets,
        Self::Notices,
        Self::Small,
        Self::Surprised,
        Self::Plain,
        Self::FloatsOnly,
        Self::Closed,
        Self::Absent,
        Self::Misleads,
        Self::Sliding,
        Self::Misreads,
        Self::Halves,
        Self::Flat,
        Self::Truncates,
        Self::Lags,
    ];

    /// Its place in the list.
    pub fn index(self) -> u32 {
        self as u32
    }

    /// Bytes of the device's memory.
    pub(crate) fn memory(self) -> u64 {
        match self {
            Self::Small | Self::Surprised => 2 << 20,
            _ => 1 << 30,
        }
    }

    /// Positions that a cache with a window keeps beyond it; all others are overwritten with NaN.
    pub(crate) fn spare(self) -> u32 {
        match self {
            Self::Sliding => 3,
            _ => u32::MAX,
        }
    }

    pub(crate) fn info(self) -> DeviceInfo {
        DeviceInfo {
            kind: DeviceKind::SOFTWARE,
            memory: self.memory(),
            buffer_bytes: self.memory(),
            binding_bytes: self.memory(),
            name: Text::new(&format!("reference device ({self:?})")),
            driver: Text::new("plain loops"),
            interface: Text::new("Rust"),
            features: Text::new("f32"),
            ..DeviceInfo::empty()
        }
    }
}

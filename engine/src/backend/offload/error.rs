//! What can be wrong with a plug-in or its device.

use crate::graph::{Graph, Op};
use std::fmt;
use std::path::PathBuf;

/// An operation, as a message names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// What it is, with its weight's format.
    pub what: String,
    /// The checkpoint that it computes.
    pub checkpoint: String,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.what, self.checkpoint)
    }
}

impl Place {
    pub(super) fn new(graph: &Graph<'_>, op: &Op) -> Self {
        let format = |weight: &crate::graph::WeightId| graph.weights[weight.0 as usize].format;
        let what = match op {
            Op::Embed { table, .. } => format!("embedding in {}", format(table)),
            Op::Norm { weight, .. } => format!("norm in {}", format(weight)),
            Op::MatMul { weight, .. } => format!("matrix product in {}", format(weight)),
            Op::Bias { bias, .. } => format!("bias in {}", format(bias)),
            Op::Rope { .. } => "rotary turn".to_owned(),
            Op::Attend(_) => "attention".to_owned(),
            Op::Gate { .. } => "gate".to_owned(),
            Op::Add { .. } => "sum".to_owned(),
            Op::SoftCap { .. } => "soft cap".to_owned(),
        };
        Self {
            what,
            checkpoint: graph.activations[op.out().0 as usize].name.clone(),
        }
    }
}

/// `at PLACE: `, if the place is known.
fn at(place: Option<&Place>) -> String {
    place.map(|place| format!("{place}: ")).unwrap_or_default()
}

/// What else to say of too little memory.
fn remedy(fits: Option<usize>, layers: usize) -> String {
    match fits {
        None => String::new(),
        Some(0) => "; not even one layer would fit".to_owned(),
        Some(fits) => format!("; {fits} of {layers} layers would fit: -ngl {fits}"),
    }
}

/// Bytes for people.
struct Bytes(u64);

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 == 0 {
            return f.write_str("an unknown amount");
        }
        write!(f, "{:.1} MiB", self.0 as f64 / f64::from(1 << 20))
    }
}

/// Why a model cannot run, or go on running, on a device behind a plug-in.
#[derive(Debug, thiserror::Error)]
pub enum OffloadError {
    /// There is no file.
    #[error("there is no plug-in at {}", path.display())]
    Missing {
        /// Where it should be.
        path: PathBuf,
    },
    /// The program's own path is not known, so nothing can lie beside it.
    #[error("the program's own folder is not known; give the plug-in's path")]
    NoFolder(#[source] std::io::Error),
    /// The system does not load the file.
    #[error("{} cannot be loaded as a library", path.display())]
    NotLibrary {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The library is no plug-in.
    #[error("{} is not a plug-in: it does not export {symbol}", path.display())]
    MissingSymbol {
        /// The file.
        path: PathBuf,
        /// What every plug-in exports.
        symbol: &'static str,
    },
    /// The plug-in does not speak this version of the contract.
    #[error("the plug-in {} does not speak version {wanted} of the contract; take the one that came with this program", path.display())]
    Refused {
        /// The file.
        path: PathBuf,
        /// This program's version.
        wanted: u32,
    },
    /// The plug-in is of another version.
    #[error("the plug-in {} speaks version {found} of the contract, not {wanted}; take the one that came with this program", path.display())]
    Version {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: u32,
        /// This program's version.
        wanted: u32,
    },
    /// The table ends before its last function.
    #[error("the plug-in {} has a table of {found} bytes, not {wanted}", path.display())]
    ShortTable {
        /// The file.
        path: PathBuf,
        /// Bytes there are.
        found: u32,
        /// Bytes needed.
        wanted: usize,
    },
    /// A function is missing, or the table is not aligned.
    #[error("the plug-in {} has a broken table: {what}", path.display())]
    BrokenTable {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        what: &'static str,
    },
    /// There is no device, or none at this place of the list.
    #[error("the plug-in finds {count} devices, so there is none with the number {index}")]
    NoSuchDevice {
        /// What was asked for.
        index: u32,
        /// How many there are.
        count: usize,
    },
    /// There is no device at all.
    #[error("the plug-in finds no device on this machine")]
    NoDevice,
    /// The device cannot be opened.
    #[error("device {index} cannot be opened: {text}")]
    CannotOpen {
        /// Its place in the list.
        index: u32,
        /// What the plug-in says.
        text: String,
    },
    /// An operation, a format or a size that the device cannot do.
    #[error("the device does not support {}: {text}", place.as_ref().map_or("the model".to_owned(), Place::to_string))]
    Unsupported {
        /// The operation.
        place: Option<Place>,
        /// What the plug-in says.
        text: String,
    },
    /// Too little memory on the device.
    #[error("the device has too little memory: {} needed, {} to be had{}", Bytes(*needed), Bytes(*available), remedy(*fits, *layers))]
    Memory {
        /// Bytes that the layers take.
        needed: u64,
        /// Bytes there are.
        available: u64,
        /// How many layers would fit, if it is known.
        fits: Option<usize>,
        /// Layers of the model.
        layers: usize,
    },
    /// The device vanished, or does not answer.
    #[error("the device is lost: {text}")]
    Lost {
        /// What the plug-in says.
        text: String,
    },
    /// A call after the device was lost.
    #[error("the device was lost")]
    IsLost,
    /// A result that is not finite.
    #[error("{}a result on the device is not finite", at(place.as_ref()))]
    NonFinite {
        /// The operation, if the plug-in knows it.
        place: Option<Place>,
    },
    /// The plug-in panicked.
    #[error("the plug-in panicked in {call}: {text}")]
    Panicked {
        /// The function.
        call: &'static str,
        /// What the plug-in says.
        text: String,
    },
    /// The plug-in holds a call to be wrong.
    #[error("the plug-in refuses the call of {call}: {text}")]
    Invalid {
        /// The function.
        call: &'static str,
        /// What the plug-in says.
        text: String,
    },
    /// Any other failure.
    #[error("the plug-in failed in {call}: {text}")]
    Failed {
        /// The function.
        call: &'static str,
        /// What the plug-in says.
        text: String,
    },
    /// A status that the contract does not know.
    #[error("the plug-in ended {call} with the unknown status {status}: {text}")]
    UnknownStatus {
        /// The function.
        call: &'static str,
        /// The number.
        status: u32,
        /// What the plug-in says.
        text: String,
    },
    /// A result that the contract excludes.
    #[error("the plug-in broke the contract in {call}: {what}")]
    Broken {
        /// The function.
        call: &'static str,
        /// What is wrong.
        what: &'static str,
    },
    /// A number beyond 32 bits.
    #[error("{what} is {value}, more than the contract with plug-ins can say")]
    TooLarge {
        /// What it counts.
        what: &'static str,
        /// The number.
        value: usize,
    },
    /// The tier `audit`.
    #[error("a device cannot compute in 64-bit floats: audit runs on the CPU alone")]
    Audit,
    /// No single activation passes from one layer to the next.
    #[error("the model cannot be divided before layer {layer}")]
    Indivisible {
        /// The first layer that would be on the device.
        layer: usize,
    },
    /// No layer is to run on the device.
    #[error("no layer was asked for on the device")]
    NoLayers,
    /// An intermediate that stays on the device.
    #[error("{checkpoint} is not shown: the back end was made without observation")]
    NotShown {
        /// Its name.
        checkpoint: String,
    },
}

impl OffloadError {
    /// Whether the device is of no use any more, so that only another back end can go on.
    pub fn is_fatal(&self) -> bool {
        matches!(
            self,
            Self::Lost { .. }
                | Self::IsLost
                | Self::Panicked { .. }
                | Self::UnknownStatus { .. }
                | Self::Broken { .. }
        )
    }
}

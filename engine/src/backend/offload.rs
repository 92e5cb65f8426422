//! A device behind a plug-in: the last layers of a model run there, the others on the CPU.
//!
//! The plug-in is a library that is loaded at run time ([`Plugin`]); the contract is the crate `fidelis-abi`. A graph is
//! translated to its records once. With `N` layers on the device, these are the last `N` with the head: activations cross once
//! per step, and logits come back. With all of them the embedding is on the device as well, and token ids cross.

#[expect(unsafe_code, reason = "calls a plug-in's functions")]
mod device;
mod error;
mod fit;
#[expect(unsafe_code, reason = "calls a plug-in's entry and reads its table")]
mod library;
#[cfg_attr(
    any(unix, windows),
    expect(unsafe_code, reason = "loads a library"),
    path = "offload/loader.rs"
)]
#[cfg_attr(not(any(unix, windows)), path = "offload/loader_absent.rs")]
mod loader;
#[expect(unsafe_code, reason = "calls a plug-in's functions")]
mod probe;
mod run;
mod split;
mod translate;

pub use error::{OffloadError, Place};
pub use fidelis_abi::Tier as OffloadTier;
pub use fidelis_abi::{DeviceInfo, DeviceKind, Inputs, Memory, Profile};
pub use fit::Fit;
pub use library::Plugin;
pub use probe::Promise;

use super::{BackendError, CacheFormat, CpuBackend, CpuSettings, Tier};
use crate::graph::Graph;
use device::OpenDevice;
use fidelis_abi as abi;
use fidelis_simd::Format;
use split::Split;
use translate::Part;

/// How many layers run on the device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GpuLayers {
    /// All, and the embedding.
    All,
    /// The last so many with the head, at least one; all if the model has no more.
    Last(usize),
}

/// What an [`OffloadBackend`] is made with.
#[derive(Clone, Debug)]
pub struct OffloadSettings {
    /// The device's place in the plug-in's list.
    pub device: u32,
    /// How many layers run there.
    pub layers: GpuLayers,
    /// How numbers are to be held there; `None`: as the plug-in likes, see [`OffloadBackend::profile`].
    pub tier: Option<Tier>,
    /// Whether every intermediate can be shown; without, there are fewer of them and it is faster.
    pub observe: bool,
    /// Context, batch and the format of keys and values for both parts; the rest for the CPU's.
    pub cpu: CpuSettings,
}

/// Rows of logits that come back at once.
const OUTPUT_ROWS: usize = 64;

/// What of the settings the device must know.
struct Sizes {
    context: usize,
    batch: usize,
    output_rows: usize,
    cache: Format,
    tier: abi::Tier,
    observe: bool,
}

impl OffloadSettings {
    fn sizes(&self) -> Result<Sizes, BackendError> {
        let CpuSettings { context, batch, .. } = self.cpu;
        for (setting, value) in [("context", context), ("batch", batch)] {
            if value == 0 {
                return Err(BackendError::Zero { setting });
            }
        }
        let batch = batch.min(context);
        Ok(Sizes {
            context,
            batch,
            output_rows: batch.min(OUTPUT_ROWS),
            cache: match self.cpu.cache {
                CacheFormat::F16 => Format::F16,
                CacheFormat::F32 => Format::F32,
                CacheFormat::Q8_0 => Format::Q8_0,
                CacheFormat::F64 => return Err(OffloadError::Audit.into()),
            },
            tier: match self.tier {
                None => abi::Tier::ANY,
                Some(Tier::Fast) => abi::Tier::FAST,
                Some(Tier::F32) => abi::Tier::F32,
                Some(Tier::Audit) => return Err(OffloadError::Audit.into()),
            },
            observe: self.observe,
        })
    }
}

/// An intermediate that the device can show.
struct Shown {
    name: String,
    /// Its index in the plan.
    activation: u32,
    width: usize,
    /// Whether it has rows only for tokens whose logits are wanted.
    is_tail: bool,
}

/// Runs a graph on a device, or its last layers.
pub struct OffloadBackend<'a> {
    /// The device with the last layers.
    device_part: OpenDevice,
    /// The first layers.
    cpu: Option<CpuBackend<'a>>,
    places: Vec<Place>,
    shown: Vec<Shown>,
    /// The name of the output, which comes back in any case.
    output: String,
    output_width: usize,
    vocabulary: usize,
    sizes: Sizes,
    /// The smallest window, if any layer of the device has one.
    smallest_window: Option<usize>,
    layers: usize,
    /// Bytes of the weights there.
    uploaded: u64,
    device: DeviceInfo,
    profile: Profile,
    position: usize,
    /// The most positions that the device has read since it last began at 0: its windows may have moved on so far.
    most: usize,
    logits: Vec<f32>,
}

impl<'a> OffloadBackend<'a> {
    /// Opens the device, uploads the weights of its layers, and makes them ready to run.
    ///
    /// `progress` is told how many of how many bytes are uploaded.
    ///
    /// # Errors
    ///
    /// [`BackendError`] for settings that cannot be met, and every [`OffloadError`] that a device may give.
    pub fn new(
        graph: &Graph<'a>,
        plugin: &Plugin,
        settings: &OffloadSettings,
        mut progress: impl FnMut(u64, u64),
    ) -> Result<Self, BackendError> {
        let sizes = settings.sizes()?;
        let split = Split::new(graph, settings.layers)?;
        let part = Part::new(graph, &split, &sizes)?;
        let mut device = OpenDevice::open(plugin, settings.device)?;
        let info = plugin.device(settings.device)?;
        device
            .supports(&part)
            .map_err(|error| fit::with_layers(error, graph, &sizes, &mut device))?;
        let upload = device.upload(&part, &mut progress);
        let ids = upload.map_err(|error| fit::with_layers(error, graph, &sizes, &mut device))?;
        device.plan(&part, &ids).map_err(|error| {
            device.drop_weights(&ids);
            fit::with_layers(error, graph, &sizes, &mut device)
        })?;
        let profile = device.profile()?;
        let cpu = match split.front(graph) {
            None => None,
            Some(front) => Some(CpuBackend::new(&front, &settings.cpu)?),
        };
        Ok(Self {
            cpu,
            shown: part.shown(),
            output: part.output_name().to_owned(),
            output_width: part.output_width(),
            smallest_window: part.smallest_window(),
            uploaded: part.bytes(),
            places: part.places,
            vocabulary: graph.vocabulary(),
            layers: split.layers(),
            device_part: device,
            sizes,
            device: info,
            profile,
            position: 0,
            most: 0,
            logits: Vec::new(),
        })
    }

    /// What the device's numbers mean.
    pub fn profile(&self) -> &Profile {
        &self.profile
    }

    /// The device.
    pub fn device(&self) -> &DeviceInfo {
        &self.device
    }

    /// Layers on the device.
    pub fn layers(&self) -> usize {
        self.layers
    }

    /// Bytes of the weights on the device.
    pub fn uploaded_bytes(&self) -> u64 {
        self.uploaded
    }
}

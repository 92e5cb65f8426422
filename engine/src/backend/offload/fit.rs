//! Whether a device can run a model, and how much of it.

use super::device::OpenDevice;
use super::error::OffloadError;
use super::split::{Split, layers};
use super::translate::Part;
use super::{GpuLayers, Memory, OffloadSettings, Plugin, Sizes};
use crate::backend::BackendError;
use crate::graph::Graph;

/// What a model takes on a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fit {
    /// Layers that were asked for.
    pub layers: usize,
    /// Bytes of the device and for the model; 0: unknown.
    pub memory: Memory,
}

impl Plugin {
    /// Whether a device could run a graph as the settings ask, without uploading anything.
    ///
    /// # Errors
    ///
    /// Why not; [`OffloadError::Memory`] says how many layers would fit.
    pub fn fit(&self, graph: &Graph<'_>, settings: &OffloadSettings) -> Result<Fit, BackendError> {
        let sizes = settings.sizes()?;
        let split = Split::new(graph, settings.layers)?;
        let part = Part::new(graph, &split, &sizes)?;
        let mut device = OpenDevice::open(self, settings.device)?;
        let memory = device
            .supports(&part)
            .map_err(|error| with_layers(error, graph, &sizes, &mut device))?;
        Ok(Fit {
            layers: split.layers(),
            memory,
        })
    }

    /// A device's memory.
    ///
    /// # Errors
    ///
    /// [`OffloadError`] if the device cannot be opened or does not tell.
    pub fn memory(&self, index: u32) -> Result<Memory, OffloadError> {
        OpenDevice::open(self, index)?.memory()
    }
}

/// Adds to an error about memory how many layers would fit.
pub(super) fn with_layers(
    error: OffloadError,
    graph: &Graph<'_>,
    sizes: &Sizes,
    device: &mut OpenDevice,
) -> OffloadError {
    let OffloadError::Memory {
        needed, available, ..
    } = error
    else {
        return error;
    };
    let all = layers(graph);
    let mut fits = |layers: usize| {
        let part = Split::new(graph, GpuLayers::Last(layers))
            .and_then(|split| Part::new(graph, &split, sizes));
        part.and_then(|part| device.supports(&part)).is_ok()
    };
    // The first number of layers that does not fit lies behind `least`, at `most` or before.
    let (mut least, mut most) = (0, all);
    while least + 1 < most {
        let middle = usize::midpoint(least, most);
        if fits(middle) {
            least = middle;
        } else {
            most = middle;
        }
    }
    // A device that found out only as it ran out of memory promises whatever is asked.
    let is_known = !fits(all);
    OffloadError::Memory {
        needed,
        available,
        fits: is_known.then_some(least),
        layers: all,
    }
}

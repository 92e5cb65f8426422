//! Where a model runs: flags, and what happens without a device.

use crate::progress;
use anyhow::{Result, bail};
use clap::Args;
use fidelis_engine::backend::offload::{
    GpuLayers, OffloadBackend, OffloadError, OffloadSettings, Plugin,
};
use fidelis_engine::backend::{Backend, BackendError, CpuBackend, CpuSettings, Tier};
use fidelis_engine::graph::Graph;
use std::path::PathBuf;

/// Where a model runs.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Device")]
pub(crate) struct DeviceOptions {
    /// cpu (the default), gpu, or gpu:N of `fidelis devices`; auto: a GPU if one can.
    #[arg(long, value_name = "NAME")]
    device: Option<String>,
    /// Layers on the GPU, the last ones: a number, all, or auto: as many as fit. Without --device and --plugin, the CPU does what no GPU can.
    #[arg(
        long,
        value_name = "N",
        env = "LLAMA_ARG_N_GPU_LAYERS",
        allow_hyphen_values = true
    )]
    n_gpu_layers: Option<String>,
    /// The library through which a GPU is reached; the one beside this program if absent.
    #[arg(long, value_name = "FILE")]
    plugin: Option<PathBuf>,
    /// If the GPU fails while it answers, the chat goes on on the CPU.
    #[arg(long)]
    cpu_fallback: bool,
}

/// How many layers are wanted on the device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Layers {
    All,
    /// As many as fit.
    Fitting,
    Last(usize),
}

/// What is asked for besides the CPU.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Wanted {
    /// The device's place in the plug-in's list.
    pub(crate) index: u32,
    pub(crate) layers: Layers,
    /// Whether it was asked for by name, so that the CPU is no answer.
    pub(crate) is_named: bool,
}

impl DeviceOptions {
    /// The device that is wanted; `None`: the CPU.
    pub(crate) fn wanted(&self) -> Result<Option<Wanted>> {
        let layers = self.layers()?;
        let none = layers == Some(Layers::Last(0));
        let plugin = self.plugin.is_some();
        let (index, is_named) = match self.device.as_deref() {
            Some("cpu" | "none") => return Ok(None),
            Some("auto") => (0, plugin),
            Some("gpu") => (0, true),
            Some(name) => match name.strip_prefix("gpu:").map(str::parse) {
                Some(Ok(index)) => (index, true),
                _ => bail!("--device {name}: only cpu, gpu, gpu:N and auto are known"),
            },
            None if none || (layers.is_none() && !plugin) => return Ok(None),
            None => (0, plugin),
        };
        if none {
            bail!("a device was asked for, but no layer on it: -ngl 0");
        }
        let layers = layers.unwrap_or(if is_named {
            Layers::All
        } else {
            Layers::Fitting
        });
        Ok(Some(Wanted {
            index,
            layers,
            is_named,
        }))
    }

    fn layers(&self) -> Result<Option<Layers>> {
        let Some(text) = self.n_gpu_layers.as_deref() else {
            return Ok(None);
        };
        Ok(Some(match text {
            "all" | "-2" => Layers::All,
            "auto" | "-1" => Layers::Fitting,
            _ => match text.parse() {
                Ok(layers) => Layers::Last(layers),
                Err(_) => bail!("--n-gpu-layers {text}: a number, all or auto"),
            },
        }))
    }

    /// Whether a chat goes on on the CPU when the device fails.
    pub(crate) fn falls_back(&self) -> bool {
        self.cpu_fallback
    }

    /// The plug-in: the one that was named, or the one beside the program.
    pub(crate) fn open_plugin(&self) -> Result<Plugin, OffloadError> {
        match &self.plugin {
            Some(path) => Plugin::open(path),
            None => Plugin::beside_program(),
        }
    }

    /// Whether the plug-in's path was given.
    pub(crate) fn names_plugin(&self) -> bool {
        self.plugin.is_some()
    }

    /// A back end on the device that is wanted, or on the CPU; which, and why not on a device, is said in one line.
    ///
    /// `tier` is the one that was asked for, if any.
    pub(crate) fn backend<'a>(
        &self,
        graph: &Graph<'a>,
        cpu: CpuSettings,
        tier: Option<Tier>,
    ) -> Result<Box<dyn Backend + 'a>> {
        let Some(wanted) = self.wanted()? else {
            return Ok(Box::new(CpuBackend::new(graph, &cpu)?));
        };
        match self.offloaded(graph, &cpu, tier, wanted) {
            Ok(backend) => Ok(Box::new(backend)),
            Err(error) if wanted.is_named => Err(error.into()),
            Err(error) => {
                eprintln!("on the CPU, for {}", one_line(error.into()));
                Ok(Box::new(CpuBackend::new(graph, &cpu)?))
            }
        }
    }

    /// A back end on the device, and on no other.
    pub(crate) fn offloaded<'a>(
        &self,
        graph: &Graph<'a>,
        cpu: &CpuSettings,
        tier: Option<Tier>,
        wanted: Wanted,
    ) -> Result<OffloadBackend<'a>, BackendError> {
        let plugin = self.open_plugin()?;
        let mut settings = settings(cpu, tier, wanted);
        if wanted.layers == Layers::Fitting {
            settings.layers = fitting(&plugin, graph, &settings)?;
        }
        let bar = progress::bar("uploading", 0, true);
        let made = OffloadBackend::new(graph, &plugin, &settings, |done, all| {
            bar.set_length(all);
            bar.set_position(done);
        });
        bar.finish_and_clear();
        made
    }
}

/// An error with its causes on one line.
pub(crate) fn one_line(error: anyhow::Error) -> String {
    format!("{error:#}").replace(|c: char| c.is_control(), " ")
}

/// What a back end is made with.
pub(crate) fn settings(cpu: &CpuSettings, tier: Option<Tier>, wanted: Wanted) -> OffloadSettings {
    OffloadSettings {
        device: wanted.index,
        layers: match wanted.layers {
            Layers::Last(layers) => GpuLayers::Last(layers),
            Layers::All | Layers::Fitting => GpuLayers::All,
        },
        tier,
        observe: false,
        cpu: cpu.clone(),
    }
}

/// As many layers as the device's memory holds.
fn fitting(
    plugin: &Plugin,
    graph: &Graph<'_>,
    settings: &OffloadSettings,
) -> Result<GpuLayers, BackendError> {
    match plugin.fit(graph, settings) {
        Ok(_) => Ok(settings.layers),
        Err(BackendError::Offload(OffloadError::Memory {
            fits: Some(layers @ 1..),
            ..
        })) => Ok(GpuLayers::Last(layers)),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::{DeviceOptions, Layers, Wanted};

    fn wanted(device: Option<&str>, layers: Option<&str>, plugin: Option<&str>) -> Option<Wanted> {
        let options = DeviceOptions {
            device: device.map(str::to_owned),
            n_gpu_layers: layers.map(str::to_owned),
            plugin: plugin.map(Into::into),
            cpu_fallback: false,
        };
        options.wanted().expect("known flags")
    }

    #[test]
    fn a_device_named_is_not_the_same_as_layers_wished() {
        let some = |index, layers, is_named| {
            Some(Wanted {
                index,
                layers,
                is_named,
            })
        };
        for (device, layers, plugin, expected) in [
            (None, None, None, None),
            (None, Some("0"), None, None),
            (None, Some("0"), Some("x.so"), None),
            (Some("cpu"), Some("99"), Some("x.so"), None),
            (None, Some("3"), None, some(0, Layers::Last(3), false)),
            (None, Some("all"), None, some(0, Layers::All, false)),
            (None, Some("-1"), None, some(0, Layers::Fitting, false)),
            (None, None, Some("x.so"), some(0, Layers::All, true)),
            (Some("gpu"), None, None, some(0, Layers::All, true)),
            (
                Some("gpu:2"),
                Some("5"),
                None,
                some(2, Layers::Last(5), true),
            ),
            (
                Some("gpu"),
                Some("auto"),
                None,
                some(0, Layers::Fitting, true),
            ),
            (Some("auto"), None, None, some(0, Layers::Fitting, false)),
            (Some("auto"), None, Some("x.so"), some(0, Layers::All, true)),
        ] {
            assert_eq!(
                wanted(device, layers, plugin),
                expected,
                "{device:?} {layers:?} {plugin:?}"
            );
        }
    }
}

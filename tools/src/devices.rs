//! `fidelis devices`: where models can run.

use crate::device::{Layers, Wanted, one_line, settings};
use crate::load::{Loaded, ModelOptions, Source};
use crate::output;
use anyhow::Result;
use clap::Args;
use fidelis_engine::backend::CpuSettings;
use fidelis_engine::backend::offload::{DeviceInfo, DeviceKind, Fit, OffloadError, Plugin};
use fidelis_engine::model::Model;
use std::fmt::Write as _;

#[derive(Args)]
pub(crate) struct Devices {
    /// With -m, whether each device could run the model, and why not.
    #[command(flatten)]
    model: ModelOptions,
}

impl Devices {
    pub(crate) fn execute(&self) -> Result<()> {
        let cpu = CpuSettings::new(1)?;
        let mut text = format!("cpu    {}, {} threads\n", cpu.level.name(), cpu.threads);
        let plugin = match self.model.device.open_plugin() {
            Ok(plugin) => plugin,
            Err(error) if self.model.device.names_plugin() => return Err(error.into()),
            Err(error) => {
                let _ = writeln!(text, "no GPU: {}", one_line(error.into()));
                return Ok(output::text(&text)?);
            }
        };
        let source = self.model.model.as_ref().map(|_| self.model.source());
        let source = source.transpose()?;
        let gguf = source.as_ref().map(Source::gguf).transpose()?;
        let loaded = gguf.as_ref().map(|gguf| Loaded::read(gguf, &self.model));
        let loaded = loaded.transpose()?;
        let _ = writeln!(
            text,
            "{} ({})",
            printable(&plugin.about()),
            plugin.path().display()
        );
        let devices = plugin.devices()?;
        if devices.is_empty() {
            text.push_str("no GPU: the plug-in finds no device on this machine\n");
        }
        for (index, device) in devices.iter().enumerate() {
            let index = index as u32;
            describe(&mut text, index, device);
            if let Err(error) = available(&mut text, &plugin, index) {
                let _ = writeln!(text, "       cannot run: {}", one_line(error.into()));
            } else if let Some(loaded) = &loaded {
                let verdict = self.verdict(&plugin, index, &loaded.model)?;
                let _ = writeln!(text, "       {verdict}");
            }
        }
        Ok(output::text(&text)?)
    }

    /// Whether a device could run the model.
    fn verdict(&self, plugin: &Plugin, index: u32, model: &Model<'_>) -> Result<String> {
        let layers = self.model.device.wanted()?.map(|wanted| wanted.layers);
        let wanted = Wanted {
            index,
            layers: layers.unwrap_or(Layers::All),
            is_named: true,
        };
        let cpu = self.model.settings(model)?;
        let settings = settings(&cpu, self.model.named_tier()?, wanted);
        let all = model.graph.caches.len();
        Ok(match plugin.fit(&model.graph, &settings) {
            Ok(fit) => yes(&model.config.name, &fit, all),
            Err(error) => format!(
                "cannot run {}: {}",
                model.config.name,
                one_line(error.into())
            ),
        })
    }
}

fn yes(name: &str, fit: &Fit, all: usize) -> String {
    format!(
        "can run {name}: {} of {all} layers; weights {}, keys, values and intermediates {}",
        fit.layers,
        bytes(fit.memory.weights),
        bytes(fit.memory.plans)
    )
}

/// Bytes for people.
fn bytes(bytes: u64) -> String {
    match bytes {
        0 => "unknown".to_owned(),
        1..0x4000_0000 => format!("{:.1} MiB", bytes as f64 / f64::from(1 << 20)),
        _ => format!("{:.1} GiB", bytes as f64 / f64::from(1 << 30)),
    }
}

/// A plug-in's text without what a terminal would obey.
fn printable(text: &str) -> String {
    text.replace(|c: char| c.is_control(), " ")
}

fn describe(text: &mut String, index: u32, device: &DeviceInfo) {
    let kind = match device.kind {
        DeviceKind::DISCRETE => "GPU with memory of its own",
        DeviceKind::INTEGRATED => "GPU that shares the memory",
        DeviceKind::VIRTUAL => "part of a GPU",
        DeviceKind::SOFTWARE => "software",
        _ => "unknown kind",
    };
    let [name, driver, interface, features] = [
        &device.name,
        &device.driver,
        &device.interface,
        &device.features,
    ]
    .map(|text| printable(text.as_str()));
    let _ = writeln!(text, "gpu:{index}  {name}, {kind}");
    let _ = writeln!(
        text,
        "       {interface}, driver {driver}, PCI {:04x}:{:04x}",
        device.vendor, device.device
    );
    let limits = [
        ("buffers", bytes(device.buffer_bytes)),
        ("bindings", bytes(device.binding_bytes)),
        ("workgroups", count(device.workgroup_threads, "threads")),
        ("sharing", count(device.workgroup_bytes, "bytes")),
        (
            "subgroups",
            range(device.subgroup_least, device.subgroup_most),
        ),
    ];
    let limits = limits.map(|(what, limit)| format!("{what} {limit}"));
    let _ = writeln!(text, "       limits: {}", limits.join(", "));
    let _ = writeln!(text, "       features: {features}");
}

/// A limit that may not be known.
fn count(number: u32, unit: &str) -> String {
    match number {
        0 => "unknown".to_owned(),
        number => format!("{number} {unit}"),
    }
}

fn range(least: u32, most: u32) -> String {
    match (least, most) {
        (0, 0) => "unknown".to_owned(),
        (least, most) if least == most => format!("{most} threads"),
        (least, most) => format!("{least} to {most} threads"),
    }
}

/// The device's memory, for which it must be opened.
fn available(text: &mut String, plugin: &Plugin, index: u32) -> Result<(), OffloadError> {
    let memory = plugin.memory(index)?;
    let _ = writeln!(
        text,
        "       memory {}, available {}",
        bytes(memory.total),
        bytes(memory.available)
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{bytes, printable};

    #[test]
    fn bytes_are_said_in_the_unit_that_suits() {
        assert_eq!(bytes(0), "unknown");
        assert_eq!(bytes(3 << 19), "1.5 MiB");
        assert_eq!(bytes(3 << 29), "1.5 GiB");
    }

    #[test]
    fn a_plug_in_cannot_colour_the_terminal() {
        assert_eq!(printable("a\u{1b}[31m\nb"), "a [31m b");
    }
}

//! What is compared: a tier or level of the CPU, or a plug-in.

use crate::receipt::Digest;
use crate::recording::{Provenance, Recording, Selection, record};
use fidelis_engine::backend::offload::{
    GpuLayers, Inputs, OffloadBackend, OffloadError, OffloadSettings, OffloadTier, Plugin,
};
use fidelis_engine::backend::{BackendError, CacheFormat, CpuBackend, CpuSettings, Tier};
use fidelis_engine::graph::Graph;
use fidelis_simd::{Level, NoSuchLevel};
use std::fmt;
use std::path::PathBuf;

/// Something that runs a model.
#[derive(Clone, Debug)]
pub enum Candidate {
    /// The CPU.
    Cpu {
        /// How numbers are held.
        tier: Tier,
        /// How keys and values are remembered.
        cache: CacheFormat,
        /// The SIMD level; `None`: the best.
        level: Option<Level>,
    },
    /// A device behind a plug-in.
    Plugin(Device),
}

/// A device behind a plug-in.
#[derive(Clone, Debug)]
pub struct Device {
    /// The library; `None`: the one beside the program.
    pub path: Option<PathBuf>,
    /// The device's place in the plug-in's list.
    pub index: u32,
    /// How keys and values are remembered.
    pub cache: CacheFormat,
}

/// Why a candidate cannot run.
#[derive(Debug, thiserror::Error)]
pub enum CandidateError {
    /// A name that means nothing.
    #[error(
        "{name:?} is no candidate; known are audit, f32, fast, level:NAME, plugin:PATH, gpu and gpu:N"
    )]
    Name {
        /// The name.
        name: String,
    },
    /// A level that this machine lacks.
    #[error(transparent)]
    Level(#[from] NoSuchLevel),
    /// The back end refused.
    #[error(transparent)]
    Backend(#[from] BackendError),
    /// The plug-in or its device refused.
    #[error(transparent)]
    Offload(#[from] OffloadError),
}

impl Candidate {
    /// Reads `audit`, `f32`, `fast`, `level:NAME` (of `fast`), `plugin:PATH`, `gpu` or `gpu:N`.
    ///
    /// # Errors
    ///
    /// [`CandidateError::Name`] for anything else, [`CandidateError::Level`] for a level that this machine lacks.
    pub fn named(name: &str, cache: CacheFormat) -> Result<Self, CandidateError> {
        let cpu = |tier, level| Self::Cpu { tier, cache, level };
        let device = |path, index| Self::Plugin(Device { path, index, cache });
        let unknown = || CandidateError::Name {
            name: name.to_owned(),
        };
        Ok(match (name, name.split_once(':')) {
            ("audit", _) => cpu(Tier::Audit, None),
            ("f32", _) => cpu(Tier::F32, None),
            ("fast", _) => cpu(Tier::Fast, None),
            ("gpu", _) => device(None, 0),
            (_, Some(("gpu", index))) => device(None, index.parse().map_err(|_| unknown())?),
            (_, Some(("level", level))) => cpu(Tier::Fast, Some(Level::named(level)?)),
            (_, Some(("plugin", path))) if !path.is_empty() => device(Some(path.into()), 0),
            _ => return Err(unknown()),
        })
    }

    /// Reads `tokens` in calls of so many, and records what is selected.
    ///
    /// # Errors
    ///
    /// [`CandidateError`] if it cannot run here, or what the back end says.
    pub fn record(
        &self,
        graph: &Graph<'_>,
        tokens: &[u32],
        steps: &[usize],
        selection: &Selection,
        model: Option<Digest>,
    ) -> Result<Recording, CandidateError> {
        let (tier, cache, level) = match self {
            Self::Cpu { tier, cache, level } => (tier, cache, level),
            Self::Plugin(device) => {
                let run = device.record(graph, tokens, steps, selection)?;
                let provenance = Provenance {
                    model,
                    ..run.provenance
                };
                return Ok(Recording { provenance, ..run });
            }
        };
        let defaults = CpuSettings::new(tokens.len().max(1))?;
        let settings = CpuSettings {
            tier: *tier,
            cache: *cache,
            level: level.unwrap_or(defaults.level),
            ..defaults
        };
        let mut backend = CpuBackend::new(graph, &settings)?;
        let provenance = Provenance {
            engine: "fidelis".to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            model,
            tier: tier_name(*tier).to_owned(),
            cache: match tier {
                Tier::Audit => "f64".to_owned(),
                _ => cache.to_string(),
            },
            level: settings.level.name().to_owned(),
            stored: String::new(),
        };
        Ok(record(&mut backend, tokens, steps, selection, provenance)?)
    }
}

impl Device {
    /// Its plug-in.
    ///
    /// # Errors
    ///
    /// [`OffloadError`] if it cannot be loaded.
    pub fn plugin(&self) -> Result<Plugin, OffloadError> {
        match &self.path {
            Some(path) => Plugin::open(path),
            None => Plugin::beside_program(),
        }
    }

    /// A graph on the device, every intermediate of which can be seen.
    ///
    /// # Errors
    ///
    /// [`BackendError`] if the plug-in or the device refuses.
    pub fn backend<'a>(
        &self,
        plugin: &Plugin,
        graph: &Graph<'a>,
        context: usize,
        batch: usize,
    ) -> Result<OffloadBackend<'a>, BackendError> {
        let settings = OffloadSettings {
            device: self.index,
            layers: GpuLayers::All,
            tier: None,
            observe: true,
            cpu: CpuSettings {
                batch,
                cache: self.cache,
                ..CpuSettings::new(context)?
            },
        };
        OffloadBackend::new(graph, plugin, &settings, |_, _| {})
    }

    fn record(
        &self,
        graph: &Graph<'_>,
        tokens: &[u32],
        steps: &[usize],
        selection: &Selection,
    ) -> Result<Recording, CandidateError> {
        let plugin = self.plugin()?;
        let context = tokens.len().max(1);
        let mut backend = self.backend(&plugin, graph, context, context)?;
        let provenance = self.provenance(&plugin, &backend, steps);
        Ok(record(&mut backend, tokens, steps, selection, provenance)?)
    }

    /// What the device says of its numbers in steps of these lengths.
    pub fn provenance(
        &self,
        plugin: &Plugin,
        backend: &OffloadBackend<'_>,
        steps: &[usize],
    ) -> Provenance {
        let profile = backend.profile();
        let is_prefill = |step: &usize| *step >= profile.prefill_from as usize;
        let used = |prefill: bool| steps.iter().any(|step| is_prefill(step) == prefill);
        // If steps of both kinds are there, the coarser one holds for all.
        let inputs = [(false, profile.decode), (true, profile.prefill)]
            .into_iter()
            .filter_map(|(prefill, inputs)| used(prefill).then_some(inputs))
            .max_by_key(|inputs| match *inputs {
                Inputs::F32 => 0,
                Inputs::WORDS => 1,
                Inputs::F16 => 2,
                _ => 3,
            });
        let base = if profile.tier == OffloadTier::FAST {
            "fast"
        } else {
            "f32"
        };
        let of = match inputs {
            Some(Inputs::WORDS) => ", inputs words",
            Some(Inputs::F16) => ", inputs f16",
            Some(Inputs::BYTES) => ", inputs bytes",
            _ => "",
        };
        Provenance {
            engine: format!("plug-in {}", plugin.about()),
            version: String::new(),
            model: None,
            tier: format!("{base}{of}, sums of {}", profile.chain),
            cache: self.cache.to_string(),
            level: backend.device().name.as_str().to_owned(),
            stored: String::new(),
        }
    }
}

/// The name of a tier, as flags spell it.
pub fn tier_name(tier: Tier) -> &'static str {
    match tier {
        Tier::Fast => "fast",
        Tier::F32 => "f32",
        Tier::Audit => "audit",
    }
}

impl fmt::Display for Candidate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cpu {
                tier,
                level: Some(level),
                ..
            } => write!(f, "{} on {}", tier_name(*tier), level.name()),
            Self::Cpu { tier, .. } => f.write_str(tier_name(*tier)),
            Self::Plugin(Device {
                path: Some(path),
                index,
                ..
            }) => write!(f, "device {index} of {}", path.display()),
            Self::Plugin(Device { index, .. }) => write!(f, "gpu:{index}"),
        }
    }
}

//! What is compared: a tier or level of the CPU, or a plug-in.

use crate::receipt::Digest;
use crate::recording::{Provenance, Recording, Selection, record};
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
    /// The plug-in in a library; `None`: the one beside the program.
    Plugin(Option<PathBuf>),
}

/// Why a candidate cannot run.
#[derive(Debug, thiserror::Error)]
pub enum CandidateError {
    /// A name that means nothing.
    #[error(
        "{name:?} is no candidate; known are audit, f32, fast, level:NAME, plugin:PATH and gpu"
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
    /// Plug-ins are not loaded by this build.
    #[error("this build loads no plug-ins; compare audit, f32, fast or level:NAME")]
    NoPlugins,
}

impl Candidate {
    /// Reads `audit`, `f32`, `fast`, `level:NAME` (of `fast`), `plugin:PATH` or `gpu`; `cache` is for those on the CPU.
    ///
    /// # Errors
    ///
    /// [`CandidateError::Name`] for anything else, [`CandidateError::Level`] for a level that this machine lacks.
    pub fn named(name: &str, cache: CacheFormat) -> Result<Self, CandidateError> {
        let cpu = |tier, level| Self::Cpu { tier, cache, level };
        Ok(match (name, name.split_once(':')) {
            ("audit", _) => cpu(Tier::Audit, None),
            ("f32", _) => cpu(Tier::F32, None),
            ("fast", _) => cpu(Tier::Fast, None),
            ("gpu", _) => Self::Plugin(None),
            (_, Some(("level", level))) => cpu(Tier::Fast, Some(Level::named(level)?)),
            (_, Some(("plugin", path))) if !path.is_empty() => Self::Plugin(Some(path.into())),
            _ => {
                return Err(CandidateError::Name {
                    name: name.to_owned(),
                });
            }
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
        let Self::Cpu { tier, cache, level } = self else {
            return Err(CandidateError::NoPlugins);
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
            Self::Plugin(Some(path)) => write!(f, "plug-in {}", path.display()),
            Self::Plugin(None) => f.write_str("gpu"),
        }
    }
}

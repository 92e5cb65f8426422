//! Memory as a budget: what a [`CpuBackend`](super::CpuBackend) takes, and settings that fit.
//!
//! Counted is everything but the mapped file, whose pages the system takes back when it needs them. The numbers come from the code that
//! takes the memory.
//!
//! ```no_run
//! # use fidelis_engine::backend::{CpuSettings, budget};
//! # fn f(graph: &fidelis_engine::graph::Graph<'_>) -> Result<(), Box<dyn std::error::Error>> {
//! let wished = CpuSettings::new(8192)?;
//! let settings = budget::fit(graph, &wished, budget::Free::ALL, 512 << 20)?;
//! println!("{} positions in {}", settings.context, budget::need(graph, &settings)?.bytes());
//! # Ok(())
//! # }
//! ```

use super::cpu;
use super::{BackendError, CacheFormat, CpuSettings, Tier};
use crate::graph::Graph;
use fidelis_simd::attend::CHUNK;
use std::fmt;

/// Bytes of memory that a back end takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Need {
    /// Keys and values.
    pub cache: usize,
    /// Intermediates of a batch.
    pub intermediates: usize,
    /// Working memory of all workers.
    pub scratch: usize,
    /// Norms and biases, decoded.
    pub vectors: usize,
    /// Logits of one token.
    pub logits: usize,
}

impl Need {
    /// All of it: what [`memory_bytes`](super::CpuBackend::memory_bytes) is at first.
    pub fn bytes(&self) -> usize {
        [
            self.cache,
            self.intermediates,
            self.scratch,
            self.vectors,
            self.logits,
        ]
        .into_iter()
        .fold(0, usize::saturating_add)
    }
}

/// What may be chosen so that it fits; the rest stays as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Free {
    /// Fewer positions.
    pub context: bool,
    /// Keys and values as bytes.
    pub cache: bool,
    /// Fewer tokens together.
    pub batch: bool,
}

impl Free {
    /// Everything.
    pub const ALL: Self = Self {
        context: true,
        cache: true,
        batch: true,
    };
    /// Nothing.
    pub const NONE: Self = Self {
        context: false,
        cache: false,
        batch: false,
    };
}

/// Fewest tokens together that are chosen: a prompt is still read several times faster than token by token.
const LEAST_BATCH: usize = 32;

/// What a back end for `graph` takes.
///
/// # Errors
///
/// [`BackendError`] for settings that cannot be met.
pub fn need(graph: &Graph<'_>, settings: &CpuSettings) -> Result<Need, BackendError> {
    cpu::need(graph, settings)
}

/// Bytes besides [`need`]: the graph and its plan, whose texts are short, and what the system keeps for each worker.
pub fn overhead(graph: &Graph<'_>, threads: usize) -> usize {
    const FOR_AN_OP: usize = 1 << 10;
    const FOR_A_WORKER: usize = 64 << 10;
    FOR_AN_OP * graph.ops.len() + FOR_A_WORKER.saturating_mul(threads)
}

/// Settings that take no more than `limit` bytes, [overhead](overhead()) included: those given if they do, or else fewer tokens
/// together, then keys and values as bytes, then the most positions that fit.
///
/// # Errors
///
/// [`BackendError::Budget`], with the arithmetic, if what is not free does not fit.
pub fn fit(
    graph: &Graph<'_>,
    settings: &CpuSettings,
    free: Free,
    limit: usize,
) -> Result<CpuSettings, BackendError> {
    let search = Search {
        graph,
        limit,
        overhead: overhead(graph, settings.threads),
    };
    let candidates = search.candidates(settings, free);
    if let Some(found) = search.first(&candidates)? {
        return Ok(found);
    }
    let least = candidates.last().unwrap_or(settings);
    if free.context
        && let Some(found) = search.most_positions(least)?
    {
        return Ok(found);
    }
    Err(search.refusal(settings, least)?)
}

/// A limit, and what is measured by it.
struct Search<'s, 'a> {
    graph: &'s Graph<'a>,
    limit: usize,
    overhead: usize,
}

impl Search<'_, '_> {
    fn bytes(&self, settings: &CpuSettings) -> Result<usize, BackendError> {
        let need = need(self.graph, settings)?;
        Ok(need.bytes().saturating_add(self.overhead))
    }

    fn fits(&self, settings: &CpuSettings) -> Result<bool, BackendError> {
        Ok(self.bytes(settings)? <= self.limit)
    }

    /// Settings with as many positions, the most memory first.
    fn candidates(&self, settings: &CpuSettings, free: Free) -> Vec<CpuSettings> {
        let bytes = CacheFormat::Q8_0;
        let mut widths = self.graph.caches.iter().map(|cache| cache.key_width);
        let is_shrinkable = settings.tier != Tier::Audit
            && settings.cache != bytes
            && widths.all(|width| width.is_multiple_of(bytes.multiple()));
        let caches = [settings.cache, bytes]
            .into_iter()
            .take(if free.cache && is_shrinkable { 2 } else { 1 });
        let smaller = std::iter::successors(Some(settings.batch / 2), |batch| Some(batch / 2))
            .take_while(|&batch| free.batch && batch >= LEAST_BATCH);
        let batches: Vec<usize> = std::iter::once(settings.batch).chain(smaller).collect();
        let with = |cache| {
            let with_batch = move |&batch: &usize| CpuSettings {
                cache,
                batch,
                ..settings.clone()
            };
            batches.iter().map(with_batch)
        };
        caches.flat_map(with).collect()
    }

    /// The first candidate that fits.
    fn first(&self, candidates: &[CpuSettings]) -> Result<Option<CpuSettings>, BackendError> {
        for candidate in candidates {
            if self.fits(candidate)? {
                return Ok(Some(candidate.clone()));
            }
        }
        Ok(None)
    }

    /// Settings with the most positions that fit, in whole chunks; those of `settings` do not.
    fn most_positions(&self, settings: &CpuSettings) -> Result<Option<CpuSettings>, BackendError> {
        let with = |chunks: usize| CpuSettings {
            context: chunks * CHUNK,
            ..settings.clone()
        };
        // The first number of chunks that does not fit lies behind `fitting`, at `failing` or before.
        let (mut fitting, mut failing) = (0, settings.context.div_ceil(CHUNK));
        while fitting + 1 < failing {
            let middle = usize::midpoint(fitting, failing);
            if self.fits(&with(middle))? {
                fitting = middle;
            } else {
                failing = middle;
            }
        }
        Ok((fitting > 0).then(|| with(fitting)))
    }

    /// What `least`, the smallest of what is free, needs, beside what would fit if everything of `settings` were free.
    fn refusal(
        &self,
        settings: &CpuSettings,
        least: &CpuSettings,
    ) -> Result<BackendError, BackendError> {
        let all = self.candidates(settings, Free::ALL);
        let smallest = all.last().unwrap_or(settings);
        let suggestion = match self.first(&all)? {
            Some(found) => found,
            None => self.most_positions(smallest)?.unwrap_or(CpuSettings {
                context: smallest.context.min(CHUNK),
                ..smallest.clone()
            }),
        };
        Ok(BackendError::Budget {
            wanted: self.priced(least)?,
            limit: Bytes(self.limit),
            suggestion: self.priced(&suggestion)?,
        })
    }

    fn priced(&self, settings: &CpuSettings) -> Result<Priced, BackendError> {
        Ok(Priced {
            context: settings.context,
            cache: match settings.tier {
                Tier::Audit => CacheFormat::F64,
                _ => settings.cache,
            },
            batch: settings.batch,
            bytes: Bytes(self.bytes(settings)?),
        })
    }
}

/// Settings and what they need.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Priced {
    /// Positions to remember.
    pub context: usize,
    /// How keys and values are remembered.
    pub cache: CacheFormat,
    /// Tokens read together.
    pub batch: usize,
    /// What that needs, [overhead](overhead()) included.
    pub bytes: Bytes,
}

impl fmt::Display for Priced {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            context,
            cache,
            batch,
            bytes,
        } = self;
        write!(
            f,
            "{context} with {cache}, {batch} tokens together, needs {bytes}"
        )
    }
}

/// A number of bytes, for people: in MiB, or in KiB if that says more; rounded up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Bytes(pub usize);

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 < 10 << 20 && !self.0.is_multiple_of(1 << 20) {
            write!(f, "{} KiB", self.0.div_ceil(1 << 10))
        } else {
            write!(f, "{} MiB", self.0.div_ceil(1 << 20))
        }
    }
}

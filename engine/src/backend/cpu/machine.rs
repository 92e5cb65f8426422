//! A graph with its memory and workers, in one precision.

use super::super::{BackendError, CpuSettings, Logits, Observer, Step, Tier};
use super::arena::Arena;
use super::memory::LayerMemory;
use super::plan::Plan;
use super::team::{Counters, Team};
use super::work::{Scratch, ScratchRoom, Work, is_fast};
use crate::gguf::{File, guard};
use crate::graph::{Graph, Op, WeightId};
use fidelis_simd::Real;
use fidelis_simd::attend::CacheFormat;
use fidelis_simd::dense::Dequantise;
use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::{Mutex, PoisonError};

/// Tokens read together when logits of all of them are wanted.
const LOGITS_BATCH: usize = 64;

/// Runs a graph on the CPU in one precision.
pub(super) struct Machine<'a, R> {
    pub(super) graph: Graph<'a>,
    settings: CpuSettings,
    plan: Plan,
    team: Team,
    arena: Arena<R>,
    pub(super) memory: Vec<LayerMemory>,
    /// The weights that are vectors, decoded; empty for the others.
    vectors: Vec<Vec<R>>,
    counters: Vec<Counters>,
    scratch: Vec<Mutex<Scratch<R>>>,
    vocabulary: usize,
    pub(super) position: usize,
    /// Positions below which keys and values may have been written: those of steps that failed or were gone
    /// back from have taken the places of others in a ring.
    pub(super) written: usize,
    logits: Vec<R>,
    /// The file whose pages are dropped behind the reader.
    pub(super) drop_pages: Option<&'a File>,
}

/// Settings as they are used: no batch is larger than the context, and `audit` remembers `f64`.
///
/// # Errors
///
/// [`BackendError::Zero`] and [`BackendError::CacheTier`].
pub(super) fn effective(settings: &CpuSettings) -> Result<CpuSettings, BackendError> {
    for (setting, value) in [
        ("threads", settings.threads),
        ("context", settings.context),
        ("batch", settings.batch),
    ] {
        if value == 0 {
            return Err(BackendError::Zero { setting });
        }
    }
    if settings.cache == CacheFormat::F64 && settings.tier != Tier::Audit {
        return Err(BackendError::CacheTier {
            tier: settings.tier,
        });
    }
    Ok(CpuSettings {
        batch: settings.batch.min(settings.context),
        cache: match settings.tier {
            Tier::Audit => CacheFormat::F64,
            _ => settings.cache,
        },
        ..settings.clone()
    })
}

/// Plans a graph for a tier.
pub(super) fn plan(graph: &Graph<'_>, tier: Tier) -> Plan {
    Plan::new(graph, |weight| is_fast(tier, weight.format))
}

impl<'a, R: Real> Machine<'a, R> {
    /// Plans `graph` and takes the memory for its intermediates, keys and values; `need` counts it.
    ///
    /// # Errors
    ///
    /// [`BackendError`] for settings that cannot be met.
    pub(super) fn new(graph: &Graph<'a>, settings: &CpuSettings) -> Result<Self, BackendError> {
        let settings = effective(settings)?;
        let plan = plan(graph, settings.tier);
        let memory = graph
            .caches
            .iter()
            .map(|cache| LayerMemory::new(cache, settings.cache, settings.context, settings.batch));
        let room = ScratchRoom::new(graph, settings.tier, settings.batch);
        let scratch = || Mutex::new(Scratch::new(room));
        let choices = graph.activations[graph.logits.0 as usize].width;
        Ok(Self {
            arena: Arena::new(graph, &plan, settings.batch)?,
            memory: memory.collect::<Result<_, _>>()?,
            vectors: vectors(graph, &settings)?,
            counters: plan
                .stages
                .iter()
                .map(|_| Counters::new(settings.threads))
                .collect(),
            scratch: (0..settings.threads).map(|_| scratch()).collect(),
            team: Team::new(settings.threads)?,
            vocabulary: graph.vocabulary(),
            graph: graph.clone(),
            position: 0,
            written: 0,
            logits: Vec::with_capacity(choices),
            drop_pages: None,
            settings,
            plan,
        })
    }

    /// Positions that can be remembered.
    pub(super) fn context(&self) -> usize {
        self.settings.context
    }

    /// The logits of the last step.
    pub(super) fn logits(&self) -> &[R] {
        &self.logits
    }

    /// What the back end was made with.
    pub(super) fn settings(&self) -> &CpuSettings {
        &self.settings
    }

    /// Forgets from `position` on; false, and nothing is forgotten, if a sliding window no longer
    /// holds what the position sees.
    pub(super) fn rewind(&mut self, position: usize) -> bool {
        let possible = position <= self.position && self.holds(position);
        if possible {
            self.position = position;
        }
        possible
    }

    /// Whether every ring still has what `position` sees.
    pub(super) fn holds(&self, position: usize) -> bool {
        let mut memory = self.memory.iter();
        memory.all(|memory| memory.holds(position, self.written))
    }

    /// Forgets everything.
    pub(super) fn reset(&mut self) {
        (self.position, self.written) = (0, 0);
        self.memory.iter_mut().for_each(LayerMemory::reset);
    }

    /// Bytes that are held.
    pub(super) fn memory_bytes(&self) -> usize {
        let scratch = self.scratch.iter().map(|scratch| {
            let scratch = scratch.lock().unwrap_or_else(PoisonError::into_inner);
            scratch.bytes()
        });
        scratch.sum::<usize>()
            + self.memory.iter().map(LayerMemory::bytes).sum::<usize>()
            + self.arena.bytes_held()
            + size_of::<R>()
                * (self.vectors.iter().map(Vec::capacity).sum::<usize>() + self.logits.capacity())
    }

    /// Reads the tokens of a step, in batches; shows intermediates to an observer, on one thread.
    ///
    /// The result holds the logits that were asked for, `[tokens, vocabulary]`. After an error the
    /// machine remembers what it did before the step, or nothing if the step has overwritten what that sees.
    pub(super) fn read(
        &mut self,
        step: &Step<'_>,
        mut observer: Option<&mut dyn Observer>,
    ) -> Result<&[R], BackendError> {
        step.check(self.position, self.settings.context, self.vocabulary)?;
        self.logits.clear();
        let batch = match step.logits {
            Logits::All => self.settings.batch.min(LOGITS_BATCH),
            _ => self.settings.batch,
        };
        let start = self.position;
        let mut rest = step.tokens;
        while !rest.is_empty() {
            let (now, later) = rest.split_at(rest.len().min(batch));
            let wanted = match step.logits {
                Logits::All => 0..now.len(),
                Logits::Last if later.is_empty() => now.len() - 1..now.len(),
                _ => 0..0,
            };
            let done = match &mut observer {
                Some(observer) => self.watched(now, wanted, *observer),
                None => self.batch(now, wanted),
            };
            if let Err(error) = done {
                if self.holds(start) {
                    self.position = start;
                } else {
                    self.reset();
                }
                return Err(error);
            }
            self.position += now.len();
            rest = later;
        }
        Ok(&self.logits)
    }

    /// Runs one batch; `run` gives the work to the workers and says whether none failed.
    pub(super) fn run_batch(
        &mut self,
        tokens: &[u32],
        wanted: Range<usize>,
        run: impl FnOnce(&Team, &Work<'_, '_, R>) -> bool,
    ) -> Result<bool, BackendError> {
        self.arena.begin(wanted.clone())?;
        self.counters.iter_mut().for_each(Counters::reset);
        self.written = self.written.max(self.position + tokens.len());
        let work = Work {
            graph: &self.graph,
            plan: &self.plan,
            arena: &self.arena,
            memory: &self.memory,
            vectors: &self.vectors,
            level: self.settings.level,
            tier: self.settings.tier,
            tokens,
            position: self.position,
            wanted: wanted.clone(),
            counters: &self.counters,
            scratch: &self.scratch,
            drop_pages: self.drop_pages,
        };
        let finished = run(&self.team, &work);
        if let Some(file) = self.drop_pages {
            // Reading also brings in what lies beside.
            file.parts().for_each(|part| file.drop_pages(part));
        }
        // What was read of a file that was cut short is no weight.
        self.check_file()?;
        if finished && !wanted.is_empty() {
            // SAFETY: the workers are done.
            let logits = unsafe {
                self.arena
                    .rows(self.graph.logits, wanted.start, wanted.len())
            };
            self.logits.extend_from_slice(logits);
            // Those of `audit` are handed over rounded.
            return Ok(logits.iter().all(|logit| logit.to_f32().is_finite()));
        }
        Ok(finished)
    }

    /// Whether every weight is still that of its file.
    fn check_file(&self) -> Result<(), BackendError> {
        guard::check(self.graph.weights.iter().map(|weight| weight.bytes))?;
        Ok(())
    }

    fn batch(&mut self, tokens: &[u32], wanted: Range<usize>) -> Result<(), BackendError> {
        let run =
            |team: &Team, work: &Work<'_, '_, R>| team.run(|member| work.run(member, |_, _| {}));
        if self.run_batch(tokens, wanted.clone(), run)? {
            Ok(())
        } else {
            Err(self.find_non_finite(tokens, wanted))
        }
    }
}

/// The weights that are vectors, each once: norms and biases.
pub(super) fn vector_weights(graph: &Graph<'_>) -> BTreeSet<usize> {
    let ids = graph.ops.iter().filter_map(|op| match op {
        Op::Norm { weight, .. } => Some(weight),
        Op::Bias { bias, .. } => Some(bias),
        _ => None,
    });
    ids.map(|WeightId(id)| *id as usize).collect()
}

/// Decodes norms and biases.
fn vectors<R: Real>(
    graph: &Graph<'_>,
    settings: &CpuSettings,
) -> Result<Vec<Vec<R>>, BackendError> {
    let mut vectors = vec![Vec::new(); graph.weights.len()];
    for id in vector_weights(graph) {
        let tensor = &graph.weights[id];
        if !tensor.format.is_float() {
            return Err(BackendError::NotFloats {
                tensor: tensor.name.to_owned(),
                format: tensor.format,
            });
        }
        let mut values = vec![R::default(); tensor.shape.len()];
        Dequantise {
            format: tensor.format,
            row: tensor.bytes,
            out: &mut values,
        }
        .on(settings.level);
        vectors[id] = values;
    }
    Ok(vectors)
}

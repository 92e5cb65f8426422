//! A graph with its memory and workers, in one precision.

use super::super::{BackendError, CpuSettings, Logits, Observer, Step, Tier};
use super::arena::Arena;
use super::memory::LayerMemory;
use super::plan::Plan;
use super::team::{Counters, Team};
use super::work::{Scratch, Work};
use crate::graph::{Graph, Op, WeightId};
use crate::tensor::Tensor;
use fidelis_simd::attend::CacheFormat;
use fidelis_simd::dense::Dequantise;
use fidelis_simd::{Format, Real};
use std::ops::Range;
use std::sync::Mutex;

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
}

/// Whether a weight is multiplied with quantised activations.
fn is_fast(tier: Tier, format: Format) -> bool {
    tier == Tier::Fast && !format.is_float()
}

impl<R> Work<'_, '_, R> {
    /// Whether a weight is multiplied with quantised activations.
    pub(super) fn is_fast(&self, weight: &Tensor<'_>) -> bool {
        is_fast(self.tier, weight.format)
    }
}

impl<'a, R: Real> Machine<'a, R> {
    /// Plans `graph` and takes the memory for its intermediates, keys and values.
    ///
    /// # Errors
    ///
    /// [`BackendError`] for settings that cannot be met.
    pub(super) fn new(graph: &Graph<'a>, settings: &CpuSettings) -> Result<Self, BackendError> {
        for (setting, value) in [
            ("threads", settings.threads),
            ("context", settings.context),
            ("batch", settings.batch),
        ] {
            if value == 0 {
                return Err(BackendError::Zero { setting });
            }
        }
        let settings = CpuSettings {
            batch: settings.batch.min(settings.context),
            cache: match settings.tier {
                Tier::Audit => CacheFormat::F64,
                _ => settings.cache,
            },
            ..settings.clone()
        };
        let plan = Plan::new(graph, |weight| is_fast(settings.tier, weight.format));
        let memory = graph
            .caches
            .iter()
            .map(|cache| LayerMemory::new(cache, settings.cache, settings.context, settings.batch));
        Ok(Self {
            arena: Arena::new(graph, &plan, settings.batch)?,
            memory: memory.collect::<Result<_, _>>()?,
            vectors: vectors(graph, &settings)?,
            counters: plan
                .stages
                .iter()
                .map(|_| Counters::new(settings.threads))
                .collect(),
            scratch: (0..settings.threads).map(|_| Mutex::default()).collect(),
            team: Team::new(settings.threads)?,
            vocabulary: graph.vocabulary(),
            graph: graph.clone(),
            position: 0,
            written: 0,
            logits: Vec::new(),
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

    /// Bytes of the keys and values, and of the intermediates.
    pub(super) fn memory_bytes(&self) -> usize {
        self.memory.iter().map(LayerMemory::bytes).sum::<usize>() + self.arena.bytes_held()
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
        self.arena.reserve(self.graph.logits, wanted.end)?;
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
        };
        let finished = run(&self.team, &work);
        if finished && !wanted.is_empty() {
            // SAFETY: the workers are done.
            let logits = unsafe {
                self.arena
                    .rows(self.graph.logits, wanted.start, wanted.len())
            };
            self.logits.extend_from_slice(logits);
            return Ok(logits.iter().all(|logit| logit.is_finite()));
        }
        Ok(finished)
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

/// Decodes norms and biases.
fn vectors<R: Real>(
    graph: &Graph<'_>,
    settings: &CpuSettings,
) -> Result<Vec<Vec<R>>, BackendError> {
    let mut vectors = vec![Vec::new(); graph.weights.len()];
    for op in &graph.ops {
        let id = match op {
            Op::Norm { weight, .. } => Some(weight),
            Op::Bias { bias, .. } => Some(bias),
            _ => None,
        };
        let Some(WeightId(id)) = id else { continue };
        let tensor = &graph.weights[*id as usize];
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
        vectors[*id as usize] = values;
    }
    Ok(vectors)
}

//! The CPU: every worker walks the stages of a step, each done before the next.

mod arena;
mod machine;
mod memory;
mod need;
mod plan;
#[cfg_attr(not(feature = "threads"), path = "cpu/pool_absent.rs")]
mod pool;
mod products;
mod remember;
mod shared;
mod team;
mod tokens;
mod watch;
mod work;

use super::{Backend, BackendError, CpuSettings, Observer, RememberError, Remembered, Step, Tier};
use crate::gguf::File;
use crate::graph::Graph;
use machine::Machine;
use std::io::{self, Write};

pub(super) use need::need;
pub(super) use pool::cores;

/// Runs a graph on the CPU.
pub struct CpuBackend<'a> {
    machine: Precision<'a>,
    /// The logits of `audit`, rounded.
    rounded: Vec<f32>,
}

/// The precision of a tier.
enum Precision<'a> {
    Single(Machine<'a, f32>),
    Double(Machine<'a, f64>),
}

/// The same on a machine of either precision.
macro_rules! either {
    ($precision:expr, $machine:ident => $body:expr) => {
        match $precision {
            Precision::Single($machine) => $body,
            Precision::Double($machine) => $body,
        }
    };
}

impl<'a> CpuBackend<'a> {
    /// Plans `graph` and takes the memory for its intermediates, keys and values.
    ///
    /// # Errors
    ///
    /// [`BackendError`] for settings that cannot be met.
    pub fn new(graph: &Graph<'a>, settings: &CpuSettings) -> Result<Self, BackendError> {
        Ok(Self {
            rounded: match settings.tier {
                Tier::Fast | Tier::F32 => Vec::new(),
                Tier::Audit => Vec::with_capacity(choices(graph)),
            },
            machine: match settings.tier {
                Tier::Fast | Tier::F32 => Precision::Single(Machine::new(graph, settings)?),
                Tier::Audit => Precision::Double(Machine::new(graph, settings)?),
            },
        })
    }

    /// Drops the pages of `file` behind the reader, so that a model larger than memory runs: every step reads the whole
    /// file again. The results stay the same.
    ///
    /// Where the system cannot drop pages, or the file was [read](File::read), nothing changes.
    pub fn drop_pages_of(&mut self, file: &'a File) {
        either!(&mut self.machine, machine => machine.drop_pages = Some(file));
    }

    /// Reads the tokens of a step, in batches.
    ///
    /// The result holds the logits that were asked for, `[tokens, vocabulary]`; those of `audit` are
    /// rounded, see [`Self::exact_logits`].
    ///
    /// # Errors
    ///
    /// [`BackendError`]; the back end then remembers what it did before the step. Where a sliding window no
    /// longer holds what that sees, because batches of the step were read, it remembers nothing: [`Self::position`] says so.
    pub fn forward(&mut self, step: &Step<'_>) -> Result<&[f32], BackendError> {
        self.read(step, None)
    }

    /// As [`Self::forward`], showing intermediates on the way; on one thread.
    ///
    /// # Errors
    ///
    /// As [`Self::forward`].
    pub fn forward_observed(
        &mut self,
        step: &Step<'_>,
        observer: &mut dyn Observer,
    ) -> Result<&[f32], BackendError> {
        self.read(step, Some(observer))
    }

    fn read(
        &mut self,
        step: &Step<'_>,
        observer: Option<&mut dyn Observer>,
    ) -> Result<&[f32], BackendError> {
        match &mut self.machine {
            Precision::Single(machine) => machine.read(step, observer),
            Precision::Double(machine) => {
                let logits = machine.read(step, observer)?;
                self.rounded.clear();
                self.rounded
                    .extend(logits.iter().map(|&logit| logit as f32));
                Ok(&self.rounded)
            }
        }
    }

    /// The logits of the last step as `audit` computed them; `None` in the other tiers, whose logits
    /// are `f32`.
    pub fn exact_logits(&self) -> Option<&[f64]> {
        match &self.machine {
            Precision::Single(_) => None,
            Precision::Double(machine) => Some(machine.logits()),
        }
    }

    /// Positions read.
    pub fn position(&self) -> usize {
        either!(&self.machine, machine => machine.position)
    }

    /// Positions that can be remembered.
    pub fn context(&self) -> usize {
        either!(&self.machine, machine => machine.context())
    }

    /// What the back end was made with.
    pub fn settings(&self) -> &CpuSettings {
        either!(&self.machine, machine => machine.settings())
    }

    /// Forgets from `position` on; false, and nothing is forgotten, if a sliding window no longer
    /// holds what the position sees.
    pub fn rewind(&mut self, position: usize) -> bool {
        either!(&mut self.machine, machine => machine.rewind(position))
    }

    /// Forgets everything.
    pub fn reset(&mut self) {
        either!(&mut self.machine, machine => machine.reset());
    }

    /// Bytes of memory besides the model's file: at first what [`Need`](super::budget::Need) says, and more after steps that
    /// ask for the logits of many tokens.
    pub fn memory_bytes(&self) -> usize {
        let rounded = self.rounded.capacity() * size_of::<f32>();
        rounded + either!(&self.machine, machine => machine.memory_bytes())
    }
}

/// Logits of a token.
fn choices(graph: &Graph<'_>) -> usize {
    graph.activations[graph.logits.0 as usize].width
}

impl Backend for CpuBackend<'_> {
    fn forward(&mut self, step: &Step<'_>) -> Result<&[f32], BackendError> {
        self.read(step, None)
    }

    fn forward_observed(
        &mut self,
        step: &Step<'_>,
        observer: &mut dyn Observer,
    ) -> Result<&[f32], BackendError> {
        self.read(step, Some(observer))
    }

    fn exact_logits(&self) -> Option<&[f64]> {
        self.exact_logits()
    }

    fn position(&self) -> usize {
        self.position()
    }

    fn context(&self) -> usize {
        self.context()
    }

    fn batch(&self) -> usize {
        self.settings().batch
    }

    fn rewind(&mut self, position: usize) -> bool {
        self.rewind(position)
    }

    fn reset(&mut self) {
        self.reset();
    }

    fn remembered(&self, position: usize) -> Result<Remembered, RememberError> {
        either!(&self.machine, machine => machine.remembered(position))
    }

    fn export(&self, remembered: &Remembered, out: &mut dyn Write) -> io::Result<()> {
        either!(&self.machine, machine => machine.export(remembered, out))
    }

    fn import(&mut self, remembered: &Remembered, bytes: &[u8]) -> Result<(), RememberError> {
        either!(&mut self.machine, machine => machine.import(remembered, bytes))
    }

    fn memory_bytes(&self) -> usize {
        self.memory_bytes()
    }

    fn machine(&self) -> String {
        let settings = self.settings();
        format!("{} · {} threads", settings.level.name(), settings.threads)
    }
}

//! One step: one command buffer, one submission, one reading back.

use crate::device::Gpu;
use crate::encode::{Form, faults, read};
use crate::error::GpuError;
use crate::layout;
use crate::plan::Plan;
use std::ops::Range;

/// Which rows of logits are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// None.
    None,
    /// The last token's.
    Last,
    /// Every token's.
    All,
}

/// Tokens that follow those that were read.
#[derive(Clone, Copy, Debug)]
pub struct Step<'a> {
    /// Their ids; may be empty if the graph embeds nothing.
    pub tokens: &'a [u32],
    /// How many there are.
    pub count: usize,
    /// The position of the first.
    pub position: usize,
    /// Which logits are wanted.
    pub wanted: Wanted,
    /// How many logits of a row may be chosen.
    pub choices: usize,
}

/// Values of an intermediate, `[tokens, width]`.
pub struct Values<'a> {
    /// The intermediate.
    pub activation: usize,
    /// From the host.
    pub values: &'a [f32],
}

/// Where values of an intermediate go, `[tokens, width]`.
pub struct Place<'a> {
    /// The intermediate.
    pub activation: usize,
    /// To the host.
    pub values: &'a mut [f32],
}

/// What comes back of a step.
#[derive(Default)]
pub struct Outcome<'a> {
    /// `[wanted, vocabulary]`; may be empty.
    pub logits: Option<&'a mut [f32]>,
    /// The id of the last wanted row's largest logit.
    pub chosen: Option<&'a mut u32>,
}

impl Plan {
    /// Runs a step. `writes` come before it, `places` and `outcome` after it.
    ///
    /// # Errors
    ///
    /// [`GpuError`] for what contradicts the plan, and for what happens on the device. What the step wrote to the cache lies beyond the
    /// positions read, and may stay.
    pub fn run(
        &mut self,
        gpu: &Gpu,
        step: &Step<'_>,
        writes: &[Values<'_>],
        places: &mut [Place<'_>],
        outcome: &mut Outcome<'_>,
    ) -> Result<(), GpuError> {
        self.check_step(step, writes, places, outcome)?;
        gpu.check("the device")?;
        let wanted = match step.wanted {
            Wanted::None => 0..0,
            Wanted::Last => step.count - 1..step.count,
            Wanted::All => 0..step.count,
        };
        let form = Form {
            count: step.count,
            position: step.position,
            wanted: (wanted.start, wanted.end),
            chosen: outcome.chosen.is_some(),
            logits: outcome.logits.as_ref().map_or(0, |logits| logits.len()),
        };
        self.send(gpu, step, &wanted, writes);
        let commands = match self.ahead.take() {
            Some((ready, commands)) if ready == form && places.is_empty() => commands,
            _ => {
                let ids = places
                    .iter()
                    .map(|place| (place.activation, place.values.len()));
                self.encode(gpu, &form, &ids.collect::<Vec<_>>())?
            }
        };
        self.faulty = true;
        gpu.queue.submit([commands]);
        // While the device is at work: what will probably be asked for next.
        if step.count == 1 && places.is_empty() && step.position + 1 < self.graph.context {
            let next = Form {
                position: step.position + 1,
                ..form
            };
            self.ahead = Some((next, self.encode(gpu, &next, &[])?));
        }
        let bytes = 4 * form.words(places.iter().map(|place| place.values.len()).sum());
        let landing = self
            .landing
            .as_ref()
            .ok_or_else(|| GpuError::invalid("no landing"))?;
        let words = read(gpu, landing, bytes)?;
        let mut words = &words[..];
        let mut next = |count: usize| {
            let (now, later) = words.split_at(count);
            words = later;
            now
        };
        faults(next(1)[0])?;
        self.faulty = false;
        if let Some(chosen) = &mut outcome.chosen {
            **chosen = next(1)[0];
        }
        if let Some(found) = &mut outcome.logits {
            let values: &[f32] = bytemuck::cast_slice(next(found.len()));
            if !values.iter().all(|value| value.is_finite()) {
                return Err(GpuError::NonFinite { what: "the logits" });
            }
            found.copy_from_slice(values);
        }
        for place in places {
            let values: &[f32] = bytemuck::cast_slice(next(place.values.len()));
            place.values.copy_from_slice(values);
        }
        self.read = step.position + step.count;
        Ok(())
    }

    /// Fills every intermediate with NaN, so that what a step does not write shows.
    pub fn poison(&self, gpu: &Gpu) {
        for buffer in self
            .slots
            .iter()
            .flat_map(|slot| slot.floats.iter().chain(&slot.bytes))
        {
            let nan = vec![0xff_u8; buffer.size() as usize];
            gpu.queue.write_buffer(buffer, 0, &nan);
        }
        gpu.queue.submit([]);
    }

    /// Takes it that so many positions were read.
    pub fn pretend(&mut self, read: usize) {
        self.read = read;
    }

    pub(crate) fn floats(&self, id: usize) -> Result<&wgpu::Buffer, GpuError> {
        let floats = self.slots[id].floats.as_ref();
        floats.ok_or_else(|| GpuError::invalid(format!("intermediate {id} is not observed")))
    }

    fn check_step(
        &self,
        step: &Step<'_>,
        writes: &[Values<'_>],
        places: &[Place<'_>],
        outcome: &Outcome<'_>,
    ) -> Result<(), GpuError> {
        let graph = &self.graph;
        if step.count == 0 || step.count > graph.batch {
            let what = format!("a step of {} tokens; 1 to {} fit", step.count, graph.batch);
            return Err(GpuError::invalid(what));
        }
        if step.position > graph.context || step.count > graph.context - step.position {
            return Err(GpuError::invalid(format!(
                "{} tokens from position {} exceed the context of {}",
                step.count, step.position, graph.context
            )));
        }
        if let Some(vocabulary) = self.vocabulary {
            if step.tokens.len() != step.count {
                return Err(GpuError::invalid("a step without its token ids"));
            }
            let beyond = |&&token: &&u32| token as usize >= vocabulary;
            if let Some(token) = step.tokens.iter().find(beyond) {
                let what = format!("token {token} is not below {vocabulary}");
                return Err(GpuError::invalid(what));
            }
        }
        if step.position > self.read || !self.holds(step.position) {
            return Err(GpuError::invalid(format!(
                "a step from position {}, after {} were read",
                step.position, self.read
            )));
        }
        let rows = match step.wanted {
            Wanted::None => 0,
            Wanted::Last => 1,
            Wanted::All => step.count,
        };
        if rows > graph.wanted {
            let what = format!("{rows} rows of logits; {} fit", graph.wanted);
            return Err(GpuError::invalid(what));
        }
        let width = graph.activations[graph.logits].width;
        let wrong = outcome
            .logits
            .as_ref()
            .is_some_and(|logits| logits.len() != rows * width);
        if wrong || outcome.chosen.is_some() && rows == 0 {
            return Err(GpuError::invalid("room for other logits than the wanted"));
        }
        let writes = writes
            .iter()
            .map(|w| (w.activation, w.values.len(), step.count));
        let places = places.iter().map(|p| {
            let tail = self.in_tail(p.activation);
            (
                p.activation,
                p.values.len(),
                if tail { rows } else { step.count },
            )
        });
        for (id, len, rows) in writes.chain(places) {
            let fits = graph.activations.get(id).is_some_and(|activation| {
                let shared = activation.observed || graph.input == Some(id);
                shared && len == activation.width * rows
            });
            if !fits {
                let what = format!("{len} values of intermediate {id} for {rows} tokens");
                return Err(GpuError::invalid(what));
            }
        }
        Ok(())
    }

    /// Whether an intermediate has rows for wanted tokens alone.
    pub fn in_tail(&self, id: usize) -> bool {
        self.graph.ops[self.tail_from..]
            .iter()
            .any(|op| op.out() == id)
    }

    /// Whether all that the position sees is still remembered.
    pub(crate) fn holds(&self, position: usize) -> bool {
        let graph = &self.graph;
        graph.caches.iter().all(|cache| {
            let first = cache
                .window
                .map_or(0, |window| (position + 1).saturating_sub(window));
            first + layout::ring(graph, cache) >= self.read
        })
    }

    /// Sends what kernels need to know of the step.
    fn send(&mut self, gpu: &Gpu, step: &Step<'_>, wanted: &Range<usize>, writes: &[Values<'_>]) {
        self.send_step(gpu, step.position, step.count, wanted, step.choices);
        let write = |buffer: &wgpu::Buffer, bytes: &[u8]| gpu.queue.write_buffer(buffer, 0, bytes);
        if !step.tokens.is_empty() {
            write(&self.tokens, bytemuck::cast_slice(step.tokens));
        }
        for values in writes {
            if let Some(buffer) = &self.slots[values.activation].floats {
                write(buffer, bytemuck::cast_slice(values.values));
            }
        }
    }

    /// Sends where the step is, and the angles if those on the device are of other positions.
    pub(crate) fn send_step(
        &mut self,
        gpu: &Gpu,
        position: usize,
        count: usize,
        wanted: &Range<usize>,
        choices: usize,
    ) {
        if position < self.turns.start || position + count > self.turns.end {
            // One token is mostly followed by others.
            let ahead = if count == 1 { TURNS_AHEAD } else { count };
            self.turns = position..position + ahead.min(self.graph.batch).max(count);
            for (rope, buffer) in self.graph.ropes.iter().zip(&self.angles) {
                let table = rope.table(self.turns.clone());
                gpu.queue
                    .write_buffer(buffer, 0, bytemuck::cast_slice(&table));
            }
        }
        let words = [
            position,
            count,
            wanted.start,
            wanted.len(),
            0,
            choices,
            position - self.turns.start,
            1.0_f32.to_bits() as usize,
        ];
        let words = words.map(|word| word as u32);
        gpu.queue
            .write_buffer(&self.step, 0, bytemuck::cast_slice(&words));
        if self.faulty {
            gpu.queue.write_buffer(&self.faults, 0, &[0; 4]);
        }
    }
}

/// For how many positions angles are computed at a time when tokens come one by one.
const TURNS_AHEAD: usize = 64;

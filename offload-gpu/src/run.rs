//! One step: one command buffer, one submission, one reading back.

use crate::device::Gpu;
use crate::error::GpuError;
use crate::layout;
use crate::plan::{Extent, Plan, Stage};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

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

/// A span to be copied to the host.
struct Copy<'a> {
    buffer: &'a wgpu::Buffer,
    from: u64,
    bytes: u64,
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
        self.send(gpu, step, &wanted, writes);
        let kept = self.landing.take();
        let mut copies = vec![Copy {
            buffer: &self.faults,
            from: 0,
            bytes: 4,
        }];
        if outcome.chosen.is_some() {
            copies.push(Copy {
                buffer: &self.chosen,
                from: 0,
                bytes: 4,
            });
        }
        let logits = self.graph.logits;
        if let Some(found) = &outcome.logits {
            let first = if self.compact[logits] { 0 } else { wanted.start };
            let width = self.graph.activations[logits].width;
            copies.push(Copy {
                buffer: self.floats(logits)?,
                from: 4 * (first * width) as u64,
                bytes: 4 * found.len() as u64,
            });
        }
        for place in places.iter() {
            let id = place.activation;
            let first = if self.in_tail(id) && !self.compact[id] {
                wanted.start
            } else {
                0
            };
            copies.push(Copy {
                buffer: self.floats(id)?,
                from: 4 * (first * self.graph.activations[id].width) as u64,
                bytes: 4 * place.values.len() as u64,
            });
        }
        let bytes: u64 = copies.iter().map(|copy| copy.bytes).sum();
        let landing = match kept {
            Some(landing) if landing.size() >= bytes => landing,
            _ => landing(gpu, bytes)?,
        };
        let mut encoder = gpu.device.create_command_encoder(&Default::default());
        encoder.clear_buffer(&self.faults, 0, None);
        {
            let mut pass = encoder.begin_compute_pass(&Default::default());
            let choice = outcome.chosen.as_ref().map_or(&[][..], |_| &self.choice[..]);
            for stage in self.stages.iter().chain(choice) {
                let rows = if stage.tail { wanted.len() } else { step.count };
                let extent = Extent {
                    rows: rows as u32,
                    position: step.position,
                };
                encode(&mut pass, stage, extent);
            }
        }
        let mut at = 0;
        for copy in &copies {
            encoder.copy_buffer_to_buffer(copy.buffer, copy.from, &landing, at, copy.bytes);
            at += copy.bytes;
        }
        gpu.queue.submit([encoder.finish()]);
        let words = read(gpu, &landing, bytes)?;
        self.landing = Some(landing);
        let mut words = &words[..];
        let mut next = |count: usize| {
            let (now, later) = words.split_at(count);
            words = later;
            now
        };
        faults(next(1)[0])?;
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

    fn floats(&self, id: usize) -> Result<&wgpu::Buffer, GpuError> {
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
        let writes = writes.iter().map(|w| (w.activation, w.values.len(), step.count));
        let places = places.iter().map(|p| {
            let tail = self.in_tail(p.activation);
            (p.activation, p.values.len(), if tail { rows } else { step.count })
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
    fn holds(&self, position: usize) -> bool {
        let graph = &self.graph;
        graph.caches.iter().all(|cache| {
            let first = cache
                .window
                .map_or(0, |window| (position + 1).saturating_sub(window));
            first + layout::ring(graph, cache) >= self.read
        })
    }

    /// Sends what kernels need to know of the step.
    fn send(
        &self,
        gpu: &Gpu,
        step: &Step<'_>,
        wanted: &std::ops::Range<usize>,
        writes: &[Values<'_>],
    ) {
        let words = [
            step.position,
            step.count,
            wanted.start,
            wanted.len(),
            0,
            step.choices,
            0,
            0,
        ];
        let words = words.map(|word| word as u32);
        let write = |buffer: &wgpu::Buffer, bytes: &[u8]| gpu.queue.write_buffer(buffer, 0, bytes);
        write(&self.step, bytemuck::cast_slice(&words));
        if !step.tokens.is_empty() {
            write(&self.tokens, bytemuck::cast_slice(step.tokens));
        }
        for (rope, buffer) in self.graph.ropes.iter().zip(&self.angles) {
            let mut table = Vec::with_capacity(2 * rope.frequencies.len() * step.count);
            for token in 0..step.count {
                let angle = |f: &f64| libm::sincos((step.position + token) as f64 * f);
                let each = rope.frequencies.iter().map(angle);
                table.extend(each.clone().map(|(_, c)| (c * rope.magnitude) as f32));
                table.extend(each.map(|(s, _)| (s * rope.magnitude) as f32));
            }
            write(buffer, bytemuck::cast_slice(&table));
        }
        for values in writes {
            if let Some(buffer) = &self.slots[values.activation].floats {
                write(buffer, bytemuck::cast_slice(values.values));
            }
        }
    }
}

/// Host memory that the device can write.
pub(crate) fn landing(gpu: &Gpu, bytes: u64) -> Result<wgpu::Buffer, GpuError> {
    let usage = wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST;
    gpu.buffer("results", bytes.next_power_of_two().min(gpu.binding_limit).max(bytes), usage)
}

pub(crate) fn encode(pass: &mut wgpu::ComputePass<'_>, stage: &Stage, extent: Extent) {
    let Some(variant) = stage.variant(extent.rows) else {
        return;
    };
    let lines = variant.y.count(extent);
    if lines == 0 {
        return;
    }
    pass.set_pipeline(&variant.dispatch.pipeline);
    pass.set_bind_group(0, &variant.dispatch.group, &[]);
    pass.dispatch_workgroups(variant.x as u32, lines, 1);
}

/// Waits for the step and takes what it left.
pub(crate) fn read(gpu: &Gpu, landing: &wgpu::Buffer, bytes: u64) -> Result<Vec<u32>, GpuError> {
    let state = Arc::new(AtomicU8::new(0));
    let seen = Arc::clone(&state);
    landing.map_async(wgpu::MapMode::Read, 0..bytes, move |result| {
        seen.store(if result.is_ok() { 1 } else { 2 }, Ordering::Release);
    });
    gpu.wait(|| state.load(Ordering::Acquire) != 0)?;
    if state.load(Ordering::Acquire) == 2 {
        gpu.check("reading results")?;
        return Err(GpuError::Refused {
            what: "reading results".to_owned(),
            why: "the memory cannot be mapped".to_owned(),
        });
    }
    let view = landing.get_mapped_range(0..bytes);
    let words = view.map(|view| bytemuck::pod_collect_to_vec(&view));
    let words = words.map_err(|error| GpuError::Refused {
        what: "reading results".to_owned(),
        why: error.to_string(),
    });
    landing.unmap();
    gpu.check("a step")?;
    words
}

/// What kernels found.
fn faults(bits: u32) -> Result<(), GpuError> {
    if bits & 2 != 0 {
        return Err(GpuError::CacheOverflow);
    }
    if bits & 5 != 0 {
        let what = if bits & 1 != 0 { "an intermediate" } else { "the logits" };
        return Err(GpuError::NonFinite { what });
    }
    Ok(())
}

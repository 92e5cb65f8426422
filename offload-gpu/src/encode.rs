//! A step as commands, and what comes back of it.

use crate::device::Gpu;
use crate::error::GpuError;
use crate::plan::{Extent, Plan, Stage};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

/// What of a step its commands depend on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Form {
    /// Tokens.
    pub(crate) count: usize,
    /// The position of the first.
    pub(crate) position: usize,
    /// Tokens whose logits are wanted: the first, and the one behind the last.
    pub(crate) wanted: (usize, usize),
    /// Whether a token is chosen.
    pub(crate) chosen: bool,
    /// How many logits come back.
    pub(crate) logits: usize,
}

impl Form {
    fn rows(&self) -> usize {
        self.wanted.1 - self.wanted.0
    }

    /// Words that come back, with so many values of intermediates.
    pub(crate) fn words(&self, values: usize) -> u64 {
        (1 + usize::from(self.chosen) + self.logits + values) as u64
    }
}

impl Plan {
    /// A step's kernels, and copies of its results to the landing: the faults, the chosen token, logits, then so many
    /// values of other intermediates.
    pub(crate) fn encode(
        &mut self,
        gpu: &Gpu,
        form: &Form,
        places: &[(usize, usize)],
    ) -> Result<wgpu::CommandBuffer, GpuError> {
        let bytes = 4 * form.words(places.iter().map(|place| place.1).sum());
        let landed = match self.landing.take() {
            Some(landing) if landing.size() >= bytes => landing,
            _ => {
                // What was encoded for the smaller one is of no use.
                self.ahead = None;
                landing(gpu, bytes)?
            }
        };
        let mut encoder = gpu.device.create_command_encoder(&Default::default());
        self.pass(&mut encoder, form);
        let mut at = 0;
        let mut copy = |buffer: &wgpu::Buffer, from: usize, words: usize| {
            encoder.copy_buffer_to_buffer(buffer, 4 * from as u64, &landed, at, 4 * words as u64);
            at += 4 * words as u64;
        };
        copy(&self.faults, 0, 1);
        if form.chosen {
            copy(&self.chosen, 0, 1);
        }
        let width = |id: usize| self.graph.activations[id].width;
        if form.logits > 0 {
            let logits = self.graph.logits;
            let first = if self.compact[logits] {
                0
            } else {
                form.wanted.0
            };
            copy(self.floats(logits)?, first * width(logits), form.logits);
        }
        for &(id, values) in places {
            let later = self.in_tail(id) && !self.compact[id];
            let first = if later { form.wanted.0 } else { 0 };
            copy(self.floats(id)?, first * width(id), values);
        }
        self.landing = Some(landed);
        Ok(encoder.finish())
    }

    /// A step's kernels.
    pub(crate) fn pass(&self, encoder: &mut wgpu::CommandEncoder, form: &Form) {
        let mut pass = encoder.begin_compute_pass(&Default::default());
        let choice = if form.chosen { &self.choice[..] } else { &[] };
        for stage in self.stages.iter().chain(choice) {
            let rows = if stage.tail { form.rows() } else { form.count };
            let extent = Extent {
                rows: rows as u32,
                position: form.position,
            };
            encode(&mut pass, stage, extent);
        }
    }
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

/// Host memory that the device can write.
pub(crate) fn landing(gpu: &Gpu, bytes: u64) -> Result<wgpu::Buffer, GpuError> {
    let usage = wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST;
    let size = bytes.next_power_of_two().min(gpu.binding_limit).max(bytes);
    gpu.buffer("results", size, usage)
}

/// Host memory on its way.
pub(crate) struct Awaited<'a> {
    landing: &'a wgpu::Buffer,
    bytes: u64,
    state: Arc<AtomicU8>,
}

/// Asks for what a submitted step leaves.
pub(crate) fn await_words(landing: &wgpu::Buffer, bytes: u64) -> Awaited<'_> {
    let state = Arc::new(AtomicU8::new(0));
    let seen = Arc::clone(&state);
    landing.map_async(wgpu::MapMode::Read, 0..bytes, move |result| {
        seen.store(if result.is_ok() { 1 } else { 2 }, Ordering::Release);
    });
    Awaited {
        landing,
        bytes,
        state,
    }
}

impl Awaited<'_> {
    /// Waits, and takes it.
    pub(crate) fn words(self, gpu: &Gpu) -> Result<Vec<u32>, GpuError> {
        let state = &self.state;
        gpu.wait(|| state.load(Ordering::Acquire) != 0)?;
        let refused = |why: String| GpuError::Refused {
            what: "reading results".to_owned(),
            why,
        };
        if state.load(Ordering::Acquire) == 2 {
            gpu.check("reading results")?;
            return Err(refused("the memory cannot be mapped".to_owned()));
        }
        let view = self.landing.get_mapped_range(0..self.bytes);
        let words = view.map(|view| bytemuck::pod_collect_to_vec(&view));
        let words = words.map_err(|error| refused(error.to_string()));
        self.landing.unmap();
        gpu.check("a step")?;
        words
    }
}

/// Waits for the step and takes what it left.
pub(crate) fn read(gpu: &Gpu, landing: &wgpu::Buffer, bytes: u64) -> Result<Vec<u32>, GpuError> {
    await_words(landing, bytes).words(gpu)
}

/// What kernels found.
pub(crate) fn faults(bits: u32) -> Result<(), GpuError> {
    if bits & 2 != 0 {
        return Err(GpuError::CacheOverflow);
    }
    if bits & 5 != 0 {
        let what = if bits & 1 != 0 {
            "an intermediate"
        } else {
            "the logits"
        };
        return Err(GpuError::NonFinite { what });
    }
    Ok(())
}

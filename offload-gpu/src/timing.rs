//! How long each kernel of a step takes, for whoever makes them faster.

use crate::device::Gpu;
use crate::encode::{encode, landing, read};
use crate::error::GpuError;
use crate::plan::{Extent, Plan, Stage};

impl Plan {
    /// Runs the stages of the last step once more, each in a pass of its own, and gives their kernels' names with the workgroups they
    /// have, and nanoseconds; then those of all in one pass.
    ///
    /// # Errors
    ///
    /// [`GpuError`] if the device has no clock, or what happens on it.
    pub fn timings(
        &self,
        gpu: &Gpu,
        rows: u32,
        wanted: u32,
    ) -> Result<Vec<(String, f64)>, GpuError> {
        if !gpu
            .device
            .features()
            .contains(wgpu::Features::TIMESTAMP_QUERY)
        {
            return Err(GpuError::Unsupported {
                what: "measuring kernels".to_owned(),
            });
        }
        let mut named = vec![];
        // A set holds 4096 at most.
        for stages in self.stages.chunks(2048) {
            let set = queries(gpu, stages.len());
            let mut encoder = gpu.device.create_command_encoder(&Default::default());
            let mut names = vec![];
            for stage in stages {
                let extent = self.extent(stage, rows, wanted);
                let variant = stage.variant(extent.rows);
                let Some(variant) = variant.filter(|v| v.y.count(extent) > 0) else {
                    continue;
                };
                let at = 2 * names.len() as u32;
                let lines = variant.y.count(extent);
                names.push(format!("{} {} × {lines}", variant.dispatch.name, variant.x));
                let mut pass = begin(&mut encoder, &set, at);
                encode(&mut pass, stage, extent);
            }
            let times = times(gpu, encoder, &set, names.len())?;
            named.extend(names.into_iter().zip(times));
        }
        named.push(("all".to_owned(), self.whole(gpu, rows, wanted)?));
        Ok(named)
    }

    fn whole(&self, gpu: &Gpu, rows: u32, wanted: u32) -> Result<f64, GpuError> {
        let set = queries(gpu, 1);
        let mut encoder = gpu.device.create_command_encoder(&Default::default());
        {
            let mut pass = begin(&mut encoder, &set, 0);
            for stage in &self.stages {
                encode(&mut pass, stage, self.extent(stage, rows, wanted));
            }
        }
        Ok(times(gpu, encoder, &set, 1)?.iter().sum())
    }

    fn extent(&self, stage: &Stage, rows: u32, wanted: u32) -> Extent {
        Extent {
            rows: if stage.tail { wanted } else { rows },
            position: self.read.saturating_sub(rows as usize),
        }
    }
}

/// Room for the times of so many passes.
fn queries(gpu: &Gpu, passes: usize) -> wgpu::QuerySet {
    gpu.device.create_query_set(&wgpu::QuerySetDescriptor {
        label: None,
        ty: wgpu::QueryType::Timestamp,
        count: 2 * passes as u32,
    })
}

/// A pass whose times are queries `at` and the next.
fn begin<'e>(
    encoder: &'e mut wgpu::CommandEncoder,
    set: &wgpu::QuerySet,
    at: u32,
) -> wgpu::ComputePass<'e> {
    encoder.begin_compute_pass(&wgpu::ComputePassDescriptor {
        label: None,
        timestamp_writes: Some(wgpu::ComputePassTimestampWrites {
            query_set: set,
            beginning_of_pass_write_index: Some(at),
            end_of_pass_write_index: Some(at + 1),
        }),
    })
}

/// Runs the passes and gives the nanoseconds of each.
fn times(
    gpu: &Gpu,
    mut encoder: wgpu::CommandEncoder,
    set: &wgpu::QuerySet,
    passes: usize,
) -> Result<Vec<f64>, GpuError> {
    let bytes = 16 * passes as u64;
    let usage = wgpu::BufferUsages::QUERY_RESOLVE | wgpu::BufferUsages::COPY_SRC;
    let resolved = gpu.buffer("times", bytes, usage)?;
    encoder.resolve_query_set(set, 0..2 * passes as u32, &resolved, 0);
    let landed = landing(gpu, bytes)?;
    encoder.copy_buffer_to_buffer(&resolved, 0, &landed, 0, bytes);
    gpu.queue.submit([encoder.finish()]);
    let words = read(gpu, &landed, bytes)?;
    let period = f64::from(gpu.queue.get_timestamp_period());
    let each = words.as_chunks::<4>().0.iter().map(|[a, b, c, d]| {
        let time = |low: &u32, high: &u32| u64::from(*low) | u64::from(*high) << 32;
        time(c, d).saturating_sub(time(a, b)) as f64 * period
    });
    Ok(each.collect())
}

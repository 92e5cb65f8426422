//! How long each kernel of a step takes, for whoever makes them faster.

use crate::device::Gpu;
use crate::encode::{encode, landing, read};
use crate::error::GpuError;
use crate::plan::{Extent, Plan};

impl Plan {
    /// Runs the stages of the last step once more, each in a pass of its own, and gives their kernels' names and nanoseconds.
    ///
    /// # Errors
    ///
    /// [`GpuError`] if the device has no clock, or what happens on it.
    pub fn timings(
        &self,
        gpu: &Gpu,
        rows: u32,
        wanted: u32,
    ) -> Result<Vec<(&'static str, f64)>, GpuError> {
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
            let set = gpu.device.create_query_set(&wgpu::QuerySetDescriptor {
                label: None,
                ty: wgpu::QueryType::Timestamp,
                count: 2 * stages.len() as u32,
            });
            let mut encoder = gpu.device.create_command_encoder(&Default::default());
            let mut names = vec![];
            for stage in stages {
                let extent = Extent {
                    rows: if stage.tail { wanted } else { rows },
                    position: self.read.saturating_sub(rows as usize),
                };
                let variant = stage.variant(extent.rows);
                let Some(variant) = variant.filter(|v| v.y.count(extent) > 0) else {
                    continue;
                };
                let at = 2 * names.len() as u32;
                names.push(variant.dispatch.name);
                let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor {
                    label: None,
                    timestamp_writes: Some(wgpu::ComputePassTimestampWrites {
                        query_set: &set,
                        beginning_of_pass_write_index: Some(at),
                        end_of_pass_write_index: Some(at + 1),
                    }),
                });
                encode(&mut pass, stage, extent);
            }
            let bytes = 16 * names.len() as u64;
            let usage = wgpu::BufferUsages::QUERY_RESOLVE | wgpu::BufferUsages::COPY_SRC;
            let resolved = gpu.buffer("times", bytes, usage)?;
            encoder.resolve_query_set(&set, 0..2 * names.len() as u32, &resolved, 0);
            let landed = landing(gpu, bytes)?;
            encoder.copy_buffer_to_buffer(&resolved, 0, &landed, 0, bytes);
            gpu.queue.submit([encoder.finish()]);
            let words = read(gpu, &landed, bytes)?;
            let times = words.as_chunks::<4>().0.iter().map(|[a, b, c, d]| {
                let time = |low: &u32, high: &u32| u64::from(*low) | u64::from(*high) << 32;
                let period = f64::from(gpu.queue.get_timestamp_period());
                time(c, d).saturating_sub(time(a, b)) as f64 * period
            });
            named.extend(names.into_iter().zip(times));
        }
        Ok(named)
    }
}

//! Adapters, and a device that never ends the process.

use crate::error::GpuError;
use crate::pipeline::Pipelines;
use crate::store::Store;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How long a step may take.
const PATIENCE: Duration = Duration::from_secs(120);

/// What of an adapter decides how kernels are made.
#[derive(Clone, Copy, Debug)]
pub struct Abilities {
    /// Kernels may use 64-bit floats.
    pub doubles: bool,
    /// Lanes of a subgroup, if it is always the same.
    pub subgroup: Option<u32>,
    /// Floats below the normal range may become zero.
    pub flushes: bool,
    /// Storage buffers that a kernel may use.
    pub storage_buffers: u32,
    /// Lanes of a workgroup.
    pub workgroup: u32,
    /// Bytes of a workgroup's memory.
    pub workgroup_bytes: u32,
    /// Lanes of a subgroup can wait for one another.
    pub subgroup_barrier: bool,
}

/// An adapter, before it is opened.
#[derive(Clone, Debug)]
pub struct AdapterReport {
    /// Its name.
    pub name: String,
    /// The driver's name and version.
    pub driver: String,
    /// The programming interface.
    pub interface: String,
    /// What kind of machine it is, or a program.
    pub kind: wgpu::DeviceType,
    /// PCI number of the vendor.
    pub vendor: u32,
    /// PCI number of the device.
    pub device: u32,
    /// Lanes of a subgroup, at least and at most.
    pub subgroup: [u32; 2],
    /// Lanes and bytes of a workgroup.
    pub workgroup: [u32; 2],
    /// Bytes of memory; 0: unknown.
    pub memory: u64,
    /// Bytes of a buffer.
    pub buffer: u64,
    /// Bytes of one binding.
    pub binding: u64,
    /// Features that matter, in words.
    pub features: String,
    /// Why it cannot run models, if it cannot.
    pub unfit: Option<String>,
}

/// A device and its queue.
pub struct Gpu {
    /// The name of the adapter.
    pub name: String,
    pub(crate) device: wgpu::Device,
    pub(crate) queue: wgpu::Queue,
    /// What kernels may use.
    pub abilities: Abilities,
    /// Bytes of one binding.
    pub binding_limit: u64,
    /// Bytes of memory; 0: unknown.
    pub memory: u64,
    pub(crate) pipelines: Pipelines,
    pub(crate) store: Option<Store>,
    /// Where pieces of weights are put in the order of the device.
    pub(crate) pieces: Mutex<Vec<u32>>,
    faults: Arc<Faults>,
}

/// What the driver reported outside of calls.
#[derive(Default)]
struct Faults {
    lost: Mutex<Option<String>>,
    error: Mutex<Option<wgpu::Error>>,
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// All adapters, machines before programs.
fn adapters() -> Vec<wgpu::Adapter> {
    let instance = wgpu::Instance::new(wgpu::InstanceDescriptor {
        flags: wgpu::InstanceFlags::empty(),
        ..wgpu::InstanceDescriptor::new_without_display_handle_from_env()
    });
    let mut adapters = pollster::block_on(instance.enumerate_adapters(wgpu::Backends::PRIMARY));
    if adapters.is_empty() {
        adapters = pollster::block_on(instance.enumerate_adapters(wgpu::Backends::SECONDARY));
    }
    let rank = |adapter: &wgpu::Adapter| match adapter.get_info().device_type {
        wgpu::DeviceType::DiscreteGpu => 0,
        wgpu::DeviceType::IntegratedGpu => 1,
        wgpu::DeviceType::VirtualGpu => 2,
        wgpu::DeviceType::Other => 3,
        wgpu::DeviceType::Cpu => 4,
    };
    adapters.sort_by_key(rank);
    adapters
}

/// What of the adapter's features kernels use.
fn wanted(adapter: &wgpu::Adapter) -> wgpu::Features {
    let useful = wgpu::Features::SHADER_F64
        | wgpu::Features::SUBGROUP
        | wgpu::Features::SUBGROUP_BARRIER
        | wgpu::Features::TIMESTAMP_QUERY
        | wgpu::Features::PIPELINE_CACHE;
    adapter.features() & useful
}

/// Why an adapter cannot run the kernels.
fn unfit(adapter: &wgpu::Adapter) -> Option<String> {
    let limits = adapter.limits();
    let need = [
        (
            "storage buffers per kernel",
            u64::from(limits.max_storage_buffers_per_shader_stage),
            8,
        ),
        (
            "lanes per workgroup",
            u64::from(limits.max_compute_invocations_per_workgroup),
            256,
        ),
        (
            "bytes of workgroup memory",
            u64::from(limits.max_compute_workgroup_storage_size),
            16384,
        ),
        (
            "bytes per binding",
            limits.max_storage_buffer_binding_size,
            1 << 24,
        ),
    ];
    need.iter()
        .find(|(_, have, least)| have < least)
        .map(|(what, have, least)| format!("it has {have} {what}, kernels need {least}"))
}

/// The adapters of this machine; those that are programs come last.
pub fn reports() -> Vec<AdapterReport> {
    adapters().iter().map(report).collect()
}

fn report(adapter: &wgpu::Adapter) -> AdapterReport {
    let (info, limits) = (adapter.get_info(), adapter.limits());
    let features = adapter.features();
    let yes = |feature, name: &str| features.contains(feature).then(|| name.to_owned());
    let known: Vec<String> = [
        yes(wgpu::Features::SHADER_F64, "f64"),
        yes(wgpu::Features::SHADER_F16, "f16"),
        yes(wgpu::Features::SUBGROUP, "subgroups"),
        yes(
            wgpu::Features::EXPERIMENTAL_COOPERATIVE_MATRIX,
            "cooperative matrices",
        ),
        yes(wgpu::Features::TIMESTAMP_QUERY, "timestamps"),
        yes(wgpu::Features::PIPELINE_CACHE, "pipeline cache"),
    ]
    .into_iter()
    .flatten()
    .collect();
    AdapterReport {
        driver: format!("{} {}", info.driver, info.driver_info),
        interface: format!("{:?}", info.backend),
        kind: info.device_type,
        vendor: info.vendor,
        device: info.device,
        subgroup: [info.subgroup_min_size, info.subgroup_max_size],
        workgroup: [
            limits.max_compute_invocations_per_workgroup,
            limits.max_compute_workgroup_storage_size,
        ],
        memory: 0,
        buffer: limits.max_buffer_size,
        binding: limits.max_storage_buffer_binding_size,
        features: known.join(", "),
        unfit: unfit(adapter),
        name: info.name,
    }
}

impl Gpu {
    /// Opens adapter `index` of [`reports`].
    ///
    /// # Errors
    ///
    /// [`GpuError`] if there is no such adapter, or it gives no device.
    pub fn open(index: usize) -> Result<Self, GpuError> {
        Self::open_keeping(index, None)
    }

    /// The same, with compiled kernels kept in the folder `kept`.
    ///
    /// # Errors
    ///
    /// As [`Self::open`].
    pub fn open_keeping(index: usize, kept: Option<&Path>) -> Result<Self, GpuError> {
        let adapters = adapters();
        let count = adapters.len();
        let adapter = adapters
            .get(index)
            .ok_or(GpuError::NoAdapter { index, count })?;
        let info = adapter.get_info();
        if let Some(why) = unfit(adapter) {
            return Err(GpuError::Unfit {
                adapter: info.name,
                why,
            });
        }
        let features = wanted(adapter);
        let limits = adapter.limits();
        let descriptor = wgpu::DeviceDescriptor {
            label: Some("fidelis"),
            required_features: features,
            required_limits: limits.clone(),
            memory_hints: wgpu::MemoryHints::Performance,
            experimental_features: wgpu::ExperimentalFeatures::disabled(),
            ..wgpu::DeviceDescriptor::default()
        };
        let opened = pollster::block_on(adapter.request_device(&descriptor));
        let (device, queue) = opened.map_err(|error| GpuError::Open {
            adapter: info.name.clone(),
            why: error.to_string(),
        })?;
        let faults = Arc::new(Faults::default());
        let seen = Arc::clone(&faults);
        device.set_device_lost_callback(move |reason, text| {
            *lock(&seen.lost) = Some(format!("{reason:?}: {text}"));
        });
        let seen = Arc::clone(&faults);
        device.on_uncaptured_error(Arc::new(move |error| {
            lock(&seen.error).get_or_insert(error);
        }));
        let subgroup = (features.contains(wgpu::Features::SUBGROUP)
            && info.subgroup_min_size == info.subgroup_max_size)
            .then_some(info.subgroup_min_size);
        let store = kept.and_then(|folder| Store::open(&device, &info, folder));
        Ok(Self {
            name: info.name,
            store,
            abilities: Abilities {
                doubles: features.contains(wgpu::Features::SHADER_F64),
                subgroup,
                subgroup_barrier: features.contains(wgpu::Features::SUBGROUP_BARRIER),
                storage_buffers: limits.max_storage_buffers_per_shader_stage,
                workgroup: limits.max_compute_invocations_per_workgroup,
                workgroup_bytes: limits.max_compute_workgroup_storage_size,
                // Programs compute with the processor's floats; of machines it is not known.
                flushes: info.device_type != wgpu::DeviceType::Cpu,
            },
            binding_limit: limits
                .max_storage_buffer_binding_size
                .min(limits.max_buffer_size),
            memory: 0,
            pipelines: Pipelines::default(),
            pieces: Mutex::default(),
            faults,
            device,
            queue,
        })
    }

    /// Keeps compiled kernels for the next process; whether this device can.
    pub fn keep(&self) -> bool {
        self.store.as_ref().is_some_and(Store::save)
    }

    /// What the driver has reported since the last call.
    ///
    /// # Errors
    ///
    /// The report.
    pub fn check(&self, what: &str) -> Result<(), GpuError> {
        if let Some(why) = lock(&self.faults.lost).clone() {
            return Err(GpuError::Lost { why });
        }
        match lock(&self.faults.error).take() {
            None => Ok(()),
            Some(wgpu::Error::OutOfMemory { source }) => Err(GpuError::Memory {
                bytes: 0,
                available: 0,
                what: what.to_owned(),
                why: source.to_string(),
            }),
            Some(error) => Err(GpuError::Refused {
                what: what.to_owned(),
                why: error.to_string(),
            }),
        }
    }

    /// A buffer of at least `bytes`, zeroed.
    ///
    /// # Errors
    ///
    /// [`GpuError::Memory`] if it cannot be had, or a kernel could not see it whole.
    pub fn buffer(
        &self,
        what: &str,
        bytes: u64,
        usage: wgpu::BufferUsages,
    ) -> Result<wgpu::Buffer, GpuError> {
        let size = bytes.next_multiple_of(16).max(16);
        if size > self.binding_limit {
            return Err(GpuError::Memory {
                bytes,
                available: self.binding_limit,
                what: what.to_owned(),
                why: format!("a binding holds {}", self.binding_limit),
            });
        }
        let scope = self.device.push_error_scope(wgpu::ErrorFilter::OutOfMemory);
        let buffer = self.device.create_buffer(&wgpu::BufferDescriptor {
            label: Some(what),
            size,
            usage,
            mapped_at_creation: false,
        });
        match pollster::block_on(scope.pop()) {
            Some(error) => Err(GpuError::Memory {
                bytes,
                available: 0,
                what: what.to_owned(),
                why: error.to_string(),
            }),
            None => self.check(what).map(|()| buffer),
        }
    }

    /// A buffer for kernels that the host can write and read back.
    ///
    /// # Errors
    ///
    /// As [`Self::buffer`].
    pub fn storage(&self, what: &str, bytes: u64) -> Result<wgpu::Buffer, GpuError> {
        let usage = wgpu::BufferUsages::STORAGE
            | wgpu::BufferUsages::COPY_DST
            | wgpu::BufferUsages::COPY_SRC;
        self.buffer(what, bytes, usage)
    }

    /// Waits until `done` says so.
    ///
    /// # Errors
    ///
    /// [`GpuError::Timeout`] and [`GpuError::Lost`].
    pub fn wait(&self, mut done: impl FnMut() -> bool) -> Result<(), GpuError> {
        let start = Instant::now();
        loop {
            // A short wait first: it is over sooner than the driver's own.
            let poll = if start.elapsed() < Duration::from_millis(5) {
                wgpu::PollType::Poll
            } else {
                wgpu::PollType::Wait {
                    submission_index: None,
                    timeout: Some(Duration::from_secs(1)),
                }
            };
            let polled = self.device.poll(poll);
            if done() {
                return Ok(());
            }
            self.check("a step")?;
            if let Err(wgpu::PollError::WrongSubmissionIndex(..)) = polled {
                return Err(GpuError::invalid("the device waits for nothing"));
            }
            if start.elapsed() > PATIENCE {
                return Err(GpuError::Timeout {
                    seconds: PATIENCE.as_secs(),
                });
            }
            std::hint::spin_loop();
        }
    }
}

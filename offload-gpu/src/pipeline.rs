//! Kernels: their text put together, compiled once, and bound to buffers.

use crate::device::Gpu;
use crate::error::GpuError;
use crate::trust;
use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex, PoisonError};

/// The compiled kernels, by their text.
#[derive(Default)]
pub(crate) struct Pipelines(Mutex<HashMap<String, Arc<Compiled>>>);

struct Compiled {
    pipeline: wgpu::ComputePipeline,
    layout: wgpu::BindGroupLayout,
}

/// A kernel with the buffers it works on.
#[derive(Clone)]
pub struct Dispatch {
    pub(crate) name: &'static str,
    pub(crate) pipeline: wgpu::ComputePipeline,
    pub(crate) group: wgpu::BindGroup,
}

/// Whether a kernel writes a buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Access {
    Read,
    Write,
}

/// A kernel in the making: constants, buffers and text.
pub struct Kernel {
    name: &'static str,
    extensions: String,
    repeats: Vec<(String, usize)>,
    constants: String,
    buffers: Vec<(String, &'static str, Access, wgpu::Buffer)>,
    text: Vec<String>,
}

impl Kernel {
    /// A kernel with the body `main`.
    pub fn new(name: &'static str, main: &str) -> Self {
        Self {
            name,
            extensions: String::new(),
            repeats: vec![],
            constants: String::new(),
            buffers: vec![],
            text: vec![main.to_owned()],
        }
    }

    /// `enable name;`
    pub fn enable(mut self, name: &str) -> Self {
        let _ = writeln!(self.extensions, "enable {name};");
        self
    }

    /// `const NAME: u32 = value;`, which lines of text may be repeated by, too.
    pub fn repeat(mut self, name: &str, value: usize) -> Self {
        self.repeats.push((name.to_owned(), value));
        self.count(name, value)
    }

    /// `const NAME: u32 = value;`
    pub fn count(mut self, name: &str, value: usize) -> Self {
        let _ = writeln!(self.constants, "const {name}: u32 = {value}u;");
        self
    }

    /// `const NAME: f32 = value;`, exactly.
    pub fn real(mut self, name: &str, value: f32) -> Self {
        let _ = writeln!(self.constants, "const {name}: f32 = {value:e}f;");
        self
    }

    /// `const NAME: bool = value;`
    pub fn flag(mut self, name: &str, value: bool) -> Self {
        let _ = writeln!(self.constants, "const {name}: bool = {value};");
        self
    }

    /// More text.
    pub fn with(mut self, text: impl Into<String>) -> Self {
        self.text.push(text.into());
        self
    }

    /// A buffer that is read, as elements of type `element`.
    pub fn read(mut self, name: &str, element: &'static str, buffer: &wgpu::Buffer) -> Self {
        self.buffers
            .push((name.to_owned(), element, Access::Read, buffer.clone()));
        self
    }

    /// A buffer that is written.
    pub fn write(mut self, name: &str, element: &'static str, buffer: &wgpu::Buffer) -> Self {
        self.buffers
            .push((name.to_owned(), element, Access::Write, buffer.clone()));
        self
    }

    fn source(&self) -> String {
        let mut source = self.extensions.clone();
        source.push_str(&self.constants);
        for (i, (name, element, access, _)) in self.buffers.iter().enumerate() {
            let access = match access {
                Access::Read => "read",
                Access::Write => "read_write",
            };
            let _ = writeln!(
                source,
                "@group(0) @binding({}) var<storage, {access}> {name}: array<{element}>;",
                i + 1
            );
        }
        source.push_str(include_str!("wgsl/prelude.wgsl"));
        for text in &self.text {
            self.repeated(text, &mut source);
        }
        source
    }

    /// Writes lines between `//REPEAT count` and `//UNTIL` so many times, with the number of the time, from 0, for `$i`, and four
    /// times that and 0 to 3 more for `$0` to `$3`. Drivers keep what has names of its own in registers, and on its way together.
    fn repeated(&self, text: &str, source: &mut String) {
        let mut lines = text.lines();
        while let Some(line) = lines.next() {
            let Some(count) = line.trim().strip_prefix("//REPEAT ") else {
                source.push_str(line);
                source.push('\n');
                continue;
            };
            let known = self.repeats.iter().find(|(name, _)| name == count);
            let count = known.map_or_else(|| count.parse().unwrap_or(0), |known| known.1);
            let block: Vec<&str> = lines
                .by_ref()
                .take_while(|line| line.trim() != "//UNTIL")
                .collect();
            let block = block.join("\n") + "\n";
            for i in 0..count {
                let mut again = block.replace("$i", &i.to_string());
                for part in 0..4 {
                    again = again.replace(&format!("${part}"), &(4 * i + part).to_string());
                }
                source.push_str(&again);
            }
        }
    }

    /// Compiles the kernel, unless that was done, and binds its buffers; `step` is what all kernels know of the step.
    ///
    /// # Errors
    ///
    /// [`GpuError::Refused`] if the driver does not take it.
    pub fn build(self, gpu: &Gpu, step: &wgpu::Buffer) -> Result<Dispatch, GpuError> {
        let source = self.source();
        let mut known = gpu
            .pipelines
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let compiled = match known.get(&source) {
            Some(compiled) => Arc::clone(compiled),
            None => {
                let compiled = Arc::new(self.compile(gpu, &source)?);
                known.insert(source, Arc::clone(&compiled));
                compiled
            }
        };
        drop(known);
        let mut entries = vec![wgpu::BindGroupEntry {
            binding: 0,
            resource: step.as_entire_binding(),
        }];
        for (i, (_, _, _, buffer)) in self.buffers.iter().enumerate() {
            entries.push(wgpu::BindGroupEntry {
                binding: i as u32 + 1,
                resource: buffer.as_entire_binding(),
            });
        }
        let group = gpu.device.create_bind_group(&wgpu::BindGroupDescriptor {
            label: Some(self.name),
            layout: &compiled.layout,
            entries: &entries,
        });
        gpu.check(self.name)?;
        Ok(Dispatch {
            name: self.name,
            pipeline: compiled.pipeline.clone(),
            group,
        })
    }

    fn compile(&self, gpu: &Gpu, source: &str) -> Result<Compiled, GpuError> {
        let entry = |binding: u32, ty: wgpu::BufferBindingType| wgpu::BindGroupLayoutEntry {
            binding,
            visibility: wgpu::ShaderStages::COMPUTE,
            ty: wgpu::BindingType::Buffer {
                ty,
                has_dynamic_offset: false,
                min_binding_size: None,
            },
            count: None,
        };
        let mut entries = vec![entry(0, wgpu::BufferBindingType::Uniform)];
        for (i, (_, _, access, _)) in self.buffers.iter().enumerate() {
            let read_only = *access == Access::Read;
            entries.push(entry(
                i as u32 + 1,
                wgpu::BufferBindingType::Storage { read_only },
            ));
        }
        let device = &gpu.device;
        let scope = device.push_error_scope(wgpu::ErrorFilter::Validation);
        let layout = device.create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor {
            label: Some(self.name),
            entries: &entries,
        });
        let descriptor = wgpu::ShaderModuleDescriptor {
            label: Some(self.name),
            source: wgpu::ShaderSource::Wgsl(source.into()),
        };
        let module = trust::unchecked(device, descriptor);
        let pipeline_layout = device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
            label: Some(self.name),
            bind_group_layouts: &[Some(&layout)],
            immediate_size: 0,
        });
        let pipeline = device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
            label: Some(self.name),
            layout: Some(&pipeline_layout),
            module: &module,
            entry_point: Some("main"),
            compilation_options: wgpu::PipelineCompilationOptions {
                zero_initialize_workgroup_memory: false,
                ..wgpu::PipelineCompilationOptions::default()
            },
            cache: gpu.store.as_ref().map(|store| &store.cache),
        });
        match pollster::block_on(scope.pop()) {
            None => Ok(Compiled { pipeline, layout }),
            Some(error) => Err(GpuError::Refused {
                what: format!("the kernel `{}`", self.name),
                why: error.to_string(),
            }),
        }
    }
}

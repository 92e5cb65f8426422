//! Between the contract's records and the plug-in's own.

use crate::device::AdapterReport;
use crate::error::GpuError;
use crate::graph::{Activation, Attend, Cache, CacheFormat, Curve, Graph, Op, Rope, Tier};
use crate::memory::Shape;
use fidelis_abi as abi;

/// A description with what it points to.
pub(crate) struct Parts<'a> {
    pub(crate) given: &'a abi::Description,
    pub(crate) ops: &'a [abi::Op],
    pub(crate) activations: &'a [abi::Activation],
    pub(crate) weights: &'a [abi::Weight],
    pub(crate) ropes: &'a [abi::Rope],
    pub(crate) frequencies: Vec<&'a [f64]>,
    pub(crate) caches: &'a [abi::Cache],
}

/// A status and a message for an error.
pub(crate) fn failure(error: &GpuError) -> (abi::Status, abi::Message) {
    let mut message = abi::Message {
        text: abi::Text::new(&error.to_string()),
        ..abi::Message::empty()
    };
    let mut cause = error;
    while let GpuError::Op { op, source } = cause {
        message.op = *op as u32;
        cause = source;
    }
    let status = match cause {
        GpuError::NoAdapter { .. } => abi::Status::NO_DEVICE,
        GpuError::Unfit { .. } | GpuError::Format { .. } | GpuError::Unsupported { .. } => {
            abi::Status::UNSUPPORTED
        }
        GpuError::Memory {
            bytes, available, ..
        } => {
            message.needed = *bytes;
            message.available = *available;
            abi::Status::OUT_OF_MEMORY
        }
        GpuError::Invalid { .. } => abi::Status::INVALID,
        GpuError::Lost { .. } => abi::Status::DEVICE_LOST,
        GpuError::Timeout { .. } => abi::Status::TIMED_OUT,
        GpuError::NonFinite { .. } | GpuError::CacheOverflow => abi::Status::NON_FINITE,
        GpuError::Open { .. } | GpuError::Refused { .. } | GpuError::Op { .. } => {
            abi::Status::INTERNAL
        }
    };
    (status, message)
}

/// What the contract says of an adapter.
pub(crate) fn info(report: &AdapterReport) -> abi::DeviceInfo {
    let kind = match report.kind {
        wgpu::DeviceType::Other => abi::DeviceKind::OTHER,
        wgpu::DeviceType::IntegratedGpu => abi::DeviceKind::INTEGRATED,
        wgpu::DeviceType::DiscreteGpu => abi::DeviceKind::DISCRETE,
        wgpu::DeviceType::VirtualGpu => abi::DeviceKind::VIRTUAL,
        wgpu::DeviceType::Cpu => abi::DeviceKind::SOFTWARE,
    };
    let features = match &report.unfit {
        Some(why) => format!("unfit: {why}"),
        None => report.features.clone(),
    };
    abi::DeviceInfo {
        kind,
        vendor: report.vendor,
        device: report.device,
        subgroup_least: report.subgroup[0],
        subgroup_most: report.subgroup[1],
        workgroup_threads: report.workgroup[0],
        workgroup_bytes: report.workgroup[1],
        memory: report.memory,
        buffer_bytes: report.buffer,
        binding_bytes: report.binding,
        name: abi::Text::new(&report.name),
        driver: abi::Text::new(&report.driver),
        interface: abi::Text::new(&report.interface),
        features: abi::Text::new(&features),
        ..abi::DeviceInfo::empty()
    }
}

/// The shape of a weight.
pub(crate) fn shape(weight: &abi::Weight) -> Result<Shape, GpuError> {
    let size = |count: u64| usize::try_from(count).unwrap_or(usize::MAX);
    Shape::new(weight.format, size(weight.rows), size(weight.width))
}

fn unsupported(what: String) -> GpuError {
    GpuError::Unsupported { what }
}

impl Parts<'_> {
    /// The shapes of the weights; a format without a kernel is the failure of the operation that reads it.
    pub(crate) fn shapes(&self) -> Result<Vec<Shape>, GpuError> {
        let shapes = self.weights.iter().enumerate().map(|(i, weight)| {
            shape(weight).map_err(|error| {
                let reads = |op: &abi::Op| op.weight as usize == i;
                match self.ops.iter().position(reads) {
                    Some(op) => error.of_op(op),
                    None => error,
                }
            })
        });
        shapes.collect()
    }

    /// The computation.
    pub(crate) fn graph(&self) -> Result<Graph, GpuError> {
        let given = self.given;
        let tier = match given.tier {
            abi::Tier::ANY | abi::Tier::FAST => Tier::Fast,
            abi::Tier::F32 => Tier::F32,
            abi::Tier(other) => return Err(unsupported(format!("a tier {other}"))),
        };
        let mut ops = Vec::with_capacity(self.ops.len());
        for (index, op) in self.ops.iter().enumerate() {
            ops.push(translate(op).map_err(|error| error.of_op(index))?);
        }
        let activations = self.activations.iter().map(|activation| Activation {
            width: activation.width as usize,
            observed: activation.flags & abi::Activation::OBSERVED != 0,
        });
        let ropes = self.ropes.iter().zip(&self.frequencies);
        let ropes = ropes.map(|(rope, frequencies)| Rope {
            frequencies: frequencies.to_vec(),
            magnitude: rope.magnitude,
            neighbours: rope.pairing == abi::Pairing::INTERLEAVED,
        });
        Ok(Graph {
            ops,
            activations: activations.collect(),
            ropes: ropes.collect(),
            caches: self.caches.iter().map(cache).collect::<Result<_, _>>()?,
            logits: given.output as usize,
            context: given.context as usize,
            batch: given.batch as usize,
            tier,
            input: (given.input != abi::NONE).then_some(given.input as usize),
            wanted: given.output_rows as usize,
        })
    }
}

fn cache(cache: &abi::Cache) -> Result<Cache, GpuError> {
    let format = match cache.format {
        0 => CacheFormat::F32,
        1 => CacheFormat::F16,
        8 if cache.key_width.is_multiple_of(32) => CacheFormat::Q8_0,
        8 => {
            let what = format!("a cache in Q8_0 of keys of {} elements", cache.key_width);
            return Err(unsupported(what));
        }
        other => return Err(unsupported(format!("a cache in format {other}"))),
    };
    Ok(Cache {
        heads: cache.heads as usize,
        key_width: cache.key_width as usize,
        value_width: cache.value_width as usize,
        window: (cache.window > 0).then_some(cache.window as usize),
        format,
    })
}

fn translate(op: &abi::Op) -> Result<Op, GpuError> {
    let [out, a, b, c] = [op.out, op.a, op.b, op.c].map(|id| id as usize);
    let (weight, heads) = (op.weight as usize, op.heads as usize);
    let cap = (op.cap > 0.0).then_some(op.cap);
    let finite = [op.scale, op.score_scale, op.epsilon.into(), op.cap.into()];
    if !finite.iter().all(|x| x.is_finite()) {
        return Err(GpuError::invalid("a factor is not finite"));
    }
    Ok(match op.kind {
        abi::OpKind::EMBED => Op::Embed {
            table: weight,
            scale: op.scale as f32,
            out,
        },
        abi::OpKind::NORM => Op::Norm {
            input: a,
            weight,
            epsilon: op.epsilon,
            heads,
            out,
        },
        abi::OpKind::MAT_MUL => Op::MatMul {
            input: a,
            weight,
            first: op.first as usize,
            residual: None,
            out,
        },
        abi::OpKind::BIAS => Op::Bias {
            input: a,
            bias: weight,
            out,
        },
        abi::OpKind::ROPE => Op::Rope {
            input: a,
            heads,
            rope: op.rope as usize,
            out,
        },
        abi::OpKind::ATTEND => Op::Attend(Attend {
            query: a,
            key: b,
            value: c,
            cache: op.cache as usize,
            heads,
            query_scale: op.scale as f32,
            score_scale: op.score_scale as f32,
            soft_cap: cap,
            out,
        }),
        abi::OpKind::GATE => Op::Gate {
            gate: a,
            up: b,
            curve: match op.activate {
                abi::Activate::SILU => Curve::Silu,
                abi::Activate::GELU_TANH => Curve::GeluTanh,
                abi::Activate(other) => return Err(unsupported(format!("an activation {other}"))),
            },
            out,
        },
        abi::OpKind::ADD => Op::Add { a, b, out },
        abi::OpKind::SOFT_CAP => Op::SoftCap {
            input: a,
            cap: cap.ok_or_else(|| GpuError::invalid("a cap of nothing"))?,
            out,
        },
        abi::OpKind(other) => return Err(unsupported(format!("an operation {other}"))),
    })
}

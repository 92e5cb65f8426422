//! The engine's graphs as the plug-in's.

use fidelis_engine::graph::{self as engine, Pairing};
use fidelis_offload_gpu::device::Gpu;
use fidelis_offload_gpu::graph::{
    Activation, Attend, Cache, CacheFormat, Curve, Graph, Op, Rope, Tier,
};
use fidelis_offload_gpu::memory::{Shape, Weight};

fn id(tensor: engine::TensorId) -> usize {
    tensor.0 as usize
}

fn weight(weight: engine::WeightId) -> usize {
    weight.0 as usize
}

fn translate(op: &engine::Op) -> Op {
    match op {
        engine::Op::Embed { table, scale, out } => Op::Embed {
            table: weight(*table),
            scale: *scale as f32,
            out: id(*out),
        },
        engine::Op::Norm {
            input,
            weight: vector,
            epsilon,
            heads,
            out,
        } => Op::Norm {
            input: id(*input),
            weight: weight(*vector),
            epsilon: *epsilon,
            heads: *heads,
            out: id(*out),
        },
        engine::Op::MatMul {
            input,
            weight: matrix,
            first,
            out,
        } => Op::MatMul {
            input: id(*input),
            weight: weight(*matrix),
            first: *first,
            residual: None,
            out: id(*out),
        },
        engine::Op::Bias { input, bias, out } => Op::Bias {
            input: id(*input),
            bias: weight(*bias),
            out: id(*out),
        },
        engine::Op::Rope {
            input,
            heads,
            rope,
            out,
        } => Op::Rope {
            input: id(*input),
            heads: *heads,
            rope: rope.0 as usize,
            out: id(*out),
        },
        engine::Op::Attend(attend) => Op::Attend(Attend {
            query: id(attend.query),
            key: id(attend.key),
            value: id(attend.value),
            cache: attend.cache,
            heads: attend.heads,
            query_scale: attend.query_scale as f32,
            score_scale: attend.score_scale as f32,
            soft_cap: attend.soft_cap,
            out: id(attend.out),
        }),
        engine::Op::Gate {
            gate,
            up,
            activate,
            out,
        } => Op::Gate {
            gate: id(*gate),
            up: id(*up),
            curve: match activate {
                engine::Activate::Silu => Curve::Silu,
                engine::Activate::GeluTanh => Curve::GeluTanh,
            },
            out: id(*out),
        },
        engine::Op::Add { a, b, out } => Op::Add {
            a: id(*a),
            b: id(*b),
            out: id(*out),
        },
        engine::Op::SoftCap { input, cap, out } => Op::SoftCap {
            input: id(*input),
            cap: *cap,
            out: id(*out),
        },
    }
}

/// What a graph is to run with.
pub(crate) struct Settings {
    pub(crate) tier: Tier,
    pub(crate) cache: CacheFormat,
    pub(crate) context: usize,
    pub(crate) batch: usize,
    pub(crate) wanted: usize,
}

/// The engine's graph as the plug-in's.
pub(crate) fn graph(of: &engine::Graph<'_>, settings: &Settings) -> Graph {
    let activations = of.activations.iter().map(|activation| Activation {
        width: activation.width,
        observed: false,
    });
    let ropes = of.ropes.iter().map(|rope| Rope {
        frequencies: rope.frequencies.clone(),
        magnitude: rope.magnitude,
        neighbours: rope.pairing == Pairing::Interleaved,
    });
    let caches = of.caches.iter().map(|cache| Cache {
        heads: cache.heads,
        key_width: cache.key_width,
        value_width: cache.value_width,
        window: cache.window,
        format: settings.cache,
    });
    Graph {
        ops: of.ops.iter().map(translate).collect(),
        activations: activations.collect(),
        ropes: ropes.collect(),
        caches: caches.collect(),
        logits: id(of.logits),
        context: settings.context,
        batch: settings.batch,
        tier: settings.tier,
        input: None,
        wanted: settings.wanted,
    }
}

/// Brings the weights to the device.
pub(crate) fn upload(gpu: &Gpu, of: &engine::Graph<'_>) -> Vec<Weight> {
    let weights = of.weights.iter().map(|tensor| {
        let (rows, width) = (tensor.shape.rows(), tensor.shape.width());
        let shape = Shape::new(tensor.format.id(), rows, width).expect("a format with a kernel");
        let mut weight = Weight::reserve(gpu, shape).expect("memory");
        weight.upload(gpu, 0, tensor.bytes).expect("rows");
        weight
    });
    weights.collect()
}

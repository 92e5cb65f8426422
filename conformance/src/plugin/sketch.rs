//! Small graphs, an operation at a time.

use crate::bound::Weights;
use fidelis_engine::graph::{
    Activation, Attend, Cache, Graph, Op, Rope, RopeId, TensorId, WeightId,
};
use fidelis_engine::shape::Shape;
use fidelis_engine::tensor::Tensor;
use fidelis_simd::Format;
use fidelis_simd::encode::encode_row;
use rand_core::Rng;
use rand_pcg::Pcg64Mcg;

/// A weight; its bytes begin at the second of these, at an odd address.
struct Blob {
    format: Format,
    shape: Shape,
    bytes: Vec<u8>,
}

/// A graph in the making.
pub(super) struct Sketch {
    random: Pcg64Mcg,
    blobs: Vec<Blob>,
    ops: Vec<Op>,
    activations: Vec<Activation>,
    ropes: Vec<Rope>,
    caches: Vec<Cache>,
}

impl Sketch {
    /// A graph without operations.
    pub(super) fn new(seed: u128) -> Self {
        Self {
            random: Pcg64Mcg::new(seed << 1 | 1),
            blobs: vec![],
            ops: vec![],
            activations: vec![],
            ropes: vec![],
            caches: vec![],
        }
    }

    /// A weight of values between `from` and `to`; of formats that nothing here writes, blocks of any bits that mean numbers of
    /// ordinary size. `None` if the format has no such rows.
    pub(super) fn weight(
        &mut self,
        format: Format,
        shape: Shape,
        [from, to]: [f32; 2],
    ) -> Option<WeightId> {
        let row_bytes = format.bytes_of(shape.width())?;
        let mut bytes = vec![0; 1 + row_bytes * shape.rows()];
        for row in bytes[1..].chunks_mut(row_bytes) {
            let values: Vec<f32> = (0..shape.width())
                .map(|_| {
                    let unit = (self.random.next_u32() >> 8) as f32 / (1 << 24) as f32;
                    from + (to - from) * unit
                })
                .collect();
            if encode_row(format, &values, row).is_err() {
                self.blocks(format, row)?;
            }
        }
        self.blobs.push(Blob {
            format,
            shape,
            bytes,
        });
        Some(WeightId(self.blobs.len() as u32 - 1))
    }

    /// Blocks of any bits: what is too large, too small or no number is drawn again.
    fn blocks(&mut self, format: Format, row: &mut [u8]) -> Option<()> {
        for block in row.chunks_mut(format.block_bytes()) {
            let is_ordinary = |block: &[u8]| {
                let values = Weights::decode(format, block, format.block_len()).values;
                let most = values.iter().fold(0.0_f64, |most, x| most.max(x.abs()));
                values.iter().all(|x| x.is_finite()) && (1e-3..4.0).contains(&most)
            };
            let mut draw = || {
                for byte in &mut *block {
                    *byte = self.random.next_u32() as u8;
                }
                is_ordinary(block)
            };
            (0..10_000).any(|_| draw()).then_some(())?;
        }
        Some(())
    }

    /// The result of the next operation.
    pub(super) fn out(&mut self, name: &str, width: usize) -> TensorId {
        self.activations.push(Activation {
            name: name.to_owned(),
            width,
        });
        TensorId(self.activations.len() as u32 - 1)
    }

    /// Appends an operation.
    pub(super) fn push(&mut self, op: Op) {
        self.ops.push(op);
    }

    /// An embedding of `rows` ids.
    pub(super) fn embed(&mut self, rows: usize, width: usize) -> Option<TensorId> {
        let table = self.weight(Format::F32, Shape::matrix(width, rows), [-1.7, 1.7])?;
        let out = self.out("token_embd", width);
        self.push(Op::Embed {
            table,
            scale: 1.0,
            out,
        });
        Some(out)
    }

    /// A product in `F32`.
    pub(super) fn product(&mut self, name: &str, input: TensorId, rows: usize) -> Option<TensorId> {
        let width = self.activations[input.0 as usize].width;
        let bound = (3.0 / width as f32).sqrt();
        let weight = self.weight(Format::F32, Shape::matrix(width, rows), [-bound, bound])?;
        let out = self.out(name, rows);
        self.push(Op::MatMul {
            input,
            weight,
            first: 0,
            out,
        });
        Some(out)
    }

    /// A rotary table.
    pub(super) fn rope(&mut self, rope: Rope) -> RopeId {
        self.ropes.push(rope);
        RopeId(self.ropes.len() as u32 - 1)
    }

    /// Attention over keys and values of one layer.
    pub(super) fn attend(&mut self, cache: Cache, attend: Attend) {
        self.caches.push(cache);
        self.ops.push(Op::Attend(Attend {
            cache: self.caches.len() - 1,
            ..attend
        }));
    }

    /// The graph; its output is the last operation's.
    pub(super) fn graph(&self) -> Graph<'_> {
        let weights = self.blobs.iter().map(|blob| Tensor {
            name: "weight",
            format: blob.format,
            shape: blob.shape,
            bytes: &blob.bytes[1..],
        });
        Graph {
            weights: weights.collect(),
            logits: self.ops.last().map_or(TensorId(0), Op::out),
            ops: self.ops.clone(),
            activations: self.activations.clone(),
            ropes: self.ropes.clone(),
            caches: self.caches.clone(),
        }
    }
}

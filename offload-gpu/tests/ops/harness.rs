//! A device, random values, and graphs of one operation.

use fidelis_offload_gpu::device::{Gpu, reports};
use fidelis_offload_gpu::graph::{Activation, Graph, Op, Rope, Tier};
use fidelis_offload_gpu::memory::{Shape, Weight};
use fidelis_offload_gpu::plan::Plan;
use fidelis_offload_gpu::run::{Outcome, Place, Step, Values, Wanted};
use fidelis_simd::{Format, encode::encode_row, with_layout};
use rand_core::Rng;
use rand_pcg::Pcg64Mcg;

/// A device of the test's own, if this machine has one: a device is used by one thread at a time.
pub(crate) fn gpu() -> Option<Gpu> {
    let wanted = std::env::var("FIDELIS_GPU").ok();
    let index = wanted.map_or(0, |index| index.parse().expect("a number of an adapter"));
    let required = std::env::var_os("FIDELIS_REQUIRE_GPU").is_some();
    if reports().is_empty() && !required {
        println!("GPU TESTS DID NOT RUN: there is no adapter");
        return None;
    }
    let gpu = Gpu::open(index).expect("an adapter gives a device");
    println!("on {}, {:?}", gpu.name, gpu.abilities);
    Some(gpu)
}

/// Random numbers that are the same everywhere.
pub(crate) struct Source(pub(crate) Pcg64Mcg);

impl Source {
    pub(crate) fn new(seed: u64) -> Self {
        Self(Pcg64Mcg::new(u128::from(seed) << 1 | 1))
    }

    fn unit(&mut self) -> f64 {
        f64::from(self.0.next_u32()) / 4_294_967_296.0
    }

    /// Sums of twelve evens, variance 1; every 61st is large.
    pub(crate) fn values(&mut self, len: usize) -> Vec<f32> {
        let mut normal = || (0..12).map(|_| self.unit()).sum::<f64>() - 6.0;
        let value = |i: usize| (normal() * if i % 61 == 60 { 50.0 } else { 1.0 }) as f32;
        (0..len).map(value).collect()
    }

    /// Rows of weights: encoded values where there is an encoder, else random bytes with moderate scales.
    pub(crate) fn weights(&mut self, format: Format, rows: usize, width: usize) -> Vec<u8> {
        let row_bytes = format.bytes_of(width).expect("whole blocks");
        let mut bytes = vec![0; rows * row_bytes];
        for row in bytes.chunks_exact_mut(row_bytes) {
            let values = self.values(width);
            if encode_row(format, &values, row).is_err() {
                for block in row.chunks_exact_mut(format.block_bytes()) {
                    self.block(format, block);
                }
            }
        }
        bytes
    }

    fn block(&mut self, format: Format, block: &mut [u8]) {
        loop {
            self.0.fill_bytes(block);
            let moderate = with_layout!(format, L => (0..<L as fidelis_simd::quant::Layout>::GROUPS).all(|g| {
                let group = <L as fidelis_simd::quant::Layout>::group(block, g);
                group.values::<f32>().iter().all(|x| x.abs() < 6e4)
            }), float => true);
            if moderate {
                return;
            }
        }
    }
}

/// A weight: its format, its rows, its width, its bytes.
pub(crate) struct Stored<'a> {
    pub(crate) format: Format,
    pub(crate) rows: usize,
    pub(crate) width: usize,
    pub(crate) bytes: &'a [u8],
}

/// A graph of one operation, whose intermediates are all observed.
pub(crate) fn graph(op: Op, widths: &[usize], tokens: usize, tier: Tier) -> Graph {
    Graph {
        ops: vec![op],
        activations: widths
            .iter()
            .map(|&width| Activation {
                width,
                observed: true,
            })
            .collect(),
        ropes: Vec::<Rope>::new(),
        caches: vec![],
        logits: op.out(),
        context: 1024,
        batch: tokens,
        tier,
        input: None,
        wanted: 1,
    }
}

/// Runs a graph for some tokens on intermediates given by the host; the last intermediate comes back, poisoned before.
pub(crate) fn run(
    gpu: &Gpu,
    graph: Graph,
    weights: &[Stored<'_>],
    inputs: &[&[f32]],
    tokens: &[u32],
    position: usize,
) -> Vec<f32> {
    let upload = |w: &Stored<'_>| {
        let shape = Shape::new(w.format.id(), w.rows, w.width).expect("a format with a kernel");
        let mut weight = Weight::reserve(gpu, shape).expect("the weight fits");
        // In two pieces, the later one first.
        let (early, late) = w.bytes.split_at(w.rows / 2 * shape.row_bytes());
        for (first, piece) in [(w.rows / 2, late), (0, early)] {
            weight.upload(gpu, first, piece).expect("rows");
        }
        weight
    };
    let weights: Vec<Weight> = weights.iter().map(upload).collect();
    let mut plan = Plan::new(gpu, graph.clone(), &weights).expect("a plan");
    plan.poison(gpu);
    plan.pretend(position);
    let writes: Vec<Values<'_>> = (inputs.iter().copied().enumerate())
        .map(|(activation, values)| Values { activation, values })
        .collect();
    let mut found = vec![f32::NAN; graph.activations[graph.logits].width * tokens.len()];
    let step = Step {
        tokens,
        count: tokens.len(),
        position,
        wanted: Wanted::None,
        choices: 1,
    };
    let place = Place {
        activation: graph.logits,
        values: &mut found,
    };
    plan.run(gpu, &step, &writes, &mut [place], &mut Outcome::default())
        .expect("the step runs");
    found
}

/// The largest share of its bound that a result has come to.
#[derive(Default)]
pub(crate) struct Worst {
    ratio: f64,
    compared: usize,
    unequal: usize,
}

impl Worst {
    pub(crate) fn see(&mut self, what: &str, found: f32, truth: f64, bound: f64) {
        let error = (f64::from(found) - truth).abs();
        let ratio = if error == 0.0 { 0.0 } else { error / bound };
        assert!(
            ratio <= 1.0 && found.is_finite() && bound.is_finite(),
            "{what}: {found:e} for {truth:e} is {ratio} of the bound {bound:e}"
        );
        self.ratio = self.ratio.max(ratio);
        self.compared += 1;
    }

    /// Counts a result whose bits are not the processor's.
    pub(crate) fn same(&mut self, found: f32, expected: f32) {
        self.unequal += usize::from(found.to_bits() != expected.to_bits());
    }

    /// Prints what was seen; fails if nothing was, or if bits differ where they must not.
    pub(crate) fn finish(self, what: &str) {
        println!(
            "{what:24} {:7} results, the worst {:.3} of its bound, {} not the processor's bits",
            self.compared, self.ratio, self.unequal
        );
        assert!(self.compared > 0, "{what}: nothing was compared");
        assert_eq!(self.unequal, 0, "{what}: bits differ");
    }

    /// As [`Self::finish`], for results whose bits may differ.
    pub(crate) fn finish_near(self, what: &str) {
        println!(
            "{what:24} {:7} results, the worst {:.3} of its bound",
            self.compared, self.ratio
        );
        assert!(self.compared > 0, "{what}: nothing was compared");
    }
}

pub(crate) fn wide(values: &[f32]) -> Vec<f64> {
    values.iter().map(|&x| f64::from(x)).collect()
}

//! Attention: heads of every size, windows, caps, both caches, steps that continue one another.

use crate::harness::{Source, Worst, gpu, wide};
use fidelis_conformance::bound::{Attention, Remembered};
use fidelis_offload_gpu::device::Gpu;
use fidelis_offload_gpu::graph::{
    Activation, Attend as GpuAttend, Cache, CacheFormat as GpuCache, Graph, Op, Tier,
};
use fidelis_offload_gpu::plan::Plan;
use fidelis_offload_gpu::run::{Outcome, Place, Step, Values, Wanted};
use fidelis_simd::Level;
use fidelis_simd::attend::{Attend, AttendScratch, CHUNK, CacheFormat, Column, KeyValues};

/// What is attended.
#[derive(Clone, Copy, Debug)]
struct Shape {
    heads: usize,
    cache_heads: usize,
    key_width: usize,
    value_width: usize,
    window: Option<usize>,
    cap: Option<f32>,
    cache: GpuCache,
}

const PLAIN: Shape = Shape {
    heads: 4,
    cache_heads: 2,
    key_width: 64,
    value_width: 64,
    window: None,
    cap: None,
    cache: GpuCache::F16,
};

/// Rows of queries, keys and values of some positions.
struct Rows {
    query: Vec<f32>,
    key: Vec<f32>,
    value: Vec<f32>,
}

impl Shape {
    fn widths(&self) -> [usize; 4] {
        [
            self.heads * self.key_width,
            self.cache_heads * self.key_width,
            self.cache_heads * self.value_width,
            self.heads * self.value_width,
        ]
    }

    fn rows(&self, positions: usize, seed: u64) -> Rows {
        let mut source = Source::new(seed);
        let [query, key, value, _] = self.widths();
        Rows {
            query: source.values(query * positions),
            key: source.values(key * positions),
            value: source.values(value * positions),
        }
    }

    fn scale(&self) -> f32 {
        0.3 / (self.key_width as f32).sqrt()
    }

    /// On the device, in steps of so many tokens.
    fn found(&self, gpu: &Gpu, rows: &Rows, steps: &[usize]) -> Vec<f32> {
        let widths = self.widths();
        let positions: usize = steps.iter().sum();
        let graph = Graph {
            ops: vec![Op::Attend(GpuAttend {
                query: 0,
                key: 1,
                value: 2,
                cache: 0,
                heads: self.heads,
                query_scale: self.scale(),
                score_scale: 1.0,
                soft_cap: self.cap,
                out: 3,
            })],
            activations: widths
                .map(|width| Activation {
                    width,
                    observed: true,
                })
                .to_vec(),
            ropes: vec![],
            caches: vec![Cache {
                heads: self.cache_heads,
                key_width: self.key_width,
                value_width: self.value_width,
                window: self.window,
                format: self.cache,
            }],
            logits: 3,
            context: positions,
            batch: steps.iter().copied().max().expect("a step"),
            tier: Tier::F32,
            input: None,
            wanted: 1,
        };
        let mut plan = Plan::new(gpu, graph, &[]).expect("a plan");
        let mut found = vec![f32::NAN; positions * widths[3]];
        let mut position = 0;
        for &count in steps {
            plan.poison(gpu);
            let part = |activation: usize, all: &'_ [f32]| {
                let width = widths[activation];
                all[position * width..][..count * width].to_vec()
            };
            let parts = [
                part(0, &rows.query),
                part(1, &rows.key),
                part(2, &rows.value),
            ];
            let writes: Vec<Values<'_>> = (0..3)
                .map(|activation| Values {
                    activation,
                    values: &parts[activation],
                })
                .collect();
            let step = Step {
                tokens: &[],
                count,
                position,
                wanted: Wanted::None,
                choices: 1,
            };
            let place = Place {
                activation: 3,
                values: &mut found[position * widths[3]..][..count * widths[3]],
            };
            plan.run(gpu, &step, &writes, &mut [place], &mut Outcome::default())
                .expect("the step runs");
            position += count;
        }
        found
    }

    fn sees(&self, position: usize) -> std::ops::Range<usize> {
        let first = self
            .window
            .map_or(0, |window| (position + 1).saturating_sub(window));
        first..position + 1
    }

    /// On the processor, for one head of one position.
    fn expected(&self, rows: &Rows, head: usize, position: usize) -> Vec<f32> {
        let format = match self.cache {
            GpuCache::F16 => CacheFormat::F16,
            GpuCache::F32 => CacheFormat::F32,
            GpuCache::Q8_0 => CacheFormat::Q8_0,
        };
        let positions = (position + 1).next_multiple_of(CHUNK);
        let block_bytes = format.key_block_bytes(self.key_width);
        let row_bytes = format.value_bytes(self.value_width);
        let mut keys = vec![0; positions / 16 * block_bytes];
        let mut values = vec![0; positions * row_bytes];
        for p in 0..=position {
            let (key, value) = self.remembered(rows, head, p);
            let block = &mut keys[p / 16 * block_bytes..][..block_bytes];
            format.write_key(block, p % 16, key);
            format.write_value(&mut values[p * row_bytes..][..row_bytes], value);
        }
        let query: Vec<f32> = self.query(rows, head, position);
        let mut out = vec![0.0; self.value_width];
        Level::best().run(Attend {
            cache: KeyValues {
                format,
                key_width: self.key_width,
                value_width: self.value_width,
                positions,
                keys: &keys,
                values: &values,
            },
            scale: 1.0,
            soft_cap: self.cap,
            columns: &mut [Column {
                query: &query,
                sees: self.sees(position),
                out: &mut out,
            }],
            scratch: &mut AttendScratch::default(),
        });
        out
    }

    fn query(&self, rows: &Rows, head: usize, position: usize) -> Vec<f32> {
        let at = (position * self.heads + head) * self.key_width;
        let query = &rows.query[at..][..self.key_width];
        query.iter().map(|x| x * self.scale()).collect()
    }

    fn remembered<'a>(&self, rows: &'a Rows, head: usize, p: usize) -> (&'a [f32], &'a [f32]) {
        let at = p * self.cache_heads + head / (self.heads / self.cache_heads);
        (
            &rows.key[at * self.key_width..][..self.key_width],
            &rows.value[at * self.value_width..][..self.value_width],
        )
    }

    fn compare(&self, gpu: &Gpu, steps: &[usize], worst: &mut Worst) {
        let positions: usize = steps.iter().sum();
        let rows = self.rows(positions, positions as u64 + self.key_width as u64);
        let found = self.found(gpu, &rows, steps);
        let some = [0, 1, 31, 127, 128, 129, 200, positions / 2, positions - 1];
        let seen = some.iter().filter(|&&p| p < positions);
        for (&position, head) in seen.flat_map(|p| (0..self.heads).map(move |head| (p, head))) {
            let at = (position * self.heads + head) * self.value_width;
            let found = &found[at..][..self.value_width];
            let expected = self.expected(&rows, head, position);
            let (query, range) = (
                wide(&self.query(&rows, head, position)),
                self.sees(position),
            );
            let both = range.map(|p| self.remembered(&rows, head, p));
            let (keys, values): (Vec<_>, Vec<_>) =
                both.map(|(key, value)| (wide(key), wide(value))).unzip();
            let exact = Attention {
                query: &query,
                keys: &keys,
                values: &values,
                scale: 1.0,
                cap: self.cap.map(f64::from),
                remembered: match self.cache {
                    GpuCache::F16 => Remembered::Half,
                    GpuCache::F32 => Remembered::Single,
                    GpuCache::Q8_0 => Remembered::Byte,
                },
            };
            for (i, (truth, bound)) in exact.output().into_iter().enumerate() {
                let what = format!("{self:?} in {steps:?}, position {position}, head {head}");
                // A score so uncertain that any weight is possible bounds nothing.
                if bound.is_finite() {
                    worst.see(&what, found[i], truth, bound);
                }
                worst.same(found[i], expected[i]);
            }
        }
    }
}

#[test]
fn attention_has_the_bits_of_the_processor() {
    let Some(gpu) = gpu() else { return };
    let gpu = &gpu;
    let mut worst = Worst::default();
    let steps: [&[usize]; 4] = [&[1], &[257], &[33, 1, 1, 100, 1], &[129, 128]];
    for steps in steps {
        PLAIN.compare(gpu, steps, &mut worst);
        let cache = GpuCache::F32;
        Shape { cache, ..PLAIN }.compare(gpu, steps, &mut worst);
    }
    for (key_width, value_width) in [
        (80, 80),
        (96, 96),
        (128, 128),
        (256, 256),
        (64, 33),
        (7, 160),
    ] {
        let shape = Shape {
            key_width,
            value_width,
            ..PLAIN
        };
        shape.compare(gpu, &[130, 1, 3], &mut worst);
    }
    worst.finish("attention");
}

#[test]
fn a_cache_of_bytes_has_the_bits_of_the_processor() {
    let Some(gpu) = gpu() else { return };
    let gpu = &gpu;
    let mut worst = Worst::default();
    let bytes = Shape {
        cache: GpuCache::Q8_0,
        ..PLAIN
    };
    // Steps that begin and end within a word of four positions, too.
    let steps: [&[usize]; 4] = [&[1], &[257], &[33, 1, 1, 100, 1, 2, 3], &[129, 128]];
    for steps in steps {
        bytes.compare(gpu, steps, &mut worst);
    }
    for (key_width, value_width) in [(32, 32), (96, 80), (128, 33), (256, 256), (64, 1)] {
        let shape = Shape {
            key_width,
            value_width,
            ..bytes
        };
        shape.compare(gpu, &[130, 1, 3], &mut worst);
    }
    let shape = Shape {
        window: Some(5),
        cap: Some(50.0),
        heads: 6,
        cache_heads: 3,
        ..bytes
    };
    shape.compare(gpu, &[40, 1, 100, 1, 200, 64, 64], &mut worst);
    worst.finish("attention on bytes");
}

#[test]
fn windows_caps_and_shared_heads_have_the_bits_of_the_processor() {
    let Some(gpu) = gpu() else { return };
    let gpu = &gpu;
    let mut worst = Worst::default();
    for window in [1, 5, 128, 200] {
        let shape = Shape {
            window: Some(window),
            ..PLAIN
        };
        shape.compare(gpu, &[40, 1, 100, 1, 200, 64, 64], &mut worst);
    }
    for (heads, cache_heads) in [(1, 1), (8, 1), (6, 3)] {
        let shape = Shape {
            heads,
            cache_heads,
            cap: Some(50.0),
            ..PLAIN
        };
        shape.compare(gpu, &[150, 1], &mut worst);
    }
    worst.finish("attention with windows");
}

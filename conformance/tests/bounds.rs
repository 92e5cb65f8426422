//! Every product of the `fast` tier, on its own inputs, within a bound derived from those inputs.

use fidelis_engine::backend::{CpuBackend, CpuSettings, Logits, Observer, Step, Tier};
use fidelis_engine::gguf::File;
use fidelis_engine::graph::Op;
use fidelis_engine::model::Model;
use fidelis_engine::tensor::Tensor;
use fidelis_simd::Level;
use fidelis_simd::dense::Dequantise;
use std::collections::HashMap;
use std::path::Path;

#[derive(Default)]
struct Recorder(HashMap<String, Vec<f64>>);

impl Observer for Recorder {
    fn wants(&self, _: &str) -> bool {
        true
    }

    fn saw(&mut self, name: &str, _: &[usize], values: &[f64]) {
        self.0.insert(name.to_owned(), values.to_vec());
    }
}

fn decoded(tensor: &Tensor<'_>, row: usize) -> Vec<f64> {
    let mut values = vec![0.0; tensor.shape.width()];
    Level::named("scalar")
        .expect("always there")
        .run(Dequantise {
            format: tensor.format,
            row: tensor.row(row),
            out: &mut values,
        });
    values
}

/// Rounding an activation to a byte moves it by at most half a step, `amax / 254`; a step itself is rounded, and
/// the 3 roundings a group adds to the running sum of so many groups are each 2⁻²⁴ of what is summed.
fn bound(weights: &[f64], input: &[f64]) -> f64 {
    let mut quantisation = 0.0;
    let mut size = 0.0;
    for (w, x) in weights.chunks(32).zip(input.chunks(32)) {
        let peak = x.iter().fold(0.0_f64, |peak, x| peak.max(x.abs()));
        quantisation += peak / 254.0 * (1.0 + 1e-5) * w.iter().map(|w| w.abs()).sum::<f64>();
        size += w.iter().zip(x).map(|(w, x)| (w * x).abs()).sum::<f64>();
    }
    // A minimum is subtracted from a product that may be larger than the weight: at most 32 times here.
    let roundings = 3.0 + 2.0 * (weights.len() / 32) as f64;
    quantisation + 32.0 * roundings * 2.0_f64.powi(-24) * size
}

/// The largest ratio of error to bound over every product of a model.
fn worst(name: &str) -> (f64, usize) {
    let file = File::open(
        &Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("oracle")
            .join(format!("{name}.gguf")),
    )
    .expect("the oracle is committed");
    let model = Model::read(&file.gguf().expect("a GGUF file")).expect("a model");
    let settings = CpuSettings {
        tier: Tier::Fast,
        threads: 1,
        ..CpuSettings::new(32).expect("a level")
    };
    let mut backend = CpuBackend::new(&model.graph, &settings).expect("a back end");
    let mut recorder = Recorder::default();
    let tokens: Vec<u32> = (0..12).map(|i| i * 37 % 100).collect();
    backend
        .forward_observed(
            &Step {
                tokens: &tokens,
                position: 0,
                logits: Logits::All,
            },
            &mut recorder,
        )
        .expect("a forward pass");
    let graph = &model.graph;
    let (mut worst, mut compared) = (0.0_f64, 0);
    for op in &graph.ops {
        let Op::MatMul {
            input,
            weight,
            first,
            out,
        } = op
        else {
            continue;
        };
        let tensor = &graph.weights[weight.0 as usize];
        if tensor.format.is_float() {
            continue;
        }
        let (input, out) = (
            &graph.activations[input.0 as usize],
            &graph.activations[out.0 as usize],
        );
        let (inputs, outputs) = (&recorder.0[&input.name], &recorder.0[&out.name]);
        for row in (0..out.width).step_by(7) {
            let weights = decoded(tensor, first + row);
            for (input, output) in inputs.chunks(input.width).zip(outputs.chunks(out.width)) {
                let truth: f64 = weights.iter().zip(input).map(|(w, x)| w * x).sum();
                let ratio = (output[row] - truth).abs() / bound(&weights, input);
                assert!(
                    ratio <= 1.0,
                    "{name}: {} row {row}: {} for {truth}, {ratio} of the bound",
                    out.name,
                    output[row]
                );
                worst = worst.max(ratio);
                compared += 1;
            }
        }
    }
    (worst, compared)
}

#[test]
fn every_product_of_the_fast_tier_is_within_its_bound() {
    for name in ["llama-q4_k_m", "gemma3-q4_k_m"] {
        let (worst, compared) = worst(name);
        println!("{name}: {compared} products, the worst {worst} of its bound");
        assert!(
            compared > 10_000,
            "{name}: only {compared} products were compared"
        );
        assert!(
            worst > 0.02,
            "{name}: a bound that is never above 2 % finds nothing"
        );
    }
}

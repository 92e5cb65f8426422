//! The forward pass against an independent engine's, at every checkpoint (`oracle/README.md`).

use fidelis_engine::backend::{CacheFormat, CpuBackend, CpuSettings, Logits, Observer, Step, Tier};
use fidelis_engine::gguf::File;
use fidelis_engine::model::Model;
use safetensors::SafeTensors;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Keeps every checkpoint.
#[derive(Default)]
struct Recorder(BTreeMap<String, (Vec<usize>, Vec<f32>)>);

impl Observer for Recorder {
    fn wants(&self, _: &str) -> bool {
        true
    }

    fn saw(&mut self, name: &str, shape: &[usize], values: &[f32]) {
        let known = self
            .0
            .insert(name.to_owned(), (shape.to_vec(), values.to_vec()));
        assert!(known.is_none(), "{name} was shown twice");
    }
}

fn oracle(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("oracle")
        .join(name)
}

/// The reference's tensors, as floats.
fn reference(name: &str) -> BTreeMap<String, (Vec<usize>, Vec<f32>)> {
    let bytes =
        std::fs::read(oracle(&format!("{name}.ref.safetensors"))).expect("the oracle is committed");
    let tensors = SafeTensors::deserialize(&bytes).expect("safetensors");
    let floats = |data: &[u8]| {
        data.as_chunks::<4>()
            .0
            .iter()
            .map(|bytes| f32::from_le_bytes(*bytes))
            .collect()
    };
    let ids = |data: &[u8]| {
        data.as_chunks::<4>()
            .0
            .iter()
            .map(|bytes| i32::from_le_bytes(*bytes) as f32)
            .collect()
    };
    tensors
        .iter()
        .map(|(name, tensor)| {
            let values = match tensor.dtype() {
                safetensors::Dtype::F32 => floats(tensor.data()),
                safetensors::Dtype::I32 => ids(tensor.data()),
                other => panic!("{name} is {other:?}"),
            };
            (name.to_owned(), (tensor.shape().to_vec(), values))
        })
        .collect()
}

/// `|found − truth| / |truth|` in the 2-norm; not a number if either holds one.
fn relative(found: &[f32], truth: &[f32]) -> f64 {
    assert_eq!(found.len(), truth.len());
    let square = |x: f64| x * x;
    let error: f64 = found
        .iter()
        .zip(truth)
        .map(|(&f, &t)| square(f64::from(f) - f64::from(t)))
        .sum();
    let size: f64 = truth.iter().map(|&t| square(f64::from(t))).sum();
    (error / size).sqrt()
}

/// Scores and probabilities without what a query does not see: the reference pads to 256 columns
/// and fills in masked scores.
fn visible(values: &[f32], columns: usize, tokens: usize, window: Option<usize>) -> Vec<f32> {
    values
        .chunks_exact(columns)
        .enumerate()
        .flat_map(|(row, values)| {
            let token = row % tokens;
            let first = window.map_or(0, |window| (token + 1).saturating_sub(window));
            values[first..=token].to_vec()
        })
        .collect()
}

fn run(model: &Model<'_>, tokens: &[u32], tier: Tier) -> Recorder {
    let settings = CpuSettings {
        tier,
        cache: CacheFormat::F32,
        threads: 1,
        ..CpuSettings::new(64).expect("a level")
    };
    let mut backend = CpuBackend::new(&model.graph, &settings).expect("a back end");
    let mut recorder = Recorder::default();
    let step = Step {
        tokens,
        position: 0,
        logits: Logits::All,
    };
    backend
        .forward_observed(&step, &mut recorder)
        .expect("a forward pass");
    recorder
}

/// Compares every checkpoint of the reference; gives the largest error.
fn check(name: &str, bound: f64) -> f64 {
    let file = File::open(&oracle(&format!("{name}.gguf"))).expect("the oracle is committed");
    let model = Model::read(&file.gguf().expect("a GGUF file")).expect("a model");
    let reference = reference(name);
    let tokens: Vec<u32> = reference["tokens"].1.iter().map(|&id| id as u32).collect();
    let found = run(&model, &tokens, Tier::F32).0;
    let mut worst = 0.0_f64;
    let mut compared = 0;
    for (checkpoint, (shape, truth)) in &reference {
        if checkpoint == "tokens" || checkpoint == "logits_llama_cpp" {
            continue;
        }
        let (_, values) = found
            .get(checkpoint)
            .unwrap_or_else(|| panic!("{name}: {checkpoint} was not shown"));
        let (values, truth) =
            if checkpoint.ends_with("attn_scores") || checkpoint.ends_with("attn_probs") {
                let layer: usize = checkpoint
                    .split('.')
                    .nth(1)
                    .and_then(|layer| layer.parse().ok())
                    .expect("a layer");
                let window = model.graph.caches[layer].window;
                (
                    visible(values, tokens.len(), tokens.len(), window),
                    visible(truth, *shape.last().expect("columns"), tokens.len(), window),
                )
            } else {
                (values.clone(), truth.clone())
            };
        let error = relative(&values, &truth);
        assert!(
            error <= bound,
            "{name}: {checkpoint} is off by {error:e}, more than {bound:e}"
        );
        worst = worst.max(error);
        compared += 1;
    }
    assert!(
        compared > 20 * model.config.layers / 2,
        "{name}: only {compared} checkpoints were compared"
    );
    println!("{name}: {compared} checkpoints, largest relative error {worst:e}");
    worst
}

#[test]
fn llama_agrees_at_every_checkpoint() {
    check("llama-f32", 1e-5);
    check("llama-q4_k_m", 1e-5);
}

#[test]
fn llama_with_rope_factors_agrees_at_every_checkpoint() {
    check("llama3-f32", 1e-5);
}

// The reference's GELU goes through a half-precision table, 3e-4 off at its first use.
#[test]
fn gemma_2_agrees_at_every_checkpoint() {
    check("gemma2-f32", 1e-3);
}

#[test]
fn gemma_3_agrees_at_every_checkpoint() {
    check("gemma3-f32", 1e-3);
    check("gemma3-q4_k_m", 1e-3);
}

#[test]
fn qwen_2_agrees_at_every_checkpoint() {
    check("qwen2-f32", 1e-5);
}

#[test]
fn qwen_3_agrees_at_every_checkpoint() {
    check("qwen3-f32", 1e-5);
}

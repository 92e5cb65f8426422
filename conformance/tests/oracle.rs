//! The forward pass against an independent engine's, at every checkpoint (`oracle/README.md`).

use fidelis_engine::backend::{CacheFormat, CpuBackend, CpuSettings, Logits, Observer, Step, Tier};
use fidelis_engine::gguf::File;
use fidelis_engine::model::Model;
use safetensors::SafeTensors;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Keeps every checkpoint.
#[derive(Default)]
struct Recorder(BTreeMap<String, (Vec<usize>, Vec<f64>)>);

impl Observer for Recorder {
    fn wants(&self, _: &str) -> bool {
        true
    }

    fn saw(&mut self, name: &str, shape: &[usize], values: &[f64]) {
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
fn reference(file: &str) -> BTreeMap<String, (Vec<usize>, Vec<f64>)> {
    let bytes =
        std::fs::read(oracle(&format!("{file}.safetensors"))).expect("the oracle is committed");
    let tensors = SafeTensors::deserialize(&bytes).expect("safetensors");
    let floats = |data: &[u8]| {
        data.as_chunks::<4>()
            .0
            .iter()
            .map(|bytes| f64::from(f32::from_le_bytes(*bytes)))
            .collect()
    };
    let doubles = |data: &[u8]| {
        data.as_chunks::<8>()
            .0
            .iter()
            .map(|bytes| f64::from_le_bytes(*bytes))
            .collect()
    };
    let ids = |data: &[u8]| {
        data.as_chunks::<4>()
            .0
            .iter()
            .map(|bytes| f64::from(i32::from_le_bytes(*bytes)))
            .collect()
    };
    tensors
        .iter()
        .map(|(name, tensor)| {
            let values = match tensor.dtype() {
                safetensors::Dtype::F64 => doubles(tensor.data()),
                safetensors::Dtype::F32 => floats(tensor.data()),
                safetensors::Dtype::I32 => ids(tensor.data()),
                other => panic!("{name} is {other:?}"),
            };
            (name.to_owned(), (tensor.shape().to_vec(), values))
        })
        .collect()
}

/// `|found − truth| / |truth|` in the 2-norm; not a number if either holds one.
fn relative(found: &[f64], truth: &[f64]) -> f64 {
    assert_eq!(found.len(), truth.len());
    let square = |x: f64| x * x;
    let error: f64 = found.iter().zip(truth).map(|(&f, &t)| square(f - t)).sum();
    let size: f64 = truth.iter().map(|&t| square(t)).sum();
    (error / size).sqrt()
}

/// Scores and probabilities without what a query does not see: the reference pads to 256 columns
/// and fills in masked scores.
fn visible(values: &[f64], columns: usize, tokens: usize, window: Option<usize>) -> Vec<f64> {
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

type Reference = BTreeMap<String, (Vec<usize>, Vec<f64>)>;

/// A checkpoint's values; of scores and probabilities those that a query sees.
fn comparable(
    model: &Model<'_>,
    checkpoint: &str,
    tokens: usize,
    (shape, values): &(Vec<usize>, Vec<f64>),
) -> Vec<f64> {
    if !checkpoint.ends_with("attn_scores") && !checkpoint.ends_with("attn_probs") {
        return values.clone();
    }
    let layer: usize = checkpoint
        .split('.')
        .nth(1)
        .and_then(|layer| layer.parse().ok())
        .expect("a layer");
    visible(
        values,
        *shape.last().expect("columns"),
        tokens,
        model.graph.caches[layer].window,
    )
}

/// Compares every checkpoint of `{name}.{kind}`. The bound is 1e-5, and as much more as `exact` is itself
/// away from the reference.
fn check(name: &str, kind: &str, exact: Option<&Reference>) {
    for tier in [Tier::F32, Tier::Audit] {
        check_tier(name, kind, exact, tier);
    }
}

fn check_tier(name: &str, kind: &str, exact: Option<&Reference>, tier: Tier) {
    let file = File::open(&oracle(&format!("{name}.gguf"))).expect("the oracle is committed");
    let model = Model::read(&file.gguf().expect("a GGUF file")).expect("a model");
    let reference = reference(&format!("{name}.{kind}"));
    let tokens: Vec<u32> = reference["tokens"].1.iter().map(|&id| id as u32).collect();
    let found = run(&model, &tokens, tier).0;
    let mut worst = 0.0_f64;
    let mut compared = 0;
    for (checkpoint, truth) in &reference {
        // Gemma 2 caps its scores; the recording has them before that.
        let capped = model.config.architecture == "gemma2"
            && checkpoint.ends_with("attn_scores")
            && kind == "exact";
        if checkpoint == "tokens" || checkpoint == "logits_llama_cpp" || capped {
            continue;
        }
        let of = |values| comparable(&model, checkpoint, tokens.len(), values);
        let values = found
            .get(checkpoint)
            .unwrap_or_else(|| panic!("{name}: {checkpoint} was not shown"));
        let truth = of(truth);
        let noise = exact
            .and_then(|exact| exact.get(checkpoint))
            .map_or(0.0, |exact| relative(&of(exact), &truth));
        let (error, bound) = (relative(&of(values), &truth), 1e-5 + noise);
        assert!(
            error <= bound,
            "{name}.{kind}: {checkpoint} is off by {error:e}, more than {bound:e}"
        );
        worst = worst.max(error);
        compared += 1;
    }
    assert!(
        compared >= 15 * model.config.layers,
        "{name}: only {compared} checkpoints were compared"
    );
    println!("{name}.{kind} in {tier:?}: {compared} checkpoints, largest relative error {worst:e}");
}

/// Gemma's recordings went through a half-precision GELU table. The exact values, computed in
/// `float64` by `oracle/exact.py`, are the truth; from the recordings we may differ as they do.
fn check_gemma(name: &str) {
    check(name, "exact", None);
    check(name, "ref", Some(&reference(&format!("{name}.exact"))));
}

#[test]
fn llama_agrees_at_every_checkpoint() {
    check("llama-f32", "ref", None);
    check("llama-q4_k_m", "ref", None);
}

#[test]
fn llama_with_rope_factors_agrees_at_every_checkpoint() {
    check("llama3-f32", "ref", None);
}

#[test]
fn gemma_2_agrees_at_every_checkpoint() {
    check_gemma("gemma2-f32");
}

#[test]
fn gemma_3_agrees_at_every_checkpoint() {
    check_gemma("gemma3-f32");
    check_gemma("gemma3-q4_k_m");
}

#[test]
fn qwen_2_agrees_at_every_checkpoint() {
    check("qwen2-f32", "ref", None);
}

#[test]
fn qwen_3_agrees_at_every_checkpoint() {
    check("qwen3-f32", "ref", None);
}

/// By torch in `float64` (`tools/reference`): what a file describes, all roundings below 1e-14.
fn check_audit(name: &str) {
    let file = File::open(&oracle(&format!("{name}.gguf"))).expect("the oracle is committed");
    let model = Model::read(&file.gguf().expect("a GGUF file")).expect("a model");
    let reference = reference(&format!("{name}.f64"));
    let tokens: Vec<u32> = reference["tokens"].1.iter().map(|&id| id as u32).collect();
    let found = run(&model, &tokens, Tier::Audit).0;
    let mut worst: (f64, &str) = (0.0, "");
    let mut compared = 0;
    for (checkpoint, truth) in &reference {
        // Gemma 2 caps its scores; the recording has them before that.
        let capped = model.config.architecture == "gemma2" && checkpoint.ends_with("attn_scores");
        if checkpoint == "tokens" || capped {
            continue;
        }
        let of = |values| comparable(&model, checkpoint, tokens.len(), values);
        let values = found
            .get(checkpoint)
            .unwrap_or_else(|| panic!("{name}: {checkpoint} was not shown"));
        let error = relative(&of(values), &of(truth));
        compared += 1;
        assert!(
            error <= 1e-13,
            "{name}: {checkpoint} is off by {error:e} in audit"
        );
        if error > worst.0 {
            worst = (error, checkpoint);
        }
    }
    assert!(
        compared >= 8 * model.config.layers,
        "{name}: only {compared} checkpoints"
    );
    println!(
        "{name} in audit against torch: {compared} checkpoints, largest relative error {:.1e} at {}",
        worst.0, worst.1
    );
}

#[test]
fn audit_agrees_with_torch_in_double_precision_at_every_checkpoint() {
    for name in [
        "llama-f32",
        "llama-q4_k_m",
        "llama3-f32",
        "gemma2-f32",
        "gemma3-f32",
        "gemma3-q4_k_m",
        "qwen2-f32",
        "qwen3-f32",
    ] {
        check_audit(name);
    }
}

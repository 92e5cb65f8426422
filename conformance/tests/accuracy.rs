//! On Q4_K_M files the `fast` tier is nearer to `audit` than llama.cpp's own quantised path is (`oracle/README.md`: `logits_llama_cpp`).

use fidelis_conformance::accuracy::{Accuracy, logits};
use fidelis_engine::backend::{CacheFormat, Tier};
use fidelis_engine::gguf::File;
use fidelis_engine::model::Model;
use safetensors::SafeTensors;
use std::path::Path;

#[test]
fn fast_is_nearer_to_the_truth_than_llama_cpp() {
    for name in ["llama-q4_k_m", "gemma3-q4_k_m"] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("oracle")
            .join(name);
        let file = File::open(&path.with_extension("gguf")).expect("the oracle is committed");
        let model = Model::read(&file.gguf().expect("a GGUF file")).expect("a model");
        let bytes = std::fs::read(path.with_extension("ref.safetensors")).expect("committed");
        let tensors = SafeTensors::deserialize(&bytes).expect("safetensors");
        let words = |name| {
            let tensor = tensors.tensor(name).expect("recorded");
            tensor.data().as_chunks::<4>().0.to_vec()
        };
        let ids: Vec<u32> = words("tokens")
            .into_iter()
            .map(u32::from_le_bytes)
            .collect();
        let theirs: Vec<f64> = (words("logits_llama_cpp").into_iter())
            .map(|word| f32::from_le_bytes(word).into())
            .collect();
        let of = |tier, cache| logits(&model.graph, &ids, tier, cache).expect("logits");
        let truth = of(Tier::Audit, CacheFormat::F32);
        let width = truth.len() / ids.len();
        let against = |found: &[f64]| Accuracy::of(&truth, found, width).expect("comparable");
        let theirs = against(&theirs);
        for cache in [CacheFormat::F32, CacheFormat::F16] {
            let ours = against(&of(Tier::Fast, cache));
            println!("{name}, cache {cache}: ours {ours:?}, llama.cpp's {theirs:?}");
            assert!(ours.mean_kl < theirs.mean_kl, "{name}, {cache}");
            assert!(ours.largest_error < theirs.largest_error, "{name}, {cache}");
        }
    }
}

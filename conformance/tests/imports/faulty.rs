//! An engine in Python with a fault switched on.

use crate::*;

const FAULTY: [(&str, &str, &str, &str); 28] = [
    ("llama", "none", "", ""),
    (
        "llama",
        "rope-neighbours-and-halves",
        "rope-mode-swapped",
        "blk.0.attn_q.rope",
    ),
    (
        "llama",
        "rope-base",
        "rope-theta-wrong",
        "blk.0.attn_q.rope",
    ),
    (
        "llama",
        "gate-and-up",
        "glu-gate-up-swapped",
        "blk.0.ffn_act",
    ),
    (
        "llama",
        "weights-by-columns",
        "gguf-dims-as-rowmajor",
        "blk.0.attn_q",
    ),
    ("llama", "tiled-heads", "gqa-tile", "blk.0.attn_scores"),
    (
        "llama",
        "no-mask",
        "causal-mask-missing",
        "blk.0.attn_probs",
    ),
    ("llama", "epsilon", "rms-eps-wrong", "blk.0.attn_norm"),
    (
        "llama",
        "position-restarts",
        "rope-position-restarts",
        "blk.0.attn_q.rope",
    ),
    ("llama", "no-cache", "kv-absent", "blk.0.attn_scores"),
    ("llama", "scale", "attn-scale-missing", "blk.0.attn_probs"),
    (
        "llama",
        "residual",
        "attn-residual-from-normed",
        "blk.0.attn_residual",
    ),
    ("llama", "last-row", "logits-row-before", "logits"),
    ("gemma3", "none", "", ""),
    (
        "gemma3",
        "embedding-unscaled",
        "embd-scale-missing",
        "token_embd",
    ),
    (
        "gemma3",
        "head-norms-plus-one",
        "qk-norm-plus1-twice",
        "blk.0.attn_q.norm",
    ),
    (
        "gemma3",
        "post-norm",
        "post-ffn-norm-missing",
        "blk.0.ffn_post_norm",
    ),
    ("gemma3", "window", "swa-missing", "blk.0.attn_probs"),
    (
        "gemma3",
        "theta",
        "rope-theta-global-everywhere",
        "blk.0.attn_q.rope",
    ),
    ("gemma3", "silu", "act-silu-for-gelu", "blk.0.ffn_act"),
    ("qwen3", "none", "", ""),
    (
        "qwen3",
        "norms-plus-one",
        "norm-plus1-twice",
        "blk.0.attn_norm",
    ),
    (
        "qwen3",
        "head-norms-plus-one",
        "qk-norm-plus1-twice",
        "blk.0.attn_q.norm",
    ),
    (
        "qwen3",
        "weights-by-columns",
        "gguf-dims-as-rowmajor",
        "blk.0.attn_q",
    ),
    ("llama-q4_k_m", "none", "", ""),
    ("llama-q4_k_m", "min-sign", "q4k-min-sign", "token_embd"),
    (
        "llama-q4_k_m",
        "nibbles-beside",
        "q4k-nibble-interleaved",
        "token_embd",
    ),
    // Layer 2, which has such weights, is not recorded.
    ("llama-q4_k_m", "no-offset", "q6k-no-offset", "output_norm"),
];

#[test]
fn an_engine_in_python_with_a_fault_is_diagnosed() {
    let mut wrong = Vec::new();
    for (name, fault, wanted, at) in FAULTY {
        let file = match name {
            "llama-q4_k_m" => open(name),
            name => open(&format!("{name}-f32")),
        };
        let gguf = file.gguf().expect("GGUF");
        let model = Model::read(&gguf).expect("a model");
        let reference = Reference::new(&model.graph);
        let path = format!("tests/data/faulty/{name}.{fault}.safetensors");
        let (verdict, diagnoses) = judged(&reference, recording(&reference, &path));
        let first = diagnoses.first();
        let named = first.and_then(|d| d.named).map_or("", |fault| fault.name);
        let checkpoint = first.map_or("", |d| &d.checkpoint[..]);
        let right = if wanted.is_empty() {
            Verdict::Agree
        } else {
            Verdict::Diverge
        };
        println!("{name} {fault}: {verdict:?}, {named} at {checkpoint}");
        if (verdict, named, checkpoint) != (right, wanted, at) || diagnoses.len() > 1 {
            let all: Vec<String> = diagnoses.iter().map(tried).collect();
            wrong.push(format!("{name} {fault}: {all:?}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

//! Files that are GGUF but no model that runs: an error that names the key or tensor.

use fidelis_engine::gguf::{Gguf, OwnedValue, Writer};
use fidelis_engine::model::Model;
use fidelis_engine::shape::Shape;
use fidelis_simd::Format;
use std::path::Path;

/// A change to a file.
enum Change {
    Set(&'static str, OwnedValue),
    Unset(&'static str),
    Without(&'static str),
    Add(&'static str, Shape),
    Reshape(&'static str, Shape),
}

/// The error of reading `name` with a change.
fn error(name: &str, change: &Change) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("oracle")
        .join(format!("{name}.gguf"));
    let bytes = std::fs::read(path).expect("the oracle is committed");
    let gguf = Gguf::read(&bytes).expect("a whole file");
    let mut writer = Writer::default();
    for (key, value) in gguf.metadata() {
        if !matches!(change, Change::Unset(gone) if *gone == key) {
            writer.set(key, value.into());
        }
    }
    if let Change::Set(key, value) = change {
        writer.set(key, value.clone());
    }
    for tensor in gguf.tensors() {
        let shape = match change {
            Change::Without(gone) if *gone == tensor.name => continue,
            Change::Reshape(name, shape) if *name == tensor.name => *shape,
            _ => tensor.shape,
        };
        let bytes = &tensor.bytes[..4 * shape.len()];
        writer.tensor(tensor.name, tensor.format, shape, move |to| {
            to.write_all(bytes)
        });
    }
    if let Change::Add(name, shape) = change {
        let zeros = vec![0; 4 * shape.len()];
        writer.tensor(name, Format::F32, *shape, move |to| to.write_all(&zeros));
    }
    let mut out = Vec::new();
    writer.write(&mut out).expect("memory takes everything");
    let changed = Gguf::read(&out).expect("still a whole file");
    Model::read(&changed).expect_err("not a model").to_string()
}

#[test]
fn what_is_wrong_is_named() {
    let number = OwnedValue::U32;
    let cases = [
        (
            "llama-f32",
            Change::Set("general.architecture", OwnedValue::Str("mamba".to_owned())),
            "architecture \"mamba\" is not known",
        ),
        (
            "llama-f32",
            Change::Unset("general.architecture"),
            "key general.architecture is missing",
        ),
        (
            "llama-f32",
            Change::Unset("llama.block_count"),
            "key llama.block_count is missing",
        ),
        (
            "llama-f32",
            Change::Unset("llama.attention.layer_norm_rms_epsilon"),
            "layer_norm_rms_epsilon is missing",
        ),
        (
            "llama-f32",
            Change::Set("llama.attention.head_count", number(0)),
            "key llama.attention.head_count is 0",
        ),
        (
            "llama-f32",
            Change::Set("llama.attention.head_count_kv", number(3)),
            "head_count_kv is 3",
        ),
        (
            "llama-f32",
            Change::Set("llama.rope.dimension_count", number(7)),
            "rope.dimension_count is 7",
        ),
        (
            "llama-f32",
            Change::Set("llama.embedding_length", number(u32::MAX)),
            "no model is that large",
        ),
        (
            "llama-f32",
            Change::Set("llama.block_count", number(9)),
            "tensor blk.",
        ),
        (
            "llama-f32",
            Change::Set("llama.block_count", OwnedValue::Str("two".to_owned())),
            "llama.block_count is str",
        ),
        (
            "llama-f32",
            Change::Set("llama.rope.freq_base", OwnedValue::F32(f32::NAN)),
            "rope.freq_base is NaN",
        ),
        (
            "llama-f32",
            Change::Set(
                "llama.rope.scaling.type",
                OwnedValue::Str("yarn".to_owned()),
            ),
            "key llama.rope.scaling.factor is missing",
        ),
        (
            "llama-f32",
            Change::Without("blk.1.attn_k.weight"),
            "tensor blk.1.attn_k.weight is missing",
        ),
        (
            "llama-f32",
            Change::Without("token_embd.weight"),
            "tensor token_embd.weight is missing",
        ),
        (
            "llama-f32",
            Change::Add("blk.0.extra.weight", Shape::vector(4)),
            "the first is blk.0.extra.weight",
        ),
        (
            "llama-f32",
            Change::Reshape("blk.0.ffn_up.weight", Shape::matrix(8, 8)),
            "tensor blk.0.ffn_up.weight is [8, 8], but the keys ask for",
        ),
        (
            "gemma3-f32",
            Change::Without("blk.0.post_ffw_norm.weight"),
            "tensor blk.0.post_ffw_norm.weight is missing",
        ),
        (
            "qwen3-f32",
            Change::Without("blk.0.attn_q_norm.weight"),
            "tensor blk.0.attn_q_norm.weight is missing",
        ),
    ];
    for (name, change, wanted) in cases {
        let found = error(name, &change);
        assert!(found.contains(wanted), "{found:?} does not say {wanted:?}");
    }
}

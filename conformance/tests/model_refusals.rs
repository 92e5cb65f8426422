//! Tiny models with one thing wrong: an error that names it, never a panic.

use fidelis_conformance::tiny::{Contents, Kind, Tiny};
use fidelis_engine::backend::{BackendError, CpuBackend, CpuSettings, Logits, Step};
use fidelis_engine::gguf::{Gguf, OwnedValue};
use fidelis_engine::model::{Model, ModelError};
use fidelis_engine::shape::Shape;
use fidelis_engine::text::Tokenizer;
use fidelis_simd::Format;
use fidelis_simd::encode::is_supported;

fn plain(kind: Kind) -> Contents {
    Tiny::small(kind).contents().expect("F32 is encoded")
}

/// Why a file is no model; `None` if it is one.
fn error(contents: &Contents) -> Option<ModelError> {
    let bytes = contents.bytes();
    let gguf = Gguf::read(&bytes).expect("a whole file");
    Model::read(&gguf).err()
}

fn assert_says(case: &str, contents: &Contents, wanted: &[&str]) {
    let error = error(contents).unwrap_or_else(|| panic!("{case}: this is no model"));
    let found = error.to_string();
    for wanted in wanted {
        assert!(found.contains(wanted), "{case}: {found:?} lacks {wanted:?}");
    }
}

#[test]
fn every_kind_in_every_format_is_a_model_with_a_tokenizer() {
    for kind in Kind::ALL {
        for &format in Format::ALL {
            if !is_supported(format) {
                continue;
            }
            let tiny = Tiny {
                layers: 1,
                ..Tiny::blocks(kind, format)
            };
            let bytes = tiny.bytes().expect("rows of whole blocks");
            let gguf = Gguf::read(&bytes).expect("a whole file");
            if let Err(error) = Model::read(&gguf) {
                panic!("{kind:?} in {format}: {error}");
            }
            let tokenizer = Tokenizer::read(&gguf).expect("a vocabulary");
            assert_eq!(tokenizer.vocabulary_len(), 320);
        }
    }
}

#[test]
fn a_description_gives_the_same_bytes_twice_and_a_seed_others() {
    let tiny = Tiny::small(Kind::Llama);
    let other = Tiny {
        seed: 2,
        ..tiny.clone()
    };
    assert_eq!(tiny.bytes(), tiny.bytes());
    assert_ne!(tiny.bytes(), other.bytes());
}

#[test]
fn a_missing_key_is_named() {
    let needed = [
        "block_count",
        "context_length",
        "embedding_length",
        "feed_forward_length",
        "attention.head_count",
        "attention.layer_norm_rms_epsilon",
    ];
    for kind in Kind::ALL {
        for key in needed {
            let key = format!("{}.{key}", kind.architecture());
            assert_says(&key, plain(kind).unset(&key), &[&key, "missing"]);
        }
    }
    let key = "general.architecture";
    assert_says(key, plain(Kind::Llama).unset(key), &[key, "missing"]);
}

#[test]
fn every_tensor_is_needed_except_a_head_factors_and_biases() {
    let optional = ["output.weight", "rope_freqs.weight"];
    for kind in Kind::ALL {
        let plain = plain(kind);
        for tensor in &plain.tensors {
            let name = &*tensor.name;
            let case = format!("{kind:?} without {name}");
            let mut without = plain.clone();
            without.remove(name);
            if optional.contains(&name) || name.ends_with(".bias") {
                assert!(error(&without).is_none(), "{case} is a model");
            } else {
                // Instead of one weight for queries, keys and values there may be three.
                let name = name.replace("attn_qkv", "attn_q");
                assert_says(&case, &without, &[&name, "missing"]);
            }
        }
    }
}

#[test]
fn every_tensor_must_have_its_shape() {
    for kind in Kind::ALL {
        let plain = plain(kind);
        for tensor in &plain.tensors {
            let [width, rows, ..] = tensor.shape.0;
            let mut shapes = vec![
                Shape::matrix(width + 1, rows),
                Shape([width, rows, 2, 1]),
                Shape([width, 1, 1, rows + 1]),
            ];
            // The embedding may have more rows than there are tokens.
            if tensor.name != "token_embd.weight" {
                shapes.push(Shape::matrix(width, rows + 1));
            }
            for shape in shapes {
                let case = format!("{kind:?} with {} {shape}", tensor.name);
                let mut changed = plain.clone();
                changed.reshape(&tensor.name, shape);
                assert_says(&case, &changed, &[&tensor.name, "the keys ask for"]);
            }
        }
    }
}

#[test]
fn a_tensor_without_a_use_is_named() {
    let unused = [
        "blk.0.attn_q_norm.bias",
        "blk.9.attn_q.weight",
        "blk.0.ffn_gate_inp.weight",
        "v.patch_embd.weight",
    ];
    for kind in Kind::ALL {
        for name in unused {
            let mut contents = plain(kind);
            contents.add(name, Shape::vector(8));
            let case = format!("{kind:?} with {name}");
            assert_says(&case, &contents, &[name, "no place"]);
        }
    }
}

#[test]
fn impossible_values_are_named() {
    let number = OwnedValue::U32;
    let float = OwnedValue::F32;
    let text = |text: &str| OwnedValue::Str(text.to_owned());
    let cases = [
        ("llama.expert_count", number(8)),
        ("llama.attention.causal", OwnedValue::Bool(false)),
        ("llama.attention.head_count_kv", number(3)),
        ("llama.attention.head_count_kv", number(8)),
        ("llama.attention.head_count", number(1 << 24)),
        ("llama.rope.dimension_count", number(15)),
        ("llama.rope.dimension_count", number(18)),
        ("llama.rope.scaling.type", text("dynamic")),
        ("llama.rope.scaling.type", number(1)),
        ("llama.rope.scaling.factor", float(-1.0)),
        ("llama.rope.scaling.attn_factor", float(0.0)),
        ("llama.rope.freq_base", float(0.0)),
        ("llama.attention.layer_norm_rms_epsilon", float(0.0)),
        ("llama.attention.layer_norm_rms_epsilon", float(-1e-5)),
    ];
    for (key, value) in cases {
        let case = format!("{key} = {value:?}");
        assert_says(&case, plain(Kind::Llama).set(key, value), &[key]);
    }
    assert_says(
        "an unknown architecture",
        plain(Kind::Llama).set("general.architecture", text("mamba")),
        &[
            "mamba", "llama", "gemma2", "gemma3", "qwen2", "qwen3", "phi3",
        ],
    );
    assert_says(
        "YaRN without a factor",
        plain(Kind::Llama).set("llama.rope.scaling.type", text("yarn")),
        &["llama.rope.scaling.factor", "missing"],
    );
    assert_says(
        "Phi 3 with one set of factors",
        plain(Kind::Phi3Long).remove("rope_factors_short.weight"),
        &["rope_factors_short.weight", "missing"],
    );
    let pattern = "gemma3.attention.sliding_window_pattern";
    assert_says(
        "windows for other layers than there are",
        plain(Kind::Gemma3).set(
            pattern,
            OwnedValue::Array(
                fidelis_engine::gguf::Kind::Bool,
                vec![OwnedValue::Bool(true); 3],
            ),
        ),
        &[pattern],
    );
}

/// Reads three tokens if it is a model. Whether it is one and whether it gives numbers does not matter; that an answer comes does.
fn read_and_run(contents: &Contents) {
    let bytes = contents.bytes();
    let gguf = Gguf::read(&bytes).expect("a whole file");
    let Ok(model) = Model::read(&gguf) else {
        return;
    };
    let settings = CpuSettings {
        threads: 1,
        ..CpuSettings::new(8).expect("a level")
    };
    let mut backend = CpuBackend::new(&model.graph, &settings).expect("a back end");
    let step = Step {
        tokens: &[1, 300, 5],
        position: 0,
        logits: Logits::Last,
    };
    match backend.forward(&step) {
        Ok(logits) => assert!(logits.iter().all(|logit| logit.is_finite())),
        Err(BackendError::NonFinite { .. } | BackendError::CacheOverflow { .. }) => {}
        Err(error) => panic!("{error}"),
    }
}

#[test]
fn hostile_values_never_panic() {
    let values = [
        OwnedValue::U32(0),
        OwnedValue::U32(1),
        OwnedValue::U32(7),
        OwnedValue::U32(1 << 24),
        OwnedValue::U32(u32::MAX),
        OwnedValue::U64(u64::MAX),
        OwnedValue::I32(-1),
        OwnedValue::F32(0.0),
        OwnedValue::F32(-1.0),
        OwnedValue::F32(f32::NAN),
        OwnedValue::F32(f32::INFINITY),
        OwnedValue::F32(f32::from_bits(1)),
        OwnedValue::F32(f32::MAX),
        OwnedValue::Bool(true),
        OwnedValue::Str("yarn".to_owned()),
        OwnedValue::Str(String::new()),
        OwnedValue::i32s(&[]),
        OwnedValue::i32s(&[4, 4]),
        OwnedValue::strings(["a", "b"]),
    ];
    let further = [
        "attention.scale",
        "attention.sliding_window",
        "attention.sliding_window_pattern",
        "attn_logit_softcapping",
        "final_logit_softcapping",
        "vocab_size",
        "rope.freq_base_swa",
        "rope.scale_linear",
        "rope.scaling.type",
        "rope.scaling.factor",
        "rope.scaling.original_context_length",
        "rope.scaling.attn_factor",
        "rope.scaling.yarn_ext_factor",
        "rope.scaling.yarn_beta_fast",
        "rope.scaling.yarn_beta_slow",
        "rope.scaling.yarn_log_multiplier",
    ];
    for kind in Kind::ALL {
        let tiny = Tiny {
            layers: 1,
            ..Tiny::small(kind)
        };
        let plain = tiny.contents().expect("F32 is encoded");
        let keys = plain.metadata.iter().map(|(key, _)| key.clone());
        let further = further.map(|key| format!("{}.{key}", kind.architecture()));
        let mut yarn = plain.clone();
        let key = format!("{}.rope.scaling.type", kind.architecture());
        yarn.set(&key, OwnedValue::Str("yarn".to_owned()));
        let key = format!("{}.rope.scaling.factor", kind.architecture());
        yarn.set(&key, OwnedValue::F32(4.0));
        for key in keys.chain(further) {
            for value in &values {
                for mut contents in [plain.clone(), yarn.clone()] {
                    read_and_run(contents.set(&key, value.clone()));
                }
            }
        }
    }
}

#[test]
fn factors_must_be_positive_floats() {
    for bad in [0.0, -1.0, f32::NAN, f32::INFINITY] {
        let mut contents = plain(Kind::Llama3);
        for tensor in &mut contents.tensors {
            if tensor.name == "rope_freqs.weight" {
                tensor.bytes[..4].copy_from_slice(&bad.to_le_bytes());
            }
        }
        assert_says(&format!("a factor of {bad}"), &contents, &["rope_freqs"]);
    }
}

#[test]
fn padding_rows_of_the_embedding_are_noted() {
    let mut contents = plain(Kind::Gemma3);
    contents.reshape("token_embd.weight", Shape::matrix(64, 384));
    let bytes = contents.bytes();
    let model = Model::read(&Gguf::read(&bytes).expect("a whole file")).expect("a model");
    assert_eq!((model.config.vocabulary, model.config.tokens), (384, 320));
    contents.reshape("token_embd.weight", Shape::matrix(64, 300));
    assert_says(
        "more tokens than rows",
        &contents,
        &["tokenizer.ggml.tokens", "320", "300"],
    );
}

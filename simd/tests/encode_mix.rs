//! Mixes give every tensor the format that `llama-quantize` gives it.
//!
//! `data/mixes.tsv` is what `llama-quantize --dry-run` of llama.cpp (ggml 0.25.3) said of `F32` files
//! with these names and shapes: per model a line of facts and the mixes, then per tensor its name,
//! its shape and a format for every mix. Of the models of 80 layers only the tensors whose format
//! changes with depth were written.

use fidelis_simd::Format;
use fidelis_simd::encode::mix::{Mix, ModelFacts, TensorFacts, assign};

const TABLE: &str = include_str!("data/mixes.tsv");

struct Model<'a> {
    facts: ModelFacts<'a>,
    name: &'a str,
    mixes: Vec<Mix>,
    names: Vec<&'a str>,
    shapes: Vec<Vec<usize>>,
    /// `[tensors][mixes]`.
    formats: Vec<Vec<Format>>,
}

fn number(field: &str) -> usize {
    let digits = field.rsplit('=').next().expect("a field");
    digits.parse().expect("a number")
}

fn models() -> Vec<Model<'static>> {
    let mut models: Vec<Model<'_>> = Vec::new();
    for line in TABLE.lines() {
        let fields: Vec<&str> = line.split('\t').collect();
        if let Some(facts) = fields[0].strip_prefix("# ") {
            let facts: Vec<&str> = facts.split(' ').collect();
            let mixes = fields[1..]
                .iter()
                .map(|name| Mix::named(name).expect("a mix"));
            models.push(Model {
                facts: ModelFacts {
                    architecture: facts[1],
                    layers: number(facts[2]),
                    heads: number(facts[3]),
                    kv_heads: number(facts[4]),
                },
                name: facts[0],
                mixes: mixes.collect(),
                names: Vec::new(),
                shapes: Vec::new(),
                formats: Vec::new(),
            });
        } else {
            let model = models.last_mut().expect("facts come first");
            let formats = fields[2..]
                .iter()
                .map(|name| Format::named(name).expect("a format"));
            model.names.push(fields[0]);
            model
                .shapes
                .push(fields[1].split('x').map(number).collect());
            model.formats.push(formats.collect());
        }
    }
    models
}

#[test]
fn every_tensor_gets_the_format_that_llama_quantize_gives_it() {
    let models = models();
    assert_eq!(models.len(), 8);
    for model in &models {
        assert_eq!(model.mixes, Mix::ALL);
        let tensors: Vec<TensorFacts<'_>> = model
            .names
            .iter()
            .zip(&model.shapes)
            .map(|(name, shape)| TensorFacts {
                name,
                shape,
                format: Format::F32,
            })
            .collect();
        for (column, &mix) in model.mixes.iter().enumerate() {
            let found = assign(mix, &model.facts, &tensors);
            for (i, found) in found.iter().enumerate() {
                let expected = model.formats[i][column];
                assert_eq!(
                    *found, expected,
                    "{mix}, {}, {}",
                    model.name, model.names[i]
                );
            }
        }
    }
}

#[test]
fn the_order_of_the_tensors_does_not_matter() {
    for model in models() {
        let tensors = |order: &[usize]| -> Vec<Format> {
            let tensors: Vec<TensorFacts<'_>> = order
                .iter()
                .map(|&i| TensorFacts {
                    name: model.names[i],
                    shape: &model.shapes[i],
                    format: Format::F32,
                })
                .collect();
            assign(Mix::Q4_K_M, &model.facts, &tensors)
        };
        let forth: Vec<usize> = (0..model.names.len()).collect();
        let back: Vec<usize> = forth.iter().copied().rev().collect();
        let mut found = tensors(&back);
        found.reverse();
        assert_eq!(found, tensors(&forth), "{}", model.name);
    }
}

#[test]
fn what_is_not_quantised_keeps_its_format() {
    let facts = ModelFacts {
        architecture: "llama",
        layers: 1,
        heads: 1,
        kv_heads: 1,
    };
    let tensor = |name, shape| TensorFacts {
        name,
        shape,
        format: Format::BF16,
    };
    let tensors = [
        tensor("blk.0.attn_norm.weight", &[256]),
        tensor("blk.0.attn_q_norm.weight", &[256, 4]),
        tensor("blk.0.attn_q.bias", &[256, 2]),
        tensor("blk.0.attn_q.weight", &[256, 1]),
        tensor("rope_freqs.weight", &[32]),
        tensor("blk.0.attn_k.weight", &[256, 2]),
    ];
    let found = assign(Mix::Q4_K_M, &facts, &tensors);
    assert_eq!(found[..5], [Format::BF16; 5]);
    assert_eq!(found[5], Format::Q4_K);
}

#[test]
fn mixes_are_known_by_their_names() {
    for &mix in Mix::ALL {
        assert_eq!(Mix::named(&mix.name().to_lowercase()), Some(mix));
    }
    assert_eq!(Mix::named("Q4_K"), Some(Mix::Q4_K_M));
    assert_eq!(Mix::named("q5_k"), Some(Mix::Q5_K_M));
    assert_eq!(Mix::named("Q4"), None);
}

//! What a file shows without being run: tensors, keys, weights.

use super::read_apart;
use crate::bound::Weights;
use fidelis_engine::gguf::Gguf;
use fidelis_engine::model::{Model, ModelError};
use fidelis_engine::tensor::Tensor;
use fidelis_engine::text::Tokenizer;
use fidelis_simd::Format;
use rayon::prelude::*;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weight {
    /// As it should be.
    Right,
    /// Worth knowing: a trap for engines, or a default in use.
    Note,
    /// Wrong.
    Wrong,
}

/// What a check found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// How bad it is.
    pub weight: Weight,
    /// What was checked.
    pub check: &'static str,
    /// What was found, and what to do about it.
    pub says: String,
}

fn finding(weight: Weight, check: &'static str, says: impl Into<String>) -> Finding {
    Finding {
        weight,
        check,
        says: says.into(),
    }
}

/// All checks.
pub fn inspect(gguf: &Gguf<'_>) -> Vec<Finding> {
    let mut all = vec![tensors(gguf)];
    all.extend(norms(gguf));
    all.extend(keys(gguf));
    all.push(vocabulary(gguf));
    all.extend(template(gguf));
    all.extend(weights(gguf));
    all
}

/// Every tensor has one place in the graph, every place its tensor, of the shape that the keys ask for.
fn tensors(gguf: &Gguf<'_>) -> Finding {
    let check = "tensors";
    match Model::read(gguf) {
        Ok(model) => finding(
            Weight::Right,
            check,
            format!(
                "{} tensors, each with its place in the graph of {} layers ({})",
                gguf.tensors().len(),
                model.config.layers,
                model.config.architecture
            ),
        ),
        Err(error) => {
            let hint = match &error {
                ModelError::Unused { .. } => {
                    ": an engine that leaves them out computes another model; the architecture or one of its switches is not what the file was made for"
                }
                ModelError::MissingTensor { .. } => {
                    ": was it converted with another architecture, or did its loading fail silently?"
                }
                ModelError::Shape { .. } => {
                    ": counts of heads or widths in the keys do not fit the tensors; take dimensions from the tensors, fastest first"
                }
                ModelError::Architecture { .. } => ": another class's computation gives garbage",
                _ => "",
            };
            finding(Weight::Wrong, check, format!("{error}{hint}"))
        }
    }
}

/// Whether Gemma's norms have the 1 that the converter adds: raw ones reach down to −1.
fn norms(gguf: &Gguf<'_>) -> Option<Finding> {
    let architecture = gguf.str("general.architecture").ok()??;
    architecture.starts_with("gemma").then_some(())?;
    let norms = gguf
        .tensors()
        .iter()
        .filter(|tensor| tensor.name.ends_with("norm.weight"));
    let least = norms
        .map(|tensor| {
            let values = Weights::decode(tensor.format, tensor.row(0), tensor.shape.width()).values;
            (
                tensor.name,
                values.into_iter().fold(f64::INFINITY, f64::min),
            )
        })
        .min_by(|a, b| a.1.total_cmp(&b.1))?;
    let (name, value) = least;
    Some(if value < -0.5 {
        finding(
            Weight::Wrong,
            "norms",
            format!(
                "{name} reaches down to {value}: the 1 that GGUF files have in Gemma's norm weights is missing; convert again, or add 1"
            ),
        )
    } else {
        finding(
            Weight::Right,
            "norms",
            format!(
                "the smallest norm weight is {value} ({name}): the 1 is in, do not add it again"
            ),
        )
    })
}

/// Keys that engines fill in by habit.
fn keys(gguf: &Gguf<'_>) -> Vec<Finding> {
    let Ok(Some(architecture)) = gguf.str("general.architecture") else {
        return vec![];
    };
    let absent = |key: &str| gguf.get(&format!("{architecture}.{key}")).is_none();
    let mut all = Vec::new();
    for (key, default) in [
        ("rope.freq_base", "10000"),
        ("attention.head_count_kv", "as many as query heads"),
        ("attention.key_length", "width / heads"),
    ] {
        if absent(key) {
            all.push(finding(
                Weight::Note,
                "keys",
                format!("{architecture}.{key} is absent: {default} is meant"),
            ));
        }
    }
    if architecture == "gemma3" && absent("rope.freq_base_swa") {
        all.push(finding(Weight::Note, "keys", "gemma3.rope.freq_base_swa is absent: sliding layers have base 10000, not rope.freq_base"));
    }
    if gguf.tensor("output.weight").is_none() {
        all.push(finding(
            Weight::Note,
            "keys",
            "there is no output.weight: the embedding is the head",
        ));
    }
    all
}

/// Whether the vocabulary can be read, merges included.
fn vocabulary(gguf: &Gguf<'_>) -> Finding {
    let check = "vocabulary";
    let merges = gguf
        .array("tokenizer.ggml.merges")
        .ok()
        .flatten()
        .map_or(0, |merges| merges.len());
    let model = gguf
        .str("tokenizer.ggml.model")
        .ok()
        .flatten()
        .unwrap_or("none");
    if model == "gpt2" && merges == 0 {
        return finding(
            Weight::Wrong,
            check,
            "a byte-pair vocabulary without merges: text would be cut into characters",
        );
    }
    match Tokenizer::read(gguf) {
        Ok(tokenizer) => finding(
            Weight::Right,
            check,
            format!(
                "{model}, {} tokens, {merges} merges",
                tokenizer.vocabulary_len()
            ),
        ),
        Err(error) => finding(Weight::Wrong, check, error.to_string()),
    }
}

/// Whether both the template and the tokenizer put a beginning-of-sequence token first.
fn template(gguf: &Gguf<'_>) -> Option<Finding> {
    let source = gguf.str("tokenizer.chat_template").ok()??;
    let tokenizer = Tokenizer::read(gguf).ok()?;
    let start = source.trim_start();
    (tokenizer.adds_bos() && start.starts_with("{{") && start.get(..24)?.contains("bos_token")).then(|| {
        finding(Weight::Note, "template", "the template begins with BOS, and the tokenizer adds one: an engine that does not look puts two")
    })
}

/// Whether every weight is finite, and a second decoder written apart agrees on it.
fn weights(gguf: &Gguf<'_>) -> Vec<Finding> {
    let bad: Vec<Finding> = gguf.tensors().par_iter().flat_map_iter(unsound).collect();
    if bad.is_empty() {
        let apart = gguf
            .tensors()
            .iter()
            .filter(|tensor| is_read_apart(tensor.format))
            .count();
        return vec![finding(
            Weight::Right,
            "weights",
            format!(
                "all are finite; {apart} of {} tensors were decoded twice, by decoders written apart, and agree",
                gguf.tensors().len()
            ),
        )];
    }
    bad
}

fn is_read_apart(format: Format) -> bool {
    matches!(
        format,
        Format::Q4_K | Format::Q6_K | Format::Q5_0 | Format::Q4_0 | Format::Q8_0
    )
}

/// What is wrong with a tensor's values.
fn unsound(tensor: &Tensor<'_>) -> Option<Finding> {
    for row in 0..tensor.shape.rows() {
        let bytes = tensor.row(row);
        let values = Weights::decode(tensor.format, bytes, tensor.shape.width()).values;
        if let Some(at) = values.iter().position(|x| !x.is_finite()) {
            return Some(finding(
                Weight::Wrong,
                "weights",
                format!(
                    "{} row {row} element {at} is {}: the file is damaged, or its type is not {}",
                    tensor.name, values[at], tensor.format
                ),
            ));
        }
        if let Some(other) = read_apart(tensor.format, bytes)
            && let Some(at) = (0..values.len()).find(|&at| values[at] != other[at])
        {
            return Some(finding(
                Weight::Wrong,
                "weights",
                format!(
                    "{} row {row} element {at}: this engine decodes {}, a decoder written apart {}",
                    tensor.name, values[at], other[at]
                ),
            ));
        }
    }
    None
}

//! Shapes of public models, for files of random weights.

use fidelis_engine::gguf::{Kind, OwnedValue};
use fidelis_engine::shape::Shape;
use fidelis_simd::encode::mix::ModelFacts;

/// A model's shape.
pub(crate) struct ModelShape {
    pub(crate) name: &'static str,
    architecture: &'static str,
    layers: usize,
    context: usize,
    width: usize,
    feed_forward: usize,
    heads: usize,
    kv_heads: usize,
    key_width: usize,
    vocabulary: usize,
    epsilon: f32,
    rope_base: f32,
    tied: bool,
}

#[rustfmt::skip]
const SHAPES: [ModelShape; 13] = [
    shape("tinyllama-1.1b", "llama", 22, 2048, [2048, 5632], [32, 4, 64], 32_000, [1e-5, 1e4], false),
    shape("llama-3.2-1b", "llama", 16, 131_072, [2048, 8192], [32, 8, 64], 128_256, [1e-5, 5e5], true),
    shape("llama-3.2-3b", "llama", 28, 131_072, [3072, 8192], [24, 8, 128], 128_256, [1e-5, 5e5], true),
    shape("mistral-7b", "llama", 32, 32_768, [4096, 14_336], [32, 8, 128], 32_768, [1e-5, 1e6], false),
    shape("smollm2-135m", "llama", 30, 8192, [576, 1536], [9, 3, 64], 49_152, [1e-5, 1e5], true),
    shape("smollm2-360m", "llama", 32, 8192, [960, 2560], [15, 5, 64], 49_152, [1e-5, 1e5], true),
    shape("gemma-2-2b", "gemma2", 26, 8192, [2304, 9216], [8, 4, 256], 256_000, [1e-6, 1e4], true),
    shape("gemma-3-1b", "gemma3", 26, 32_768, [1152, 6912], [4, 1, 256], 262_144, [1e-6, 1e6], true),
    shape("qwen2.5-0.5b", "qwen2", 24, 32_768, [896, 4864], [14, 2, 64], 151_936, [1e-6, 1e6], true),
    shape("qwen2.5-1.5b", "qwen2", 28, 32_768, [1536, 8960], [12, 2, 128], 151_936, [1e-6, 1e6], true),
    shape("qwen3-0.6b", "qwen3", 28, 40_960, [1024, 3072], [16, 8, 128], 151_936, [1e-6, 1e6], true),
    shape("qwen3-1.7b", "qwen3", 28, 40_960, [2048, 6144], [16, 8, 128], 151_936, [1e-6, 1e6], true),
    shape("phi-3-mini", "phi3", 32, 4096, [3072, 8192], [32, 32, 96], 32_064, [1e-5, 1e4], false),
];

#[expect(clippy::too_many_arguments, reason = "a row of a table")]
const fn shape(
    name: &'static str,
    architecture: &'static str,
    layers: usize,
    context: usize,
    [width, feed_forward]: [usize; 2],
    [heads, kv_heads, key_width]: [usize; 3],
    vocabulary: usize,
    [epsilon, rope_base]: [f32; 2],
    tied: bool,
) -> ModelShape {
    ModelShape {
        name,
        architecture,
        layers,
        context,
        width,
        feed_forward,
        heads,
        kv_heads,
        key_width,
        vocabulary,
        epsilon,
        rope_base,
        tied,
    }
}

/// The shape called `name`.
pub(crate) fn named(name: &str) -> Option<&'static ModelShape> {
    SHAPES.iter().find(|shape| shape.name == name)
}

/// Every name.
pub(crate) fn names() -> Vec<&'static str> {
    SHAPES.iter().map(|shape| shape.name).collect()
}

impl ModelShape {
    /// What decides the formats of a mix.
    pub(crate) fn facts(&self) -> ModelFacts<'_> {
        ModelFacts {
            architecture: self.architecture,
            layers: self.layers,
            heads: self.heads,
            kv_heads: self.kv_heads,
        }
    }

    fn is(&self, architecture: &str) -> bool {
        self.architecture == architecture
    }

    fn is_gemma(&self) -> bool {
        self.is("gemma2") || self.is("gemma3")
    }

    /// Metadata, the vocabulary included.
    pub(crate) fn metadata(&self) -> Vec<(String, OwnedValue)> {
        let mut all = vec![
            (
                "general.architecture".to_owned(),
                OwnedValue::Str(self.architecture.to_owned()),
            ),
            (
                "general.name".to_owned(),
                OwnedValue::Str(format!("{} (random weights)", self.name)),
            ),
        ];
        let number = |x: usize| OwnedValue::U32(u32::try_from(x).unwrap_or(u32::MAX));
        let mut own = |key: &str, value: OwnedValue| {
            all.push((format!("{}.{key}", self.architecture), value));
        };
        own("block_count", number(self.layers));
        own("context_length", number(self.context));
        own("embedding_length", number(self.width));
        own("feed_forward_length", number(self.feed_forward));
        own("attention.head_count", number(self.heads));
        own("attention.head_count_kv", number(self.kv_heads));
        own("attention.key_length", number(self.key_width));
        own("attention.value_length", number(self.key_width));
        own(
            "attention.layer_norm_rms_epsilon",
            OwnedValue::F32(self.epsilon),
        );
        own("rope.dimension_count", number(self.key_width));
        own("rope.freq_base", OwnedValue::F32(self.rope_base));
        own("vocab_size", number(self.vocabulary));
        match self.architecture {
            "gemma2" => {
                own("attention.sliding_window", number(4096));
                own("attn_logit_softcapping", OwnedValue::F32(50.0));
                own("final_logit_softcapping", OwnedValue::F32(30.0));
            }
            "gemma3" => own("attention.sliding_window", number(512)),
            "phi3" => {
                own("rope.scaling.original_context_length", number(self.context));
                own("attention.sliding_window", number(2047));
            }
            _ => {}
        }
        all.extend(vocabulary(self.vocabulary, self.is_gemma()));
        all
    }

    /// Names and shapes of the tensors, in the usual order.
    pub(crate) fn tensors(&self) -> Vec<(String, Shape)> {
        let mut all = vec![(
            "token_embd.weight".to_owned(),
            Shape::matrix(self.width, self.vocabulary),
        )];
        for layer in 0..self.layers {
            all.extend(
                self.layer()
                    .into_iter()
                    .map(|(name, shape)| (format!("blk.{layer}.{name}"), shape)),
            );
        }
        all.push(("output_norm.weight".to_owned(), Shape::vector(self.width)));
        if !self.tied {
            all.push((
                "output.weight".to_owned(),
                Shape::matrix(self.width, self.vocabulary),
            ));
        }
        all
    }

    fn layer(&self) -> Vec<(&'static str, Shape)> {
        let (queries, keys) = (self.heads * self.key_width, self.kv_heads * self.key_width);
        let (matrix, norm) = (Shape::matrix, Shape::vector(self.width));
        let mut all = vec![("attn_norm.weight", norm)];
        if self.is("phi3") {
            all.push(("attn_qkv.weight", matrix(self.width, queries + 2 * keys)));
        } else {
            all.extend([
                ("attn_q.weight", matrix(self.width, queries)),
                ("attn_k.weight", matrix(self.width, keys)),
                ("attn_v.weight", matrix(self.width, keys)),
            ]);
        }
        if self.is("qwen2") {
            all.extend([
                ("attn_q.bias", Shape::vector(queries)),
                ("attn_k.bias", Shape::vector(keys)),
                ("attn_v.bias", Shape::vector(keys)),
            ]);
        }
        if self.is("qwen3") || self.is("gemma3") {
            all.extend([
                ("attn_q_norm.weight", Shape::vector(self.key_width)),
                ("attn_k_norm.weight", Shape::vector(self.key_width)),
            ]);
        }
        all.push(("attn_output.weight", matrix(queries, self.width)));
        if self.is_gemma() {
            all.extend([
                ("post_attention_norm.weight", norm),
                ("post_ffw_norm.weight", norm),
            ]);
        }
        all.push(("ffn_norm.weight", norm));
        if self.is("phi3") {
            all.push(("ffn_up.weight", matrix(self.width, 2 * self.feed_forward)));
        } else {
            all.extend([
                ("ffn_gate.weight", matrix(self.width, self.feed_forward)),
                ("ffn_up.weight", matrix(self.width, self.feed_forward)),
            ]);
        }
        all.push(("ffn_down.weight", matrix(self.feed_forward, self.width)));
        all
    }
}

/// A made-up SentencePiece vocabulary: control tokens, bytes, then words.
fn vocabulary(tokens: usize, gemma: bool) -> Vec<(String, OwnedValue)> {
    let specials = ["<unk>", "<s>", "</s>"];
    let bytes = (0..256).map(|byte| (format!("<0x{byte:02X}>"), 6));
    let characters = (b'a'..=b'z')
        .map(|letter| (char::from(letter).to_string(), 1))
        .chain([("▁".to_owned(), 1)]);
    let words = (0..).map(|n| (format!("▁w{n}"), 1));
    let all: Vec<(String, i32)> = specials
        .iter()
        .zip([2, 3, 3])
        .map(|(text, kind)| ((*text).to_owned(), kind))
        .chain(bytes)
        .chain(characters)
        .chain(words)
        .take(tokens)
        .collect();
    let scores: Vec<f32> = (0..tokens).map(|id| -(id as f32)).collect();
    let kinds: Vec<i32> = all.iter().map(|(_, kind)| *kind).collect();
    let texts = all
        .into_iter()
        .map(|(text, _)| OwnedValue::Str(text))
        .collect();
    vec![
        (
            "tokenizer.ggml.model".to_owned(),
            OwnedValue::Str("llama".to_owned()),
        ),
        (
            "tokenizer.ggml.tokens".to_owned(),
            OwnedValue::Array(Kind::Str, texts),
        ),
        (
            "tokenizer.ggml.scores".to_owned(),
            OwnedValue::f32s(&scores),
        ),
        (
            "tokenizer.ggml.token_type".to_owned(),
            OwnedValue::i32s(&kinds),
        ),
        ("tokenizer.ggml.bos_token_id".to_owned(), OwnedValue::U32(1)),
        ("tokenizer.ggml.eos_token_id".to_owned(), OwnedValue::U32(2)),
        (
            "tokenizer.ggml.unknown_token_id".to_owned(),
            OwnedValue::U32(0),
        ),
        (
            "tokenizer.ggml.add_space_prefix".to_owned(),
            OwnedValue::Bool(!gemma),
        ),
    ]
}

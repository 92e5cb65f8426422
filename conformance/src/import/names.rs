//! Other engines' names for our checkpoints.
//!
//! llama.cpp's are the names that its eval callback shows, `Qcur-0`; since names repeat, the operation may follow in brackets, `Qcur-0 (ROPE)`.
//! Hugging Face's are `hidden_states.N` and the modules' paths, `model.layers.0.self_attn.q_proj`, for their outputs.

use crate::recording::Tensor;
use crate::reference::Reference;
use fidelis_engine::graph::{Op, Pairing};

/// A checkpoint, and what must be done to another engine's values to be it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mapped {
    /// The checkpoint.
    pub name: String,
    /// Elements of each head are halves of pairs, and neighbours here.
    interleave: bool,
}

/// llama.cpp's name, the operation if it matters, and ours within a layer.
const LAYER: &[(&str, &str, &str)] = &[
    ("attn_norm", "", "attn_norm"),
    ("Qcur", "MUL_MAT", "attn_q"),
    ("Qcur", "ADD", "attn_q.bias"),
    ("Qcur", "ROPE", "attn_q.rope"),
    ("Kcur", "MUL_MAT", "attn_k"),
    ("Kcur", "ADD", "attn_k.bias"),
    ("Kcur", "ROPE", "attn_k.rope"),
    ("Vcur", "MUL_MAT", "attn_v"),
    ("Vcur", "ADD", "attn_v.bias"),
    ("Qcur_normed", "", "attn_q.norm"),
    ("Kcur_normed", "", "attn_k.norm"),
    ("kq", "", "attn_scores"),
    ("kq_soft_max", "", "attn_probs"),
    ("kqv_out", "", "attn_heads"),
    ("attn_out", "", "attn_output"),
    ("attn_post_norm", "", "attn_post_norm"),
    ("sa_out", "", "attn_residual"),
    ("ffn_inp", "", "attn_residual"),
    ("ffn_norm", "", "ffn_norm"),
    ("ffn_gate", "", "ffn_gate"),
    ("ffn_up", "", "ffn_up"),
    ("ffn_swiglu", "", "ffn_act"),
    ("ffn_geglu", "", "ffn_act"),
    ("ffn_act", "", "ffn_act"),
    ("ffn_out", "", "ffn_down"),
    ("ffn_post_norm", "", "ffn_post_norm"),
    ("l_out", "", "out"),
];

/// Hugging Face's modules within a layer.
const MODULES: &[(&str, &str)] = &[
    ("input_layernorm", "attn_norm"),
    ("self_attn.q_proj", "attn_q"),
    ("self_attn.k_proj", "attn_k"),
    ("self_attn.v_proj", "attn_v"),
    ("self_attn.q_norm", "attn_q.norm"),
    ("self_attn.k_norm", "attn_k.norm"),
    ("self_attn.o_proj.input", "attn_heads"),
    ("self_attn.o_proj", "attn_output"),
    ("pre_feedforward_layernorm", "ffn_norm"),
    ("post_feedforward_layernorm", "ffn_post_norm"),
    ("mlp.gate_proj", "ffn_gate"),
    ("mlp.up_proj", "ffn_up"),
    ("mlp.down_proj.input", "ffn_act"),
    ("mlp.down_proj", "ffn_down"),
    ("", "out"),
];

/// The engine whose names these are; empty if they are ours or nobody's.
pub fn engine<'n>(mut names: impl Iterator<Item = &'n str>) -> &'static str {
    let known = |name: &str| {
        if name.starts_with("hidden_states.") || name.contains("layers.") {
            Some("transformers")
        } else if LAYER.iter().any(|(theirs, ..)| {
            let (base, _) = without_operation(name);
            base.rsplit_once('-')
                .is_some_and(|(base, layer)| base == *theirs && layer.parse::<usize>().is_ok())
        }) {
            Some("llama.cpp")
        } else {
            None
        }
    };
    names.find_map(known).unwrap_or_default()
}

/// Our checkpoint for another engine's name; `None` if it has none, or is ours already.
pub fn checkpoint(name: &str, reference: &Reference<'_, '_>) -> Option<Mapped> {
    if reference.node(name).is_some() {
        return None;
    }
    hugging_face(name, reference).or_else(|| llama_cpp(name, reference))
}

/// `Qcur-0 (ROPE)` as its name and its operation.
fn without_operation(name: &str) -> (&str, &str) {
    match name
        .strip_suffix(')')
        .and_then(|rest| rest.split_once(" ("))
    {
        Some((name, operation)) => (name, operation),
        None => (name, ""),
    }
}

fn llama_cpp(name: &str, reference: &Reference<'_, '_>) -> Option<Mapped> {
    let (base, operation) = without_operation(name);
    let plain = |name: String| {
        reference.node(&name).map(|_| Mapped {
            name,
            interleave: false,
        })
    };
    let scaled = reference
        .graph
        .ops
        .iter()
        .any(|op| matches!(op, Op::Embed { scale, .. } if *scale != 1.0));
    let whole = match base {
        "embd" | "inp_embd" if !scaled => "token_embd",
        "inp_scaled" => "token_embd",
        "result_norm" => "output_norm",
        "result_output" => "logits",
        _ => "",
    };
    if !whole.is_empty() {
        return plain(whole.to_owned());
    }
    let (base, layer) = base.rsplit_once('-')?;
    let layer: usize = layer.parse().ok()?;
    let (_, _, ours) = LAYER.iter().find(|(theirs, wanted, _)| {
        *theirs == base && (wanted.is_empty() || *wanted == operation)
    })?;
    plain(format!("blk.{layer}.{ours}"))
}

fn hugging_face(name: &str, reference: &Reference<'_, '_>) -> Option<Mapped> {
    let layers = reference.graph.caches.len();
    let plain = |name: String| Mapped {
        name,
        interleave: false,
    };
    if let Some(index) = name.strip_prefix("hidden_states.") {
        // The first is the scaled embedding, and the last went through the last norm: the last layer's own output is not among them.
        return match index.parse::<usize>().ok()? {
            0 => Some(plain("token_embd".to_owned())),
            i if i == layers => Some(plain("output_norm".to_owned())),
            i if i < layers => Some(plain(format!("blk.{}.out", i - 1))),
            _ => None,
        };
    }
    let path = name.strip_prefix("model.").unwrap_or(name);
    let path = path.strip_prefix("language_model.").unwrap_or(path);
    match path {
        "embed_tokens" => return Some(plain("token_embd".to_owned())),
        "norm" => return Some(plain("output_norm".to_owned())),
        "lm_head" => return Some(plain("logits".to_owned())),
        _ => {}
    }
    let rest = path.strip_prefix("layers.")?;
    let (layer, module) = rest.split_once('.').unwrap_or((rest, ""));
    let layer: usize = layer.parse().ok()?;
    let sandwich = reference
        .node(&format!("blk.{layer}.attn_post_norm"))
        .is_some();
    let ours = match module {
        // The same name is two norms.
        "post_attention_layernorm" if sandwich => "attn_post_norm",
        "post_attention_layernorm" => "ffn_norm",
        module => MODULES.iter().find(|(theirs, _)| *theirs == module)?.1,
    };
    let bias = format!("blk.{layer}.{ours}.bias");
    // Modules add their bias.
    let name = if reference.node(&bias).is_some() {
        bias
    } else {
        format!("blk.{layer}.{ours}")
    };
    reference.node(&name)?;
    let interleave = matches!(ours, "attn_q" | "attn_k")
        && reference
            .graph
            .ropes
            .iter()
            .any(|rope| rope.pairing == Pairing::Interleaved);
    Some(Mapped { name, interleave })
}

impl Mapped {
    /// The values in our order: the converter puts the halves of pairs beside each other.
    pub(super) fn applied(&self, mut tensor: Tensor, reference: &Reference<'_, '_>) -> Tensor {
        let head = reference
            .graph
            .caches
            .first()
            .map_or(0, |cache| cache.key_width);
        if self.interleave && head > 0 && tensor.values.len().is_multiple_of(head) {
            let ordered = tensor
                .values
                .chunks(head)
                .flat_map(|row| (0..head).map(move |i| row[i % 2 * (head / 2) + i / 2]));
            tensor.values = ordered.collect();
        }
        tensor
    }
}

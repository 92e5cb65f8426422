//! A weight that is not a number, or infinite: every tier names the first operation whose result shows it.

use fidelis_conformance::tiny::{Contents, Kind, Stored, Tiny};
use fidelis_engine::backend::{BackendError, CpuBackend, CpuSettings, Logits, Step, Tier};
use fidelis_engine::gguf::Gguf;
use fidelis_engine::model::Model;
use fidelis_simd::Format;

const LAYERS: usize = 2;

/// Token 0, whose embedding is the poisoned row, comes last.
const IDS: [u32; 3] = [1, 300, 0];

/// The same length without token 0.
const OTHER_IDS: [u32; 3] = [1, 300, 5];

/// `NaN`, `∞` and `−∞`, as the beginning of a tensor.
fn poisons(format: Format) -> [Vec<u8>; 3] {
    match format {
        Format::F32 => [f32::NAN, f32::INFINITY, f32::NEG_INFINITY].map(|x| x.to_le_bytes().into()),
        // A block begins with its scale, a half.
        Format::Q8_0 => [0x7e00_u16, 0x7c00, 0xfc00].map(|bits| bits.to_le_bytes().into()),
        other => panic!("no poison for {other}"),
    }
}

/// The checkpoint that the first value of a tensor goes into, and whether only the last token gets there.
fn expected(kind: Kind, tensor: &str) -> Option<(String, bool)> {
    let name = tensor.strip_suffix(".weight").unwrap_or(tensor);
    let whole = |name: &str, last| Some((name.to_owned(), last));
    let Some((layer, part)) = name
        .strip_prefix("blk.")
        .and_then(|rest| rest.split_once('.'))
    else {
        return match name {
            "token_embd" => whole("token_embd", true),
            "output_norm" => whole("output_norm", true),
            "output" => whole("logits", true),
            // Factors of the angles are refused with the model.
            factors => {
                assert!(factors.starts_with("rope_"), "{factors}");
                None
            }
        };
    };
    // The fused matrices begin with the queries, and with the gate.
    let (checkpoint, behind_attention) = match part {
        "attn_norm" | "attn_q" | "attn_k" | "attn_v" => (part, false),
        "attn_q.bias" | "attn_k.bias" | "attn_v.bias" => (part, false),
        "attn_qkv" => ("attn_q", false),
        "attn_q_norm" => ("attn_q.norm", false),
        "attn_k_norm" => ("attn_k.norm", false),
        "post_attention_norm" => ("attn_post_norm", true),
        "post_ffw_norm" => ("ffn_post_norm", true),
        "ffn_up" if matches!(kind, Kind::Phi3 | Kind::Phi3Long) => ("ffn_gate", true),
        "attn_output" | "ffn_norm" | "ffn_gate" | "ffn_up" | "ffn_down" => (part, true),
        other => panic!("what is {other}?"),
    };
    // Behind the last attention, only the token whose logits are wanted goes on.
    let last = behind_attention && layer == (LAYERS - 1).to_string();
    Some((format!("blk.{layer}.{checkpoint}"), last))
}

/// The error of a step; `None` if the logits are numbers.
fn error(contents: &Contents, tier: Tier, threads: usize, tokens: &[u32]) -> Option<BackendError> {
    let bytes = contents.bytes();
    let gguf = Gguf::read(&bytes).expect("a whole file");
    let model = Model::read(&gguf).expect("a model");
    let settings = CpuSettings {
        tier,
        threads,
        ..CpuSettings::new(8).expect("a level")
    };
    let mut backend = CpuBackend::new(&model.graph, &settings).expect("a back end");
    let step = Step {
        tokens,
        position: 0,
        logits: Logits::Last,
    };
    let error = backend.forward(&step).err();
    if error.is_some() {
        assert_eq!(backend.position(), 0);
    }
    error
}

#[track_caller]
fn assert_names(case: &str, error: Option<BackendError>, wanted: (&str, usize)) {
    match error {
        Some(BackendError::NonFinite {
            checkpoint,
            token,
            element,
            value,
        }) => {
            let found = (checkpoint.as_str(), token, element);
            assert_eq!(found, (wanted.0, wanted.1, 0), "{case}");
            assert!(!value.is_finite(), "{case}: {value}");
        }
        Some(other) => panic!("{case}: {other}"),
        None => panic!("{case}: no error"),
    }
}

/// Every tensor of a model, poisoned in every way; with the model's healthy tensor put back afterwards.
fn each_poison(kind: Kind, format: Format, mut check: impl FnMut(&str, &Stored, usize, &Contents)) {
    let tiny = Tiny {
        layers: LAYERS,
        format,
        ..Tiny::small(kind)
    };
    let mut contents = tiny.contents().expect("rows of whole blocks");
    for index in 0..contents.tensors.len() {
        let healthy = contents.tensors[index].clone();
        for (way, poison) in poisons(healthy.format).iter().enumerate() {
            contents.tensors[index].bytes[..poison.len()].copy_from_slice(poison);
            let case = format!("{kind:?} {format} {} poison {way}", healthy.name);
            check(&case, &healthy, way, &contents);
        }
        contents.tensors[index] = healthy;
    }
}

const TIERS: [Tier; 3] = [Tier::Fast, Tier::F32, Tier::Audit];

#[test]
fn every_tier_names_the_operation_of_a_poisoned_weight() {
    for kind in Kind::ALL {
        for format in [Format::F32, Format::Q8_0] {
            each_poison(kind, format, |case, tensor, way, contents| {
                let Some((checkpoint, last)) = expected(kind, &tensor.name) else {
                    return;
                };
                // The number of threads has no part in what is found; one way of three shows that.
                let threads = if way == 0 { 2 } else { 1 };
                for tier in TIERS {
                    let error = error(contents, tier, threads, &IDS);
                    let case = format!("{case} {tier:?}");
                    assert_names(&case, error, (&checkpoint, if last { 2 } else { 0 }));
                }
            });
        }
    }
}

/// An embedding that is the head as well is met there by tokens that were not read.
#[test]
fn a_poisoned_row_of_a_tied_head_is_found_in_the_logits_before_they_are_capped() {
    for (kind, checkpoint) in [
        (Kind::Llama3, "logits"),
        (Kind::Gemma2, "logits.raw"),
        (Kind::Gemma3, "logits"),
    ] {
        for format in [Format::F32, Format::Q8_0] {
            each_poison(kind, format, |case, tensor, _, contents| {
                if tensor.name == "token_embd.weight" {
                    for tier in TIERS {
                        let error = error(contents, tier, 1, &OTHER_IDS);
                        assert_names(&format!("{case} {tier:?}"), error, (checkpoint, 2));
                    }
                }
            });
        }
    }
}

/// In `audit` such a logit is a number, but no 32-bit one as which it is handed over.
#[test]
fn logits_beyond_32_bits_are_no_numbers_in_any_tier() {
    let tiny = Tiny {
        layers: LAYERS,
        ..Tiny::small(Kind::Llama)
    };
    let mut contents = tiny.contents().expect("F32 is encoded");
    let head = contents
        .tensors
        .iter_mut()
        .find(|tensor| tensor.name == "output.weight")
        .expect("a head");
    let huge = f32::MAX.to_le_bytes();
    for weight in head.bytes.as_chunks_mut::<4>().0 {
        *weight = huge;
    }
    for tier in TIERS {
        let error = error(&contents, tier, 1, &IDS);
        assert_names(&format!("{tier:?}"), error, ("logits", 2));
    }
}

#[test]
fn healthy_models_give_numbers() {
    for kind in Kind::ALL {
        let tiny = Tiny {
            layers: LAYERS,
            ..Tiny::small(kind)
        };
        let contents = tiny.contents().expect("F32 is encoded");
        for tier in TIERS {
            let error = error(&contents, tier, 1, &IDS);
            assert!(error.is_none(), "{kind:?} {tier:?}: {error:?}");
        }
    }
}

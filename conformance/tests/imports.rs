//! Recordings of engines that share nothing with this one: those without a fault agree, those with one are diagnosed
//! (`data/README.md` says what made them).

use fidelis_conformance::candidate::Candidate;
use fidelis_conformance::claims::judge;
use fidelis_conformance::compare::{Verdict, accept, operations};
use fidelis_conformance::fault::{Diagnosis, diagnose};
use fidelis_conformance::import::{self, Imported};
use fidelis_conformance::precision::Precision;
use fidelis_conformance::recording::{Recording, Selection, Tensor};
use fidelis_conformance::reference::Reference;
use fidelis_engine::backend::{CacheFormat, Tier};
use fidelis_engine::gguf::File;
use fidelis_engine::model::Model;
use std::path::{Path, PathBuf};

fn here(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn open(name: &str) -> File {
    File::open(&here(&format!("oracle/{name}.gguf"))).expect("committed")
}

fn run(model: &Model<'_>, tokens: &[u32], tier: Tier) -> Recording {
    let candidate = Candidate::Cpu {
        tier,
        cache: CacheFormat::F32,
        level: None,
    };
    let all = Selection::default();
    candidate
        .record(&model.graph, tokens, &[tokens.len()], &all, None)
        .expect("a run")
}

fn recording(reference: &Reference<'_, '_>, path: &str) -> Recording {
    match import::load(&here(path), reference, None).expect("a recording") {
        Imported::Recording(recording) => recording,
        Imported::Claims(_) => panic!("{path} holds tensors"),
    }
}

/// The diagnoses of a recording, and whether it agrees.
fn judged(reference: &Reference<'_, '_>, recording: Recording) -> (Verdict, Vec<Diagnosis>) {
    let precision = Precision::of(&recording.provenance);
    let recording = accept(reference, recording, None, None)
        .expect("of this model")
        .recording;
    let all = operations(reference, &recording, &precision);
    let diagnoses = diagnose(reference, &recording, &precision, &all);
    (Verdict::of(&all), diagnoses)
}

fn tried(d: &Diagnosis) -> String {
    let best = &d.fits[..3.min(d.fits.len())];
    format!("{} {:?} {:?} {best:?}", d.checkpoint, d.named, d.ambiguous)
}

/// The fault that is named, or those that cannot be told apart.
fn said(d: &Diagnosis) -> String {
    let mut all: Vec<&str> = d.named.iter().chain(&d.ambiguous).map(|f| f.name).collect();
    all.sort_unstable();
    all.join("|")
}

const FAULTY: [(&str, &str, &str, &str); 24] = [
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
];

#[test]
fn an_engine_in_python_with_a_fault_is_diagnosed() {
    let mut wrong = Vec::new();
    for (name, fault, wanted, at) in FAULTY {
        let file = open(&format!("{name}-f32"));
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

/// What the exporters in `tools/exporters` write, under the engines' own names.
#[test]
fn recordings_of_the_exporters_agree() {
    for (name, engine, most) in [
        ("llama-f32", "llama_cpp", 36),
        ("qwen2-f32", "llama_cpp", 40),
        ("llama-f32", "transformers", 25),
        ("qwen2-f32", "transformers", 25),
        ("gemma3-f32", "transformers", 110),
    ] {
        let file = open(name);
        let gguf = file.gguf().expect("GGUF");
        let model = Model::read(&gguf).expect("a model");
        let reference = Reference::new(&model.graph);
        let path = format!("tests/data/exported/{name}.{engine}.safetensors");
        let recorded = recording(&reference, &path);
        let precision = Precision::of(&recorded.provenance);
        let accepted = accept(&reference, recorded, None, None).expect("of this model");
        let all = operations(&reference, &accepted.recording, &precision);
        let wrong: Vec<_> = all.iter().filter(|op| op.is_wrong()).collect();
        assert!(wrong.is_empty(), "{name} {engine}: {:?}", wrong[0]);
        let compared = all.iter().filter(|op| op.compared.is_some()).count();
        println!(
            "{name} {engine}: {compared} operations, not known: {:?}",
            accepted.ignored
        );
        assert!(compared >= most, "{name} {engine}: {compared}");
    }
}

/// Checkpoints that were not recorded are evaluated with those after them; the fault is narrowed down to what lies between.
#[test]
fn a_partial_recording_names_the_fault_within_its_segment() {
    let file = open("llama-f32");
    let gguf = file.gguf().expect("GGUF");
    let model = Model::read(&gguf).expect("a model");
    let reference = Reference::new(&model.graph);
    let kept = ["token_embd", "blk.0.out", "blk.1.out", "logits"];
    for (fault, wanted) in [
        ("none", None),
        // To swap the weights gives the same, and only ffn_gate would tell.
        ("gate-and-up", Some("gate-up-weights-swapped|glu-gate-up-swapped")),
        // Scores are the same if both weights are in another order.
        (
            "rope-neighbours-and-halves",
            Some("qk-permutation-twice|rope-mode-swapped"),
        ),
        ("tiled-heads", Some("gqa-tile")),
    ] {
        let path = format!("tests/data/faulty/llama.{fault}.safetensors");
        let mut recording = recording(&reference, &path);
        recording
            .tensors
            .retain(|name, _| kept.contains(&&name[..]));
        let (verdict, diagnoses) = judged(&reference, recording);
        let Some(wanted) = wanted else {
            assert_eq!((verdict, diagnoses.len()), (Verdict::Agree, 0));
            continue;
        };
        let first = &diagnoses[0];
        assert_eq!(first.checkpoint, "blk.0.out", "{fault}");
        let through = &first.through;
        assert!(through.contains(&"blk.0.ffn_act".to_owned()), "{through:?}");
        assert_eq!(said(first), wanted, "{}", tried(first));
    }
}

#[test]
fn the_log_of_llama_cpps_eval_callback_is_judged() {
    let file = open("llama-f32");
    let gguf = file.gguf().expect("GGUF");
    let model = Model::read(&gguf).expect("a model");
    let reference = Reference::new(&model.graph);
    for (log, wanted, at) in [
        ("llama-f32", None, ""),
        ("theta", Some("rope-theta-wrong"), "blk.0.attn_q.rope"),
        ("kv", Some("kv-swapped"), "blk.0.attn_k"),
    ] {
        let path = here(&format!("tests/data/eval-callback.{log}.log"));
        let imported = import::load(&path, &reference, None).expect("a log");
        let Imported::Claims(claims) = imported else {
            panic!("a log holds single numbers");
        };
        assert_eq!(claims.tokens.len(), 24);
        let [audit, single] =
            [Tier::Audit, Tier::F32].map(|tier| run(&model, &claims.tokens, tier));
        let judged = judge(&reference, &claims, &audit, &single);
        let seen = judged
            .operations
            .iter()
            .filter_map(|op| op.compared.as_ref());
        let compared: usize = seen.map(|seen| seen.elements).sum();
        let Some(wanted) = wanted else {
            assert!(
                judged.diagnoses.is_empty(),
                "{:?}",
                judged.operations.last()
            );
            let checkpoints = judged.operations.len();
            assert!(
                checkpoints >= 34 && compared > 1200,
                "{checkpoints} {compared}"
            );
            continue;
        };
        let first = judged.diagnoses.first().expect("it is wrong");
        assert_eq!(first.checkpoint, at, "{log}");
        let named = first.named.map(|fault| fault.name);
        assert_eq!(named, Some(wanted), "{log}: {}", tried(first));
    }
}

/// Six digits of what the engine in Python recorded, as people write them down.
fn table(recorded: &Recording) -> String {
    let ids: Vec<String> = recorded.tokens.iter().map(ToString::to_string).collect();
    let mut table = format!(
        "# tokens: {}\ncheckpoint,min,max,rms,first\n",
        ids.join(" ")
    );
    for (name, tensor) in &recorded.tensors {
        let v = &tensor.values;
        if name.contains("attn_scores") {
            continue;
        }
        let least = v.iter().fold(f64::MAX, |a, x| a.min(*x));
        let most = v.iter().fold(f64::MIN, |a, x| a.max(*x));
        let rms = (v.iter().map(|x| x * x).sum::<f64>() / v.len() as f64).sqrt();
        let first: Vec<String> = v[..3].iter().map(|x| format!("{x:.5e}")).collect();
        table += &format!(
            "{name},{least:.5e},{most:.5e},{rms:.5e},{}\n",
            first.join(" ")
        );
    }
    table
}

#[test]
fn a_table_of_statistics_is_judged() {
    let file = open("qwen3-f32");
    let gguf = file.gguf().expect("GGUF");
    let model = Model::read(&gguf).expect("a model");
    let reference = Reference::new(&model.graph);
    for (fault, wanted) in [
        ("none", None),
        ("norms-plus-one", Some("norm-plus1-twice")),
        ("weights-by-columns", Some("gguf-dims-as-rowmajor")),
    ] {
        let path = format!("tests/data/faulty/qwen3.{fault}.safetensors");
        let table = table(&recording(&reference, &path));
        let imported = import::read(table.as_bytes(), &reference, None).expect("a table");
        let Imported::Claims(claims) = imported else {
            panic!("a table holds single numbers");
        };
        let [audit, single] =
            [Tier::Audit, Tier::F32].map(|tier| run(&model, &claims.tokens, tier));
        let judged = judge(&reference, &claims, &audit, &single);
        let first = judged.diagnoses.first();
        let named = first.map(|d| d.named.map_or("", |fault| fault.name));
        assert_eq!(named, wanted, "{fault}: {:?}", first.map(tried));
        assert!(judged.operations.len() > 1);
    }
}

#[test]
fn names_of_llama_cpp_and_hugging_face_are_ours() {
    let file = open("gemma3-f32");
    let gguf = file.gguf().expect("GGUF");
    let model = Model::read(&gguf).expect("a model");
    let reference = Reference::new(&model.graph);
    for (theirs, ours) in [
        ("inp_scaled", "token_embd"),
        ("Qcur-0 (MUL_MAT)", "blk.0.attn_q"),
        ("Qcur-3 (ROPE)", "blk.3.attn_q.rope"),
        ("Kcur_normed-2", "blk.2.attn_k.norm"),
        ("kq_soft_max-1", "blk.1.attn_probs"),
        ("sa_out-6", "blk.6.attn_residual"),
        ("ffn_geglu-0 (GEGLU)", "blk.0.ffn_act"),
        ("l_out-0", "blk.0.out"),
        ("result_output", "logits"),
        ("hidden_states.0", "token_embd"),
        ("hidden_states.1", "blk.0.out"),
        ("hidden_states.7", "output_norm"),
        (
            "model.layers.2.post_attention_layernorm",
            "blk.2.attn_post_norm",
        ),
        ("model.layers.2.pre_feedforward_layernorm", "blk.2.ffn_norm"),
        ("model.layers.2.self_attn.q_proj", "blk.2.attn_q"),
        ("model.norm", "output_norm"),
        ("lm_head", "logits"),
    ] {
        let mapped = import::names::checkpoint(theirs, &reference).expect(theirs);
        assert_eq!(mapped.name, ours, "{theirs}");
    }
    let unknown = [
        "embd",
        "Qcur-0",
        "Qcur-0 (RESHAPE)",
        "l_out-7",
        "hidden_states.8",
        "norm-0",
        "node_7",
        "l_out-x",
        "",
    ];
    for unknown in unknown {
        assert_eq!(
            import::names::checkpoint(unknown, &reference),
            None,
            "{unknown}"
        );
    }
}

/// Hidden states alone, as transformers gives them: the last layer's own output is not among them.
#[test]
fn hidden_states_of_hugging_face_narrow_a_fault_to_a_layer() {
    let file = open("llama-f32");
    let gguf = file.gguf().expect("GGUF");
    let model = Model::read(&gguf).expect("a model");
    let reference = Reference::new(&model.graph);
    let full = recording(
        &reference,
        "tests/data/faulty/llama.gate-and-up.safetensors",
    );
    let mut states = Recording {
        tokens: full.tokens.clone(),
        steps: full.steps.clone(),
        ..Recording::default()
    };
    for (theirs, ours) in [
        ("hidden_states.0", "token_embd"),
        ("hidden_states.1", "blk.0.out"),
        ("hidden_states.2", "output_norm"),
        ("logits", "logits"),
    ] {
        let tensor = full.tensors[ours].clone();
        // A batch of one.
        let shape = vec![1, tensor.rows(), tensor.width()];
        states
            .tensors
            .insert(theirs.to_owned(), Tensor { shape, ..tensor });
    }
    let bytes = states.to_bytes().expect("a file");
    let imported = import::read(&bytes, &reference, None).expect("a recording");
    let Imported::Recording(states) = imported else {
        panic!("it holds tensors");
    };
    assert_eq!(states.provenance.engine, "transformers");
    let (verdict, diagnoses) = judged(&reference, states);
    assert_eq!(verdict, Verdict::Diverge);
    assert_eq!(diagnoses[0].checkpoint, "blk.0.out");
    assert_eq!(
        said(&diagnoses[0]),
        "gate-up-weights-swapped|glu-gate-up-swapped",
        "{}",
        tried(&diagnoses[0])
    );
}

/// What `numpy.savez` wrote of the same run.
#[test]
fn an_archive_of_numpy_is_read() {
    let file = open("llama-f32");
    let gguf = file.gguf().expect("GGUF");
    let model = Model::read(&gguf).expect("a model");
    let reference = Reference::new(&model.graph);
    let archived = recording(&reference, "tests/data/llama.none.npz");
    let stored = recording(&reference, "tests/data/faulty/llama.none.safetensors");
    assert_eq!(archived.tokens, stored.tokens);
    assert!(archived.tensors.len() >= 3);
    for (name, tensor) in &archived.tensors {
        assert_eq!(tensor.values, stored.tensors[name].values, "{name}");
    }
    let bytes = std::fs::read(here("tests/data/llama.none.npz")).expect("committed");
    for cut in [4, 40, bytes.len() / 2, bytes.len() - 1] {
        let read = import::read(&bytes[..cut], &reference, None);
        assert!(read.is_err(), "cut at {cut}");
    }
}

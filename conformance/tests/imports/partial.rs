//! Recordings without most checkpoints.

use crate::*;

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
        (
            "gate-and-up",
            Some("gate-up-weights-swapped|glu-gate-up-swapped"),
        ),
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

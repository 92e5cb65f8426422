//! What a back end does after a step that failed, or that was gone back from: the bits of a fresh one, or a refusal.

use fidelis_conformance::tiny::{Kind, Tiny};
use fidelis_engine::backend::{BackendError, CpuBackend, CpuSettings, Logits, Step};
use fidelis_engine::gguf::Gguf;
use fidelis_engine::model::Model;

/// The token whose embedding is not a number.
const POISON: u32 = 7;

/// A model with sliding windows that fails at [`POISON`] alone.
fn poisoned() -> Vec<u8> {
    let mut contents = Tiny::small(Kind::Gemma3)
        .contents()
        .expect("F32 is encoded");
    let embedding = contents
        .tensors
        .iter_mut()
        .find(|tensor| tensor.name == "token_embd.weight")
        .expect("every model has one");
    // A head of its own, as the embedding was: the logits must stay numbers.
    let mut head = embedding.clone();
    head.name = "output.weight".to_owned();
    let row = embedding.shape.width() * 4;
    embedding.bytes[POISON as usize * row..][..4].copy_from_slice(&f32::NAN.to_le_bytes());
    contents.tensors.push(head);
    contents.bytes()
}

/// Ids without the poison.
fn ids(count: usize) -> Vec<u32> {
    (0..count as u32).map(|i| 8 + i * 13 % 300).collect()
}

/// A ring of 256 positions: a window of 8, a batch, and whole chunks.
fn backend<'a>(model: &Model<'a>) -> CpuBackend<'a> {
    let settings = CpuSettings {
        threads: 1,
        batch: 16,
        ..CpuSettings::new(2048).expect("a level")
    };
    CpuBackend::new(&model.graph, &settings).expect("a back end")
}

/// The bits of the last logits.
fn read(backend: &mut CpuBackend<'_>, tokens: &[u32]) -> Result<Vec<u32>, BackendError> {
    let step = Step {
        tokens,
        position: backend.position(),
        logits: Logits::Last,
    };
    let logits = backend.forward(&step)?;
    Ok(logits.iter().map(|logit| logit.to_bits()).collect())
}

#[test]
fn a_step_that_failed_late_is_as_if_it_had_not_been_or_everything_is_forgotten() {
    let bytes = poisoned();
    let gguf = Gguf::read(&bytes).expect("a GGUF file");
    let model = Model::read(&gguf).expect("a model");
    let (before, after) = (ids(100), [9, 8, 20]);
    let whole = [&before[..], &after].concat();
    let expected = read(&mut backend(&model), &whole).expect("numbers");
    let mut outcomes = Vec::new();
    for failed in [1, 16, 17, 150, 240, 250, 260, 400, 1000] {
        let mut backend = backend(&model);
        read(&mut backend, &before).expect("numbers");
        let mut tokens = ids(failed);
        tokens[failed - 1] = POISON;
        let error = read(&mut backend, &tokens).expect_err("not a number");
        assert!(
            matches!(&error, BackendError::NonFinite { checkpoint, token, .. }
                if checkpoint == "token_embd" && *token == 100 + failed - 1),
            "{failed}: {error}"
        );
        let kept = backend.position();
        assert!(kept == 0 || kept == 100, "{failed}: {kept}");
        outcomes.push(kept);
        let found = read(&mut backend, &whole[kept..]).expect("numbers");
        assert!(found == expected, "{failed} tokens failed: other bits");
        // The same after going back to the start.
        backend.reset();
        let found = read(&mut backend, &whole).expect("numbers");
        assert!(
            found == expected,
            "{failed} tokens failed, reset: other bits"
        );
    }
    // Nothing is forgotten without need, and what was overwritten is not kept.
    assert_eq!(outcomes[..4], [100; 4]);
    assert_eq!(outcomes[7..], [0; 2]);
}

#[test]
fn what_a_longer_text_overwrote_is_not_gone_back_to_in_two_steps() {
    let bytes = poisoned();
    let gguf = Gguf::read(&bytes).expect("a GGUF file");
    let model = Model::read(&gguf).expect("a model");
    let (text, after) = (ids(1000), [9, 8, 20]);
    for (first, second) in [(990, 980), (900, 700), (800, 600), (990, 760), (760, 759)] {
        let mut backend = backend(&model);
        read(&mut backend, &text).expect("numbers");
        if !(backend.rewind(first) && backend.rewind(second)) {
            continue;
        }
        let expected = read(
            &mut self::backend(&model),
            &[&text[..second], &after].concat(),
        );
        let found = read(&mut backend, &after).expect("numbers");
        assert!(
            found == expected.expect("numbers"),
            "back to {first}, then to {second}: other bits"
        );
    }
    let mut backend = backend(&model);
    read(&mut backend, &text).expect("numbers");
    assert!(
        backend.rewind(990) && backend.rewind(980),
        "so little is held"
    );
    assert!(!backend.rewind(500), "the ring holds 256");
}

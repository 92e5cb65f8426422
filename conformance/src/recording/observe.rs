//! A recording made through the engine's observer.

use super::{Provenance, Recording, Selection, Tensor};
use fidelis_engine::backend::offload::OffloadBackend;
use fidelis_engine::backend::{Backend, BackendError, CpuBackend, Logits, Observer, Step};
use std::collections::BTreeMap;

/// Something that runs a model step by step and shows its checkpoints: a back end, or a plug-in behind one.
pub trait Runs {
    /// Reads the tokens of a step.
    ///
    /// # Errors
    ///
    /// What the back end says.
    fn run(&mut self, step: &Step<'_>, observer: &mut dyn Observer) -> Result<(), BackendError>;
}

impl Runs for CpuBackend<'_> {
    fn run(&mut self, step: &Step<'_>, observer: &mut dyn Observer) -> Result<(), BackendError> {
        self.forward_observed(step, observer).map(|_| ())
    }
}

impl Runs for OffloadBackend<'_> {
    fn run(&mut self, step: &Step<'_>, observer: &mut dyn Observer) -> Result<(), BackendError> {
        // Scores and probabilities stay on a device.
        self.forward_observed(step, &mut Shown(observer))
            .map(|_| ())
    }
}

/// All but what devices never show.
struct Shown<'o>(&'o mut dyn Observer);

impl Observer for Shown<'_> {
    fn wants(&self, name: &str) -> bool {
        !name.ends_with("attn_scores") && !name.ends_with("attn_probs") && self.0.wants(name)
    }

    fn saw(&mut self, name: &str, shape: &[usize], values: &[f64]) {
        self.0.saw(name, shape, values);
    }
}

/// Keeps what is selected; steps and their batches follow each other.
pub struct Recorder<'s> {
    selection: &'s Selection,
    rows: BTreeMap<String, Tensor>,
    /// Pieces of scores and probabilities, one for each batch.
    squares: BTreeMap<String, Vec<Tensor>>,
}

impl<'s> Recorder<'s> {
    /// A recorder that has seen nothing.
    pub fn new(selection: &'s Selection) -> Self {
        Self {
            selection,
            rows: BTreeMap::new(),
            squares: BTreeMap::new(),
        }
    }

    /// The tensors of `tokens` tokens.
    fn finish(self, tokens: usize) -> BTreeMap<String, Tensor> {
        let mut all = self.rows;
        for (name, pieces) in self.squares {
            let heads = pieces.first().map_or(0, |piece| piece.shape[0]);
            let mut values = Vec::with_capacity(heads * tokens * tokens);
            for head in 0..heads {
                for piece in &pieces {
                    let (rows, width) = (piece.shape[1], piece.shape[2]);
                    for row in 0..rows {
                        let start = (head * rows + row) * width;
                        values.extend_from_slice(&piece.values[start..start + width]);
                        // Later positions are not seen.
                        values.resize(values.len() + tokens - width, 0.0);
                    }
                }
            }
            let tensor = Tensor {
                shape: vec![heads, tokens, tokens],
                first: 0,
                values,
            };
            all.insert(name, tensor);
        }
        if let Some(wanted) = &self.selection.positions {
            let until = wanted.end().saturating_add(1).min(tokens);
            let from = (*wanted.start()).min(until);
            for tensor in all.values_mut().filter(|tensor| tensor.shape.len() == 2) {
                let width = tensor.width();
                tensor.values.truncate(until * width);
                tensor.values.drain(..from * width);
                tensor.first = from;
                tensor.shape[0] = until - from;
            }
        }
        all
    }
}

impl Observer for Recorder<'_> {
    fn wants(&self, name: &str) -> bool {
        self.selection.wants(name)
    }

    fn saw(&mut self, name: &str, shape: &[usize], values: &[f64]) {
        if let &[heads, rows, positions] = shape {
            let piece = Tensor {
                shape: vec![heads, rows, positions],
                first: 0,
                values: values.to_vec(),
            };
            self.squares.entry(name.to_owned()).or_default().push(piece);
            return;
        }
        let width = shape.last().copied().unwrap_or(1);
        let tensor = self.rows.entry(name.to_owned()).or_insert(Tensor {
            shape: vec![0, width],
            first: 0,
            values: vec![],
        });
        tensor.values.extend_from_slice(values);
        tensor.shape[0] += values.len() / width.max(1);
    }
}

/// Reads `tokens` in steps of so many, and records what is selected.
///
/// # Errors
///
/// What the back end says.
///
/// # Panics
///
/// If the steps do not add up to the tokens.
pub fn record(
    runs: &mut dyn Runs,
    tokens: &[u32],
    steps: &[usize],
    selection: &Selection,
    provenance: Provenance,
) -> Result<Recording, BackendError> {
    assert_eq!(steps.iter().sum::<usize>(), tokens.len(), "{steps:?}");
    let mut recorder = Recorder::new(selection);
    let mut position = 0;
    for &count in steps {
        let step = Step {
            tokens: &tokens[position..position + count],
            position,
            logits: Logits::All,
        };
        runs.run(&step, &mut recorder)?;
        position += count;
    }
    Ok(Recording {
        tokens: tokens.to_vec(),
        steps: steps.to_vec(),
        tensors: recorder.finish(tokens.len()),
        provenance,
    })
}

//! A comparison as text, as JSON and as one HTML file.

mod html;
mod json;
mod text;

use crate::claims::Judged;
use crate::compare::{Drift, Operation, PromptReport, Verdict, compare_prompt, drift, operations};
use crate::fault::{Diagnosis, diagnose};
use crate::metric::MetricError;
use crate::precision::Precision;
use crate::recording::{Provenance, Recording};
use crate::reference::{Reference, Site, evaluate};

/// How many of the likeliest ids are shown side by side.
const TOP: usize = 10;

/// A comparison of two runs on all prompts.
#[derive(Clone, Debug)]
pub struct Report {
    /// The model's name.
    pub model: String,
    /// What the truth is.
    pub reference: Provenance,
    /// What is compared with it.
    pub candidate: Provenance,
    /// Prompt by prompt.
    pub prompts: Vec<Case>,
}

/// One prompt of a comparison.
#[derive(Clone, Debug)]
pub struct Case {
    /// The text, or the ids as text.
    pub prompt: String,
    /// The ids.
    pub tokens: Vec<u32>,
    /// Each side on its own outputs: the logits; `None` if the candidate has none.
    pub logits: Option<Result<PromptReport, MetricError>>,
    /// Each side on its own outputs: every checkpoint.
    pub drift: Vec<Drift>,
    /// Every operation on the candidate's own inputs.
    pub operations: Vec<Operation>,
    /// What is wrong.
    pub diagnoses: Vec<Diagnosis>,
    /// The likeliest ids after the last token with their logits: the reference's and the candidate's.
    pub top: [Vec<(usize, f64)>; 2],
    /// Tensors of the candidate that are no checkpoints.
    pub ignored: Vec<String>,
}

impl Case {
    /// Compares a run with the truth.
    pub fn new(
        reference: &Reference<'_, '_>,
        prompt: String,
        truth: &Recording,
        found: &Recording,
        ignored: Vec<String>,
    ) -> Self {
        let precision = Precision::of(&found.provenance);
        let operations = operations(reference, found, &precision);
        let diagnoses = diagnose(reference, found, &precision, &operations);
        let logits = found.tensors.get("logits").and_then(|found_logits| {
            let truth_logits = truth.tensors.get("logits")?;
            let width = found_logits.width();
            let first = found_logits.first;
            let rows = truth_logits.values.get(first * width..)?;
            let bounds = logit_bounds(reference, found, &precision)?;
            let tokens = found.tokens.get(first..)?;
            Some(compare_prompt(tokens, rows, &found_logits.values, &bounds))
        });
        let top = [truth, found].map(|run| {
            let logits = run.tensors.get("logits");
            logits.map_or(vec![], |logits| {
                let last = logits.values.len() - logits.width();
                best(&logits.values[last..])
            })
        });
        Self {
            prompt,
            tokens: found.tokens.clone(),
            logits,
            drift: drift(reference, truth, found),
            operations,
            diagnoses,
            top,
            ignored,
        }
    }

    /// What single numbers showed.
    pub fn of_claims(
        prompt: String,
        tokens: Vec<u32>,
        judged: Judged,
        ignored: Vec<String>,
    ) -> Self {
        Self {
            prompt,
            tokens,
            logits: None,
            drift: vec![],
            operations: judged.operations,
            diagnoses: judged.diagnoses,
            top: [vec![], vec![]],
            ignored,
        }
    }

    /// Whether the runs agree on this prompt.
    pub fn verdict(&self) -> Verdict {
        match (&self.logits, Verdict::of(&self.operations)) {
            // Logits that are not finite, or of another shape, agree with nothing.
            (Some(Err(_)), _) => Verdict::Diverge,
            (_, verdict) => verdict,
        }
    }
}

impl Report {
    /// Whether the runs agree: on every prompt, and there is one.
    pub fn verdict(&self) -> Verdict {
        let all: Vec<Verdict> = self.prompts.iter().map(Case::verdict).collect();
        if all.contains(&Verdict::Diverge) {
            Verdict::Diverge
        } else if all.is_empty() || all.contains(&Verdict::Nothing) {
            Verdict::Nothing
        } else {
            Verdict::Agree
        }
    }
}

/// The bound of the last operation alone, for every logit.
fn logit_bounds(
    reference: &Reference<'_, '_>,
    found: &Recording,
    precision: &Precision,
) -> Option<Vec<f64>> {
    let position = reference.position("logits")?;
    let evaluation = evaluate(reference, found, position, None, None)?;
    let site = Site {
        reference,
        node: &reference.nodes[position],
        tokens: &found.tokens,
        steps: &found.steps,
        rows: evaluation.rows.clone(),
        recorded: &found.tensors,
        computed: &evaluation.computed,
        found: None,
    };
    precision.bounds(&site, &evaluation.tensor.values)
}

/// The likeliest ids, best first; ties go to the lower id.
fn best(row: &[f64]) -> Vec<(usize, f64)> {
    let mut all: Vec<(usize, f64)> = row.iter().copied().enumerate().collect();
    all.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    all.truncate(TOP);
    all
}

/// What a diagnosis says, in one line.
pub fn sentence(diagnosis: &Diagnosis) -> String {
    let at = &diagnosis.checkpoint;
    match (diagnosis.named, &diagnosis.ambiguous[..]) {
        (Some(fault), _) => format!("{at}: {}", fault.says),
        (None, []) => format!("{at}: wrong, and no known fault fits"),
        (None, several) => {
            let all: Vec<&str> = several.iter().map(|fault| fault.says).collect();
            format!(
                "{at}: one of these, which this recording cannot tell apart: {}",
                all.join("; or ")
            )
        }
    }
}

//! A comparison as JSON.

use super::{Case, Report, sentence};
use crate::compare::{Element, Operation, Verdict};
use crate::fault::Diagnosis;
use serde_json::{Value, json};

impl Report {
    /// One object; what cannot be written as a number is null.
    pub fn to_json(&self) -> Value {
        json!({
            "format": "fidelis-conformance",
            "version": 1,
            "model": self.model,
            "reference": self.reference.to_string(),
            "candidate": self.candidate.to_string(),
            "verdict": match self.verdict() {
                Verdict::Agree => "agree",
                Verdict::Diverge => "diverge",
                Verdict::Nothing => "nothing compared",
            },
            "prompts": self.prompts.iter().map(case).collect::<Vec<Value>>(),
        })
    }
}

fn case(case: &Case) -> Value {
    let logits = match &case.logits {
        None => Value::Null,
        Some(Err(error)) => json!({ "error": error.to_string() }),
        Some(Ok(l)) => json!({
            "largest_error": l.largest_error,
            "mean_error": l.mean_error,
            "largest_over_bound": l.largest_over_bound,
            "mean_over_bound": l.mean_over_bound,
            "mean_kl": l.mean_kl,
            "largest_kl": l.largest_kl,
            "top_1": l.top[0],
            "top_5": l.top[1],
            "top_10": l.top[2],
            "perplexity": l.perplexity,
            "first_greedy_difference": l.first_difference.map(|(at, reference, candidate)| json!({
                "token": at,
                "reference": reference,
                "candidate": candidate,
            })),
        }),
    };
    json!({
        "prompt": case.prompt,
        "tokens": case.tokens,
        "logits": logits,
        "drift": case.drift.iter().map(|d| json!([d.name, d.relative])).collect::<Vec<Value>>(),
        "operations": case.operations.iter().map(operation).collect::<Vec<Value>>(),
        "diagnoses": case.diagnoses.iter().map(diagnosis).collect::<Vec<Value>>(),
        "ignored": case.ignored,
    })
}

fn operation(operation: &Operation) -> Value {
    let seen = operation.compared.as_ref();
    json!({
        "name": operation.name,
        "through": operation.through,
        "elements": seen.map_or(0, |seen| seen.elements),
        "over": seen.map_or(0, |seen| seen.over),
        "ratio": seen.map(|seen| seen.ratio),
        "relative": seen.map(|seen| seen.relative),
        "worst": seen.map(|seen| element(&seen.worst)),
        "first": seen.and_then(|seen| seen.first.as_ref()).map(element),
    })
}

fn element(e: &Element) -> Value {
    json!({
        "head": e.head,
        "token": e.token,
        "element": e.index,
        "expected": e.expected,
        "found": e.found,
        "bound": e.bound,
    })
}

fn diagnosis(d: &Diagnosis) -> Value {
    json!({
        "checkpoint": d.checkpoint,
        "says": sentence(d),
        "fault": d.named.map(|fault| fault.name),
        "fix": d.named.map(|fault| fault.fix),
        "ambiguous": d.ambiguous.iter().map(|fault| fault.name).collect::<Vec<_>>(),
        "through": d.through,
        "explains": d.explains,
        "pattern": d.pattern,
        "tried": d.fits.iter().take(10).map(|fit| json!([fit.fault.name, fit.residual])).collect::<Vec<_>>(),
    })
}

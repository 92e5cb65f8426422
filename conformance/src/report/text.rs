//! A comparison as text for a terminal.

use super::{Case, Report, sentence};
use crate::compare::Verdict;
use crate::fault::Diagnosis;
use std::fmt::Write;

impl Report {
    /// The table, what is wrong, and the verdict.
    pub fn to_text(&self) -> String {
        let mut out = String::new();
        // Writing to a string cannot fail.
        let _ = self.write(&mut out);
        out
    }

    fn write(&self, out: &mut String) -> std::fmt::Result {
        writeln!(out, "model      {}", self.model)?;
        writeln!(out, "reference  {}", self.reference)?;
        writeln!(out, "candidate  {}", self.candidate)?;
        writeln!(out)?;
        writeln!(
            out,
            "{:24} {:>6} {:>10} {:>10} {:>8} {:>8} {:>9} {:>9} {:>5} {:>5} {:>5} {:>10} {:>10} {:>7} {:>9}",
            "prompt",
            "tokens",
            "max error",
            "mean",
            "max/bnd",
            "mean/bnd",
            "mean KL",
            "max KL",
            "top1",
            "top5",
            "top10",
            "ppl ref",
            "ppl cand",
            "greedy",
            "ops"
        )?;
        for case in &self.prompts {
            line(out, case)?;
        }
        for case in &self.prompts {
            details(out, case)?;
        }
        writeln!(out)?;
        let verdict = match self.verdict() {
            Verdict::Agree => "agree: every operation is within its bound",
            Verdict::Diverge => "DIVERGE",
            Verdict::Nothing => "NOTHING WAS COMPARED",
        };
        writeln!(out, "{verdict}")
    }
}

fn line(out: &mut String, case: &Case) -> std::fmt::Result {
    let compared = case
        .operations
        .iter()
        .filter(|op| op.compared.is_some())
        .count();
    let wrong = case.operations.iter().filter(|op| op.is_wrong()).count();
    let ops = format!("{}/{compared}", compared - wrong);
    let prompt: String = case.prompt.chars().take(24).collect();
    write!(out, "{prompt:24} {:>6} ", case.tokens.len())?;
    match &case.logits {
        Some(Ok(l)) => {
            let greedy = l
                .first_difference
                .map_or("same".to_owned(), |(at, ..)| format!("at {at}"));
            let [reference, candidate] =
                l.perplexity.map_or(["-".to_owned(), "-".to_owned()], |p| {
                    p.map(|p| format!("{p:.3}"))
                });
            let [a, b, c] = l.top.map(|share| format!("{:.0}%", 100.0 * share));
            writeln!(
                out,
                "{:>10.2e} {:>10.2e} {:>8.2} {:>8.3} {:>9.1e} {:>9.1e} {a:>5} {b:>5} {c:>5} {reference:>10} {candidate:>10} {greedy:>7} {ops:>9}",
                l.largest_error,
                l.mean_error,
                l.largest_over_bound,
                l.mean_over_bound,
                l.mean_kl,
                l.largest_kl
            )
        }
        Some(Err(error)) => writeln!(out, "logits: {error}; operations {ops}"),
        None => writeln!(out, "no logits recorded; operations {ops}"),
    }
}

fn details(out: &mut String, case: &Case) -> std::fmt::Result {
    if !case.ignored.is_empty() {
        let shown: Vec<&str> = case.ignored.iter().take(5).map(String::as_str).collect();
        writeln!(
            out,
            "not checkpoints of this model, not compared: {} ({} in all)",
            shown.join(", "),
            case.ignored.len()
        )?;
    }
    let skipped: Vec<&str> = (case.operations.iter())
        .filter(|op| op.compared.is_none())
        .map(|op| &op.name[..])
        .collect();
    if !skipped.is_empty() {
        writeln!(
            out,
            "not compared, their inputs are not recorded for every token: {}",
            skipped.join(", ")
        )?;
    }
    if case.diagnoses.is_empty() {
        return Ok(());
    }
    writeln!(out)?;
    writeln!(out, "{}", case.prompt)?;
    for diagnosis in &case.diagnoses {
        explain(out, case, diagnosis)?;
    }
    Ok(())
}

fn explain(out: &mut String, case: &Case, diagnosis: &Diagnosis) -> std::fmt::Result {
    writeln!(out, "  {}", sentence(diagnosis))?;
    let fixes = diagnosis
        .named
        .into_iter()
        .chain(diagnosis.ambiguous.iter().copied());
    for fault in fixes {
        writeln!(out, "    fix ({}): {}", fault.name, fault.fix)?;
    }
    if !diagnosis.through.is_empty() {
        writeln!(
            out,
            "    the fault is in {} or one of: {} (not recorded)",
            diagnosis.checkpoint,
            diagnosis.through.join(", ")
        )?;
    }
    let operation = case
        .operations
        .iter()
        .find(|op| op.name == diagnosis.checkpoint);
    if let Some(seen) = operation.and_then(|op| op.compared.as_ref()) {
        writeln!(
            out,
            "    relative error {:.2e}, {:.3e} of its bound at worst",
            seen.relative, seen.ratio
        )?;
    }
    for pattern in &diagnosis.pattern {
        writeln!(out, "    {pattern}")?;
    }
    if diagnosis.explains.len() > 1 {
        writeln!(
            out,
            "    explains {} wrong checkpoints, {} to {}",
            diagnosis.explains.len(),
            diagnosis.explains[0],
            diagnosis.explains[diagnosis.explains.len() - 1]
        )?;
    }
    let nearest: Vec<String> = (diagnosis.fits.iter().take(3))
        .map(|fit| format!("{} leaves {:.1e}", fit.fault.name, fit.residual))
        .collect();
    if !nearest.is_empty() {
        writeln!(out, "    tried: {}", nearest.join(", "))?;
    }
    Ok(())
}

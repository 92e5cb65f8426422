//! `fidelis conformance --plugin`: does a plug-in keep the contract?

use crate::output;
use anyhow::Result;
use fidelis_conformance::candidate::Device;
use fidelis_conformance::compare::Verdict;
use fidelis_conformance::plugin::{Found, Proof, prove};
use serde_json::json;
use std::fmt::Write;

/// Proves it and prints what came out.
pub(super) fn execute(device: &Device, as_json: bool) -> Result<Verdict> {
    let proof = prove(device, |_| {})?;
    if as_json {
        output::text(&format!("{}\n", machine(&proof)))?;
    } else {
        output::text(&text(&proof)?)?;
    }
    Ok(if proof.wrong().next().is_some() {
        Verdict::Diverge
    } else if proof.right() == 0 {
        Verdict::Nothing
    } else {
        Verdict::Agree
    })
}

fn text(proof: &Proof) -> Result<String> {
    let mut out = String::new();
    writeln!(
        out,
        "plug-in    {}\ndevice     {}\n",
        proof.plugin, proof.device
    )?;
    writeln!(
        out,
        "{:12}{:>7}{:>14}{:>7}{:>12}{:>15}",
        "", "right", "unsupported", "wrong", "elements", "worst / bound"
    )?;
    let mut groups: Vec<&str> = Vec::new();
    for case in &proof.cases {
        if !groups.contains(&case.group) {
            groups.push(case.group);
        }
    }
    for group in groups {
        let (mut counts, mut compared, mut most) = ([0; 3], 0, 0.0_f64);
        for case in proof.cases.iter().filter(|case| case.group == group) {
            match case.found {
                Found::Right { elements, ratio } => {
                    counts[0] += 1;
                    compared += elements;
                    most = most.max(ratio);
                }
                Found::Unsupported(_) => counts[1] += 1,
                Found::Wrong(_) => counts[2] += 1,
            }
        }
        let [right, unsupported, wrong] = counts;
        writeln!(
            out,
            "{group:12}{right:>7}{unsupported:>14}{wrong:>7}{compared:>12}{most:>15.3}"
        )?;
    }
    writeln!(out)?;
    for case in &proof.cases {
        match &case.found {
            Found::Right { .. } => {}
            Found::Unsupported(says) => {
                writeln!(out, "  unsupported  {}: {}: {says}", case.group, case.what)?;
            }
            Found::Wrong(says) => {
                writeln!(out, "  WRONG        {}: {}: {says}", case.group, case.what)?;
            }
        }
    }
    let wrong = proof.wrong().count();
    if wrong == 0 {
        writeln!(out, "agree: {} cases are right", proof.right())?;
    } else {
        writeln!(
            out,
            "DIVERGE: {wrong} of {} cases are wrong",
            proof.cases.len()
        )?;
    }
    Ok(out)
}

fn machine(proof: &Proof) -> serde_json::Value {
    let cases: Vec<serde_json::Value> = (proof.cases.iter())
        .map(|case| {
            let (found, says, elements, ratio) = match &case.found {
                Found::Right { elements, ratio } => ("right", "", *elements, *ratio),
                Found::Unsupported(says) => ("unsupported", &says[..], 0, 0.0),
                Found::Wrong(says) => ("wrong", &says[..], 0, 0.0),
            };
            json!({
                "group": case.group,
                "what": case.what,
                "found": found,
                "says": says,
                "elements": elements,
                "worst_over_bound": ratio,
            })
        })
        .collect();
    json!({ "version": 1, "plugin": proof.plugin, "device": proof.device, "cases": cases })
}

//! A comparison as one HTML file that needs nothing else.

use super::{Case, Report, sentence};
use crate::compare::{Operation, Verdict};
use std::fmt::Write;

const STYLE: &str = "\
body{font:14px/1.45 system-ui,sans-serif;margin:2em auto;max-width:76em;padding:0 1em;color:#1b1f24;background:#fff}
h1{font-size:1.5em;margin:0 0 .3em}h2{font-size:1.15em;margin:2em 0 .5em;border-top:1px solid #d0d7de;padding-top:1em}h3{font-size:1em;margin:1.4em 0 .4em}
table{border-collapse:collapse;font-variant-numeric:tabular-nums}td,th{padding:.2em .7em;text-align:right;border-bottom:1px solid #eaeef2}
td:first-child,th:first-child{text-align:left;overflow-wrap:anywhere;min-width:9em}.agree{color:#116329}.diverge{color:#a40e26}
.fault{border-left:4px solid #a40e26;background:#fff5f5;padding:.6em 1em;margin:.6em 0}.fault b{font-size:1.05em}
.note{color:#57606a}svg{display:block;max-width:100%;height:auto}svg text{font:11px system-ui,sans-serif;fill:#1b1f24}code{font:12px ui-monospace,monospace}";

impl Report {
    /// The page.
    pub fn to_html(&self) -> String {
        let mut out = String::new();
        // Writing to a string cannot fail.
        let _ = self.page(&mut out);
        out
    }

    fn page(&self, out: &mut String) -> std::fmt::Result {
        let (class, verdict) = match self.verdict() {
            Verdict::Agree => ("agree", "agree"),
            Verdict::Diverge => ("diverge", "diverge"),
            Verdict::Nothing => ("diverge", "nothing was compared"),
        };
        writeln!(
            out,
            "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>{}: {verdict}</title><style>{STYLE}</style></head><body>",
            escaped(&self.model)
        )?;
        writeln!(
            out,
            "<h1>{}: <span class=\"{class}\">{verdict}</span></h1>",
            escaped(&self.model)
        )?;
        writeln!(
            out,
            "<table><tr><td>reference</td><td style=\"text-align:left\">{}</td></tr><tr><td>candidate</td><td style=\"text-align:left\">{}</td></tr></table>",
            escaped(&self.reference.to_string()),
            escaped(&self.candidate.to_string())
        )?;
        self.table(out)?;
        for case in &self.prompts {
            section(out, case)?;
        }
        writeln!(out, "</body></html>")
    }

    fn table(&self, out: &mut String) -> std::fmt::Result {
        writeln!(
            out,
            "<h3>Each side on its own outputs</h3><table><tr><th>prompt</th><th>tokens</th><th>largest error</th><th>mean error</th><th>largest / bound</th><th>mean KL</th><th>top 1</th><th>top 5</th><th>top 10</th><th>perplexity</th><th>greedy</th><th>operations right</th></tr>"
        )?;
        for case in &self.prompts {
            let compared = case
                .operations
                .iter()
                .filter(|op| op.compared.is_some())
                .count();
            let wrong = case.operations.iter().filter(|op| op.is_wrong()).count();
            write!(
                out,
                "<tr><td>{}</td><td>{}</td>",
                escaped(&short(&case.prompt)),
                case.tokens.len()
            )?;
            match &case.logits {
                Some(Ok(l)) => {
                    let perplexity = l
                        .perplexity
                        .map_or("–".to_owned(), |[a, b]| format!("{a:.3} / {b:.3}"));
                    let greedy = l.first_difference.map_or("same".to_owned(), |(at, a, b)| {
                        format!("token {at}: {a} / {b}")
                    });
                    write!(
                        out,
                        "<td>{:.2e}</td><td>{:.2e}</td><td>{:.2}</td><td>{:.1e}</td>",
                        l.largest_error, l.mean_error, l.largest_over_bound, l.mean_kl
                    )?;
                    for share in l.top {
                        write!(out, "<td>{:.0} %</td>", 100.0 * share)?;
                    }
                    write!(out, "<td>{perplexity}</td><td>{greedy}</td>")?;
                }
                Some(Err(error)) => {
                    write!(out, "<td colspan=\"9\" class=\"diverge\">{error}</td>")?;
                }
                None => write!(
                    out,
                    "<td colspan=\"9\" class=\"note\">no logits recorded</td>"
                )?,
            }
            writeln!(out, "<td>{} / {compared}</td></tr>", compared - wrong)?;
        }
        writeln!(out, "</table>")
    }
}

fn section(out: &mut String, case: &Case) -> std::fmt::Result {
    writeln!(out, "<h2>{}</h2>", escaped(&short(&case.prompt)))?;
    for diagnosis in &case.diagnoses {
        writeln!(
            out,
            "<div class=\"fault\"><b>{}</b>",
            escaped(&sentence(diagnosis))
        )?;
        for fault in diagnosis
            .named
            .into_iter()
            .chain(diagnosis.ambiguous.iter().copied())
        {
            writeln!(
                out,
                "<br>Fix (<code>{}</code>): {}",
                fault.name,
                escaped(fault.fix)
            )?;
        }
        if !diagnosis.through.is_empty() {
            writeln!(
                out,
                "<br>Not recorded, so it may be in one of: {}",
                escaped(&diagnosis.through.join(", "))
            )?;
        }
        for pattern in &diagnosis.pattern {
            writeln!(out, "<br><span class=\"note\">{}</span>", escaped(pattern))?;
        }
        writeln!(out, "</div>")?;
    }
    writeln!(
        out,
        "<h3>Every operation on the candidate's own inputs: largest error over its bound</h3>"
    )?;
    heat_map(out, &case.operations)?;
    curves(out, case)?;
    bad_elements(out, &case.operations)?;
    side_by_side(out, case)
}

/// From green (a thousandth of the bound) over yellow (all of it) to red.
fn colour(ratio: f64) -> String {
    if !ratio.is_finite() {
        return "hsl(300 60% 40%)".to_owned();
    }
    let log = libm::log10(ratio.max(1e-6));
    if ratio <= 1.0 {
        let share = (log / 3.0 + 1.0).clamp(0.0, 1.0);
        return format!(
            "hsl({:.0} 55% {:.0}%)",
            150.0 - 60.0 * share,
            78.0 - 14.0 * share
        );
    }
    let share = (log / 6.0).clamp(0.0, 1.0);
    format!(
        "hsl({:.0} 85% {:.0}%)",
        32.0 - 32.0 * share,
        60.0 - 24.0 * share
    )
}

fn heat_map(out: &mut String, operations: &[Operation]) -> std::fmt::Result {
    let mut roles: Vec<&str> = Vec::new();
    for operation in operations {
        if !roles.contains(&&operation.role[..]) {
            roles.push(&operation.role);
        }
    }
    let layers = operations
        .iter()
        .filter_map(|op| op.layer)
        .max()
        .map_or(0, |most| most + 1);
    let (cell, left, top) = (if layers > 20 { 20 } else { 34 }, 120, 18);
    let (width, height) = (
        // The legend may be wider than few layers.
        left + (cell * layers).max(70 * 6) + 10,
        top + 17 * roles.len() + 30,
    );
    writeln!(
        out,
        "<svg viewBox=\"0 0 {width} {height}\" width=\"{width}\" height=\"{height}\" role=\"img\">"
    )?;
    for layer in 0..layers {
        writeln!(
            out,
            "<text x=\"{}\" y=\"12\" text-anchor=\"middle\">{layer}</text>",
            left + cell * layer + cell / 2
        )?;
    }
    for (row, role) in roles.iter().enumerate() {
        let y = top + 17 * row;
        writeln!(
            out,
            "<text x=\"{}\" y=\"{}\" text-anchor=\"end\">{}</text>",
            left - 6,
            y + 12,
            escaped(role)
        )?;
        for operation in operations.iter().filter(|op| op.role == *role) {
            let (x, wide) = match operation.layer {
                Some(layer) => (left + cell * layer, cell - 1),
                // Outside of the layers: as wide as all of them.
                None => (left, (cell * layers.max(1)) - 1),
            };
            let (fill, text) = match &operation.compared {
                Some(seen) => (
                    colour(seen.ratio),
                    format!(
                        "{:.3e} of the bound, relative {:.2e}",
                        seen.ratio, seen.relative
                    ),
                ),
                None => ("#eaeef2".to_owned(), "not compared".to_owned()),
            };
            writeln!(
                out,
                "<rect x=\"{x}\" y=\"{y}\" width=\"{wide}\" height=\"16\" fill=\"{fill}\"><title>{}: {text}</title></rect>",
                escaped(&operation.name)
            )?;
        }
    }
    let y = top + 17 * roles.len() + 8;
    for (i, (ratio, text)) in [
        (1e-3, "0.001"),
        (1e-1, "0.1"),
        (1.0, "1"),
        (1e2, "100"),
        (1e6, "10⁶"),
        (f64::INFINITY, "not finite"),
    ]
    .into_iter()
    .enumerate()
    {
        let x = left + 70 * i;
        writeln!(
            out,
            "<rect x=\"{x}\" y=\"{y}\" width=\"14\" height=\"14\" fill=\"{}\"/><text x=\"{}\" y=\"{}\">{text}</text>",
            colour(ratio),
            x + 18,
            y + 11
        )?;
    }
    writeln!(out, "</svg>")
}

/// Drift and operations' own errors along the order of computation, logarithmic.
fn curves(out: &mut String, case: &Case) -> std::fmt::Result {
    let own: Vec<(f64, f64)> = (case.operations.iter())
        .filter_map(|op| Some((op.position as f64, op.compared.as_ref()?.relative)))
        .collect();
    let drift: Vec<(f64, f64)> = (case.drift.iter())
        .filter_map(|d| {
            let operation = case.operations.iter().find(|op| op.name == d.name)?;
            Some((operation.position as f64, d.relative))
        })
        .collect();
    let most = own
        .iter()
        .chain(&drift)
        .fold(1.0_f64, |most, (x, _)| most.max(*x));
    let (width, height, left) = (900.0, 220.0, 50.0);
    writeln!(
        out,
        "<h3>Relative error along the computation: <span style=\"color:#0969da\">free-running drift</span>, <span style=\"color:#bc4c00\">operation by operation</span></h3>"
    )?;
    writeln!(
        out,
        "<svg viewBox=\"0 0 960 250\" width=\"960\" height=\"250\" role=\"img\">"
    )?;
    let y = |value: f64| {
        let log = if value.is_finite() {
            libm::log10(value.max(1e-18))
        } else {
            2.0
        };
        10.0 + height * (1.0 - (log.clamp(-18.0, 2.0) + 18.0) / 20.0)
    };
    for power in [-18, -15, -12, -9, -6, -3, 0] {
        let at = y(libm::pow(10.0, f64::from(power)));
        writeln!(
            out,
            "<line x1=\"{left}\" x2=\"{}\" y1=\"{at:.1}\" y2=\"{at:.1}\" stroke=\"#eaeef2\"/><text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">1e{power}</text>",
            left + width,
            left - 4.0,
            at + 4.0
        )?;
    }
    for (points, stroke) in [(&drift, "#0969da"), (&own, "#bc4c00")] {
        let path: Vec<String> = (points.iter())
            .map(|&(x, value)| format!("{:.1},{:.1}", left + width * x / most, y(value)))
            .collect();
        writeln!(
            out,
            "<polyline fill=\"none\" stroke=\"{stroke}\" stroke-width=\"1.5\" points=\"{}\"/>",
            path.join(" ")
        )?;
    }
    writeln!(out, "</svg>")
}

fn bad_elements(out: &mut String, operations: &[Operation]) -> std::fmt::Result {
    let wrong: Vec<&Operation> = operations.iter().filter(|op| op.is_wrong()).collect();
    if wrong.is_empty() {
        return writeln!(
            out,
            "<p class=\"agree\">Every element of every operation is within its bound.</p>"
        );
    }
    writeln!(
        out,
        "<h3>First bad element of each wrong operation</h3><table><tr><th>checkpoint</th><th>token</th><th>element</th><th>expected</th><th>found</th><th>bound</th><th>beyond</th><th>relative error</th></tr>"
    )?;
    for operation in wrong.iter().take(40) {
        let Some(seen) = &operation.compared else {
            continue;
        };
        let Some(first) = &seen.first else {
            continue;
        };
        let head = first
            .head
            .map_or(String::new(), |head| format!("head {head}, "));
        writeln!(
            out,
            "<tr><td>{}</td><td>{head}{}</td><td>{}</td><td>{:e}</td><td>{:e}</td><td>{:.1e}</td><td>{} of {}</td><td>{:.2e}</td></tr>",
            escaped(&operation.name),
            first.token,
            first.index,
            first.expected,
            first.found,
            first.bound,
            seen.over,
            seen.elements,
            seen.relative
        )?;
    }
    writeln!(out, "</table>")?;
    if wrong.len() > 40 {
        writeln!(out, "<p class=\"note\">and {} more</p>", wrong.len() - 40)?;
    }
    Ok(())
}

fn side_by_side(out: &mut String, case: &Case) -> std::fmt::Result {
    let [reference, candidate] = &case.top;
    if reference.is_empty() && candidate.is_empty() {
        return Ok(());
    }
    writeln!(
        out,
        "<h3>Likeliest ids after the last token</h3><table><tr><th>rank</th><th>reference</th><th>logit</th><th>candidate</th><th>logit</th></tr>"
    )?;
    for rank in 0..reference.len().max(candidate.len()) {
        write!(out, "<tr><td>{}</td>", rank + 1)?;
        for side in [reference, candidate] {
            match side.get(rank) {
                Some((id, logit)) => write!(out, "<td>{id}</td><td>{logit:.5}</td>")?,
                None => write!(out, "<td>–</td><td>–</td>")?,
            }
        }
        writeln!(out, "</tr>")?;
    }
    writeln!(out, "</table>")
}

fn short(prompt: &str) -> String {
    let mut short: String = prompt.chars().take(60).collect();
    if short.len() < prompt.len() {
        short.push('…');
    }
    short
}

fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            c => out.push(c),
        }
    }
    out
}

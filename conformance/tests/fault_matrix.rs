//! Every fault of the catalogue, put into models of several architectures: it must be found, at the checkpoint where it first shows, and named.
//!
//! A fault is put in by replacing operations of a forward pass in `f64` whose values are rounded to `f32` one by one: the product has no
//! switches for faults. Where it gives the right values all the same it cannot be seen, and that is counted too; every fault shows in some model.

use fidelis_conformance::compare::operations;
use fidelis_conformance::fault::{Family, Fault, catalogue, diagnose};
use fidelis_conformance::precision::Precision;
use fidelis_conformance::reference::{Reference, Site, run};
use fidelis_conformance::tiny::{Kind, Tiny};
use fidelis_engine::gguf::Gguf;
use fidelis_engine::model::Model;
use fidelis_simd::Format;
use rayon::prelude::*;
use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;
use std::sync::Mutex;

/// What became of a fault in a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Outcome {
    /// Its values are the right ones, or it cannot occur.
    Invisible,
    Missed,
    /// Found, but at another checkpoint.
    Elsewhere,
    /// Found where it shows, explained by another fault or none.
    Unnamed,
    /// It is one of several that cannot be told apart.
    Listed,
    Named,
}

/// What precedes the published table.
const INTRODUCTION: &str = "\
# What the kit finds

Every fault of the catalogue (`conformance/src/fault`), put into models by `conformance/tests/fault_matrix.rs`, which writes this page:

- **named**: found at the checkpoint where it first shows, and it alone fits;
- **listed**: found there, and one of several that give the same values in this model;
- **localised**: found there, and not explained;
- **–**: it cannot occur in this model, or gives the right values there;
- empty: not tried there (decoders are tried on quantised models).
";

fn published_at() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("FAULTS.md")
}

const IDS: usize = 24;

fn ids(vocabulary: usize, count: usize) -> Vec<u32> {
    (0..count)
        .map(|i| ((i * 7919 + 13) % vocabulary) as u32)
        .collect()
}

/// Two prompts' worth of calls, and single tokens.
const STEPS: [usize; 4] = [18, 1, 1, 4];

fn case(model: &Model<'_>, fault: &'static Fault, long: bool) -> (Outcome, String) {
    let reference = Reference::new(&model.graph);
    let ids = ids(model.config.vocabulary, if long { 260 } else { IDS });
    let (tokens, steps) = (&ids, if long { &[260][..] } else { &STEPS });
    let first: Mutex<Option<usize>> = Mutex::new(None);
    let replace = |site: &Site<'_, '_>| {
        let wrong = (fault.wrong)(site)?;
        let right = site.right()?;
        let square = |values: &mut dyn Iterator<Item = f64>| -> f64 { values.map(|x| x * x).sum() };
        let error = square(&mut wrong.iter().zip(&right).map(|(w, r)| w - r));
        if error > 1e-18 * square(&mut right.iter().copied()) {
            let at = reference.position(&site.node.name);
            first.lock().expect("no panic").get_or_insert(at?);
        }
        Some(wrong)
    };
    let Some(recording) = run(&reference, tokens, steps, Some(&replace), true) else {
        return (Outcome::Invisible, "cannot be run".to_owned());
    };
    let Some(shows) = *first.lock().expect("no panic") else {
        return (Outcome::Invisible, String::new());
    };
    let all = operations(&reference, &recording, &Precision::SINGLE);
    let wrong: Vec<_> = all.iter().filter(|op| op.is_wrong()).collect();
    let Some(found) = wrong.first() else {
        return (Outcome::Missed, reference.nodes[shows].name.clone());
    };
    if found.position != shows || !fault.may_show(&reference.nodes[shows]) {
        let what = format!("{} for {}", found.name, reference.nodes[shows].name);
        return (Outcome::Elsewhere, what);
    }
    let diagnoses = diagnose(&reference, &recording, &Precision::SINGLE, &all);
    let diagnosis = &diagnoses[0];
    let others: Vec<&str> = diagnosis.ambiguous.iter().map(|fault| fault.name).collect();
    let best: Vec<String> = (diagnosis.fits.iter().take(3))
        .map(|fit| format!("{} {:.1e}", fit.fault.name, fit.residual))
        .collect();
    let what = format!(
        "{}: named {:?}, {others:?}; {best:?}; {} diagnoses",
        diagnosis.checkpoint,
        diagnosis.named.map(|fault| fault.name),
        diagnoses.len()
    );
    if diagnosis.named == Some(fault) {
        return (Outcome::Named, what);
    }
    if diagnosis.ambiguous.contains(&fault) {
        return (Outcome::Listed, what);
    }
    (Outcome::Unnamed, what)
}

/// The models: three committed ones, and for what these do not have, tiny ones.
fn models() -> Vec<(String, Vec<u8>)> {
    let oracle = |name: &str| {
        let path = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("oracle")
            .join(format!("{name}.gguf"));
        (name.to_owned(), std::fs::read(path).expect("committed"))
    };
    let tiny = |kind: Kind| {
        let tiny = Tiny {
            // The root of the width is no short binary number, and there are more layers than a pattern has.
            width: if kind == Kind::Gemma3 { 96 } else { 64 },
            ..Tiny::small(kind)
        };
        (format!("tiny {kind:?}"), tiny.bytes().expect("encoded"))
    };
    let long = Tiny {
        layers: 1,
        kv_heads: 4,
        ..Tiny::small(Kind::Llama)
    };
    let long = ("260 ids".to_owned(), long.bytes().expect("encoded"));
    let blocks = |format: Format| {
        let tiny = Tiny {
            layers: 1,
            ..Tiny::blocks(Kind::Llama, format)
        };
        (format!("tiny {format}"), tiny.bytes().expect("encoded"))
    };
    ["llama-f32", "gemma3-f32", "qwen3-f32"]
        .map(oracle)
        .into_iter()
        .chain([Kind::Gemma3, Kind::Gemma2, Kind::Qwen2, Kind::Llama3].map(tiny))
        .chain([long])
        .chain(
            [
                Format::Q4_K,
                Format::Q6_K,
                Format::Q8_0,
                Format::Q5_0,
                Format::Q4_0,
                Format::F16,
                Format::BF16,
            ]
            .map(blocks),
        )
        .collect()
}

/// Outcomes by family and fault, then by model.
type Rows<'r> = BTreeMap<(String, &'r str), BTreeMap<usize, Outcome>>;

/// The table of `FAULTS.md`: quantised models, in which decoders alone are tried, share a column.
fn published(files: &[(String, Vec<u8>)], rows: &Rows<'_>) -> String {
    let head: Vec<&str> = files[..8].iter().map(|(name, _)| &name[..]).collect();
    let mut table = format!(
        "| fault | {} | quantised |\n|---|{}",
        head.join(" | "),
        "---|".repeat(9)
    );
    for ((_, name), row) in rows {
        let text = |outcome: Option<&Outcome>| match outcome {
            None => "",
            Some(Outcome::Invisible) => "–",
            Some(Outcome::Missed) => "missed",
            Some(Outcome::Elsewhere) => "elsewhere",
            Some(Outcome::Unnamed) => "localised",
            Some(Outcome::Listed) => "listed",
            Some(Outcome::Named) => "named",
        };
        let own = (0..8).map(|model| text(row.get(&model)));
        let worst = (8..files.len()).filter_map(|model| row.get(&model));
        let quantised = worst
            .filter(|outcome| **outcome != Outcome::Invisible)
            .min();
        let cells: Vec<&str> = own.chain([text(quantised)]).collect();
        table += &format!("\n| {name} | {} |", cells.join(" | "));
    }
    table
}

#[test]
fn every_fault_that_shows_is_found_localised_and_named() {
    let files = models();
    let ggufs: Vec<Gguf<'_>> = (files.iter())
        .map(|(_, bytes)| Gguf::read(bytes).expect("GGUF"))
        .collect();
    let models: Vec<Model<'_>> = (ggufs.iter())
        .map(|gguf| Model::read(gguf).expect("a model"))
        .collect();
    let only = std::env::var("FIDELIS_FAULT").ok();
    let faults: Vec<&'static Fault> = catalogue()
        .filter(|fault| {
            only.as_ref()
                .is_none_or(|only| fault.name.contains(only.as_str()))
        })
        .collect();
    let pairs: Vec<(usize, &'static Fault)> = (0..models.len())
        .flat_map(|model| {
            // Quantised models are for decoders alone, the one with many ids for what needs them, or as many key heads as query heads.
            let special = ["decode-attention-limit", "qk-swapped"];
            (faults.iter())
                .filter(move |fault| match model {
                    ..7 => fault.family != Family::Decoding,
                    7 => special.contains(&fault.name),
                    _ => fault.family == Family::Decoding,
                })
                .map(move |fault| (model, *fault))
        })
        .collect();
    let outcomes: Vec<(usize, &'static Fault, Outcome, String)> = pairs
        .into_par_iter()
        .map(|(model, fault)| {
            let (outcome, what) = case(&models[model], fault, model == 7);
            (model, fault, outcome, what)
        })
        .collect();
    let mut rows: Rows<'_> = BTreeMap::new();
    for (model, fault, outcome, what) in &outcomes {
        let row = rows
            .entry((fault.family.to_string(), fault.name))
            .or_default();
        row.insert(*model, *outcome);
        if !matches!(outcome, Outcome::Named | Outcome::Invisible) {
            println!("{outcome:?}: {} in {}: {what}", fault.name, files[*model].0);
        }
    }
    let table = published(&files, &rows);
    println!("{table}");
    let count = |wanted: &[Outcome]| {
        outcomes
            .iter()
            .filter(|(_, _, o, _)| wanted.contains(o))
            .count()
    };
    let visible = outcomes.len() - count(&[Outcome::Invisible]);
    let said = format!(
        "{} faults, {} cases: {} invisible, {visible} visible; of these {} found, {} localised, {} named, {} listed among several",
        faults.len(),
        outcomes.len(),
        count(&[Outcome::Invisible]),
        visible - count(&[Outcome::Missed]),
        count(&[Outcome::Unnamed, Outcome::Listed, Outcome::Named]),
        count(&[Outcome::Named]),
        count(&[Outcome::Listed]),
    );
    // Past the test's capture: these counts are what it is for.
    writeln!(std::io::stderr(), "{said}").expect("stderr");
    if std::env::var_os("FIDELIS_PUBLISH").is_some() {
        let text = format!("{INTRODUCTION}\n{said}.\n\n{table}\n");
        std::fs::write(published_at(), text).expect("the table can be written");
    }
    if only.is_none() {
        let page = std::fs::read_to_string(published_at()).expect("FAULTS.md is committed");
        assert!(
            page.contains(&table) && page.contains(&said),
            "FAULTS.md shows another table; look at what changed, then set FIDELIS_PUBLISH=1"
        );
    }
    assert_eq!(
        count(&[Outcome::Missed, Outcome::Elsewhere]),
        0,
        "a visible fault must be found where it shows"
    );
    assert!(
        20 * count(&[Outcome::Named]) >= 19 * visible,
        "95 % must be named"
    );
    for ((_, name), row) in &rows {
        assert!(
            row.values().any(|outcome| *outcome > Outcome::Invisible),
            "{name} shows nowhere"
        );
    }
}

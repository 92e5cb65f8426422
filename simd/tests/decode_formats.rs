//! Every format decodes to exactly the values that the `gguf` Python package gives.
//!
//! `data/quants.safetensors` holds, for every format, random blocks (`NAME.blocks`, bytes) and what
//! that package decodes them to (`NAME.values`, `f32`). Only the sign of a zero is free: where both
//! a scale and a minimum are −0, it depends on whether a minimum of nothing is subtracted.

use fidelis_simd::dense::Dequantise;
use fidelis_simd::{Format, Level};
use safetensors::SafeTensors;

const BYTES: &[u8] = include_bytes!("data/quants.safetensors");

/// Blocks of a format and their values.
struct Case<'a> {
    format: Format,
    blocks: &'a [u8],
    values: Vec<f32>,
}

fn cases() -> Vec<Case<'static>> {
    let file = SafeTensors::deserialize(BYTES).expect("the file is whole");
    let tensor = |name: String| {
        file.tensor(&name)
            .expect("the format is in the file")
            .data()
    };
    let stored = Format::ALL.iter().filter(|&&format| format != Format::F32);
    stored
        .map(|&format| Case {
            format,
            blocks: tensor(format!("{format}.blocks")),
            values: tensor(format!("{format}.values"))
                .as_chunks()
                .0
                .iter()
                .map(|bytes| f32::from_le_bytes(*bytes))
                .collect(),
        })
        .collect()
}

/// The first value that is not the other's, any NaN being like any other.
fn first_difference(found: &[f32], expected: &[f32]) -> Option<usize> {
    assert_eq!(found.len(), expected.len());
    assert!(!expected.is_empty(), "an empty comparison proves nothing");
    found
        .iter()
        .zip(expected)
        .position(|(x, y)| x != y && !(x.is_nan() && y.is_nan()))
}

#[test]
fn every_format_decodes_to_the_reference() {
    for Case {
        format,
        blocks,
        values,
    } in cases()
    {
        for level in Level::available() {
            let mut found = vec![f32::NAN; values.len()];
            Dequantise {
                format,
                row: blocks,
                out: &mut found,
            }
            .on(level);
            if let Some(i) = first_difference(&found, &values) {
                panic!(
                    "{format} on {level:?}: value {i} is {}, expected {}",
                    found[i], values[i]
                );
            }
        }
    }
}

#[test]
fn a_flipped_sign_is_a_difference() {
    let case = &cases()[0];
    let mut other = case.values.clone();
    let last = other.len() - 1;
    other[last] = -other[last];
    assert_eq!(first_difference(&other, &case.values), Some(last));
}

#[test]
fn the_oracle_covers_the_ends_of_every_byte() {
    // A format whose blocks never reach a code would leave that code untested.
    for case in cases() {
        let mut seen = [false; 256];
        for &byte in case.blocks {
            seen[usize::from(byte)] = true;
        }
        let missing = seen.iter().filter(|&&seen| !seen).count();
        assert!(missing < 32, "{}: {missing} byte values", case.format);
    }
}

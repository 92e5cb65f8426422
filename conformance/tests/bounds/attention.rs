//! Attention over remembered keys and values.

use crate::inputs::{KINDS, Kind, Source, wide};
use crate::report::Report;
use fidelis_conformance::bound::{Attention, Remembered};
use fidelis_simd::attend::{Attend, AttendScratch, CHUNK, CacheFormat, Column, KeyValues};
use fidelis_simd::{Level, Real};

/// Keys and values of a head, and queries, of a kind; moderate enough for a softmax that is not one position alone.
struct Head {
    keys: Vec<Vec<f32>>,
    values: Vec<Vec<f32>>,
    query: Vec<f32>,
    scale: f32,
}

fn head(kind: Kind, width: usize, positions: usize, source: &mut Source) -> Head {
    let mut rows =
        |kind| -> Vec<Vec<f32>> { (0..positions).map(|_| source.values(kind, width)).collect() };
    // Halves reach to 65504 only, and half steps are large: the scale makes scores of some units of them.
    let keys = rows(match kind {
        Kind::WideRange => Kind::Normal,
        kind => kind,
    });
    let values = rows(match kind {
        Kind::WideRange => Kind::Outlier,
        kind => kind,
    });
    let query = source.values(Kind::Normal, width);
    let scale = match kind {
        Kind::HalfSteps => 1e-4,
        Kind::Outlier => 1e-3,
        _ => 1.0 / (width as f32).sqrt(),
    };
    Head {
        keys,
        values,
        query,
        scale,
    }
}

fn attend<R: Real>(head: &Head, format: CacheFormat, cap: Option<f32>) -> Vec<R> {
    let (width, positions) = (head.query.len(), head.keys.len().next_multiple_of(CHUNK));
    let block_bytes = format.key_block_bytes(width);
    let row_bytes = format.value_bytes(width);
    let mut keys = vec![0; positions / 16 * block_bytes];
    let mut values = vec![0; positions * row_bytes];
    for (p, (key, value)) in head.keys.iter().zip(&head.values).enumerate() {
        format.write_key(
            &mut keys[p / 16 * block_bytes..][..block_bytes],
            p % 16,
            key,
        );
        format.write_value(&mut values[p * row_bytes..][..row_bytes], value);
    }
    let query: Vec<R> = head.query.iter().map(|&x| R::exactly(x)).collect();
    let mut out = vec![R::default(); width];
    Attend {
        cache: KeyValues {
            format,
            key_width: width,
            value_width: width,
            positions,
            keys: &keys,
            values: &values,
        },
        scale: R::exactly(head.scale),
        soft_cap: cap.map(R::exactly),
        columns: &mut [Column {
            query: &query,
            sees: 0..head.keys.len(),
            out: &mut out,
        }],
        scratch: &mut AttendScratch::default(),
    }
    .on(Level::best());
    out
}

#[test]
fn attention_is_within_its_bounds() {
    let mut report = Report::default();
    let mut source = Source::new(4);
    for kind in KINDS {
        for positions in [1, 2, 17, 128, 129, 300] {
            for cap in [None, Some(50.0)] {
                let head = head(kind, 32, positions, &mut source);
                let widened =
                    |rows: &[Vec<f32>]| rows.iter().map(|row| wide(row)).collect::<Vec<_>>();
                let (query, keys, values) = (
                    wide(&head.query),
                    widened(&head.keys),
                    widened(&head.values),
                );
                let truth = attend::<f64>(&head, CacheFormat::F64, cap);
                let all = values.iter().flatten();
                let largest = all.fold(0.0_f64, |most, x| most.max(x.abs()));
                for (format, remembered) in [
                    (CacheFormat::F32, Remembered::Single),
                    (CacheFormat::F16, Remembered::Half),
                    (CacheFormat::Q8_0, Remembered::Byte),
                ] {
                    let exact = Attention {
                        query: &query,
                        keys: &keys,
                        values: &values,
                        scale: head.scale.into(),
                        cap: cap.map(f64::from),
                        remembered,
                    };
                    let found = attend::<f32>(&head, format, cap);
                    for ((&found, &truth), (again, bound)) in
                        found.iter().zip(&truth).zip(exact.output())
                    {
                        assert!(
                            (truth - again).abs() <= 1e-12 * largest,
                            "{kind:?}: {truth} is {again} by the formula"
                        );
                        let name = format!("attention {format}");
                        // A score so uncertain that any weight is possible bounds nothing.
                        if bound.is_finite() {
                            report.see(&name, kind, found.into(), truth, bound);
                        } else {
                            report.pass(&name, kind);
                        }
                    }
                }
            }
        }
    }
    report.finish();
}

#[test]
fn attention_that_sees_another_position_is_beyond_its_bound() {
    let mut source = Source::new(6);
    let head = head(Kind::Normal, 32, 20, &mut source);
    let widened = |rows: &[Vec<f32>]| rows.iter().map(|row| wide(row)).collect::<Vec<_>>();
    let (query, keys, values) = (
        wide(&head.query),
        widened(&head.keys),
        widened(&head.values),
    );
    let over = |from: usize, to: usize| {
        let attention = Attention {
            query: &query,
            keys: &keys[from..to],
            values: &values[from..to],
            scale: head.scale.into(),
            cap: None,
            remembered: Remembered::Half,
        };
        attention.output()
    };
    let right = over(0, 20);
    for wrong in [over(0, 19), over(1, 20)] {
        let beyond = right.iter().zip(&wrong);
        let beyond = beyond.filter(|((truth, bound), (found, _))| (truth - found).abs() > *bound);
        assert!(
            beyond.count() > 16,
            "one position more or less hides in the bound"
        );
    }
}

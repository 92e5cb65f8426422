//! An operation on a weight that is read another way.

use crate::bound::Weights;
use crate::reference::Site;
use crate::reference::rows::product as multiplied;
use fidelis_engine::graph::Op;
use fidelis_engine::tensor::Tensor as Weight;

/// The operation on a weight whose rows are read by `decode`, which gives nothing for formats that it is not about.
pub(super) fn read_as(
    site: &Site<'_, '_>,
    decode: impl Fn(&Weight<'_>, &[u8]) -> Option<Vec<f64>>,
) -> Option<Vec<f64>> {
    rows_as(site, |weight, row| decode(weight, weight.row(row)))
}

/// Rows that begin one block late; the last block is followed by the tensor's first.
pub(super) fn read_shifted(site: &Site<'_, '_>) -> Option<Vec<f64>> {
    rows_as(site, |weight, row| {
        (!weight.format.is_float()).then_some(())?;
        let (start, len) = (row * weight.row_bytes(), weight.row_bytes());
        let block = weight.format.block_bytes();
        let bytes: Vec<u8> = (weight.bytes.iter().cycle())
            .skip((start + block) % weight.bytes.len())
            .take(len)
            .copied()
            .collect();
        let width = weight.shape.width();
        Some(Weights::decode(weight.format, &bytes, width).values)
    })
}

fn rows_as(
    site: &Site<'_, '_>,
    row: impl Fn(&Weight<'_>, usize) -> Option<Vec<f64>>,
) -> Option<Vec<f64>> {
    let finite = |values: Vec<f64>| values.iter().all(|x| x.is_finite()).then_some(values);
    match site.op() {
        Op::Embed { table, scale, .. } => {
            let table = site.weight(*table);
            row(table, 0)?;
            finite(site.each(|token| {
                let values = row(table, site.tokens[token] as usize).unwrap_or_default();
                values.iter().map(|x| x * scale).collect()
            })?)
        }
        Op::MatMul {
            input,
            weight,
            first,
            ..
        } => {
            let weight = site.weight(*weight);
            row(weight, *first)?;
            finite(multiplied(site, *input, |j| {
                row(weight, first + j).unwrap_or_default()
            })?)
        }
        _ => None,
    }
}

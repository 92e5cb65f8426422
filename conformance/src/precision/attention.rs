//! How far scores, probabilities and heads may be off.

use super::Precision;
use crate::bound::UNDERFLOW;
use crate::reference::Site;
use fidelis_engine::graph::Attend;

impl Precision {
    /// `Σ q k` term by term, of keys as they are remembered.
    pub(super) fn scores(&self, site: &Site<'_, '_>, attend: &Attend) -> Option<Vec<f64>> {
        let sizes = self.score_sizes(site, attend)?;
        let width = site.reference.graph.caches[attend.cache].key_width as f64;
        let unit = self.unit();
        Some(
            sizes
                .into_iter()
                .map(|(size, moved)| {
                    (width + 2.0) * unit * (size + moved) + moved + width * UNDERFLOW
                })
                .collect(),
        )
    }

    /// `Σ |q k|` of each query and seen position, and by how much remembering the key may move the sum.
    fn score_sizes(&self, site: &Site<'_, '_>, attend: &Attend) -> Option<Vec<(f64, f64)>> {
        let (query, key) = (site.input(attend.query)?, site.input(attend.key)?);
        let cache = &site.reference.graph.caches[attend.cache];
        let (positions, len) = (site.tokens.len(), cache.key_width);
        let moved: Vec<Vec<f64>> = (0..positions)
            .map(|p| {
                let heads = key.row(p).chunks(len);
                heads.flat_map(|k| self.cache.moved(k)).collect()
            })
            .collect();
        let mut out = Vec::with_capacity(attend.heads * site.rows.len() * positions);
        for head in 0..attend.heads {
            let kv = head / (attend.heads / cache.heads) * len;
            for token in site.rows.clone() {
                let q = &query.row(token)[head * len..][..len];
                for position in 0..positions {
                    if position > token {
                        out.push((0.0, 0.0));
                        continue;
                    }
                    let k = &key.row(position)[kv..][..len];
                    let m = &moved[position][kv..][..len];
                    let scale = attend.query_scale.abs();
                    let size: f64 = q.iter().zip(k).map(|(q, k)| (q * k).abs()).sum();
                    let off: f64 = q.iter().zip(m).map(|(q, m)| q.abs() * m).sum();
                    out.push((size * scale, off * scale));
                }
            }
        }
        Some(out)
    }

    /// A probability from exact scores: the exponent's rounding, the exponential's, the sum's.
    pub(super) fn probs(
        &self,
        site: &Site<'_, '_>,
        attend: &Attend,
        right: &[f64],
    ) -> Option<Vec<f64>> {
        let scores = &site.tensor(&attend.scores)?.values;
        let positions = site.tokens.len();
        let unit = self.unit();
        let mut out = Vec::with_capacity(right.len());
        for (p, s) in right.chunks(positions).zip(scores.chunks(positions)) {
            let most = (p.iter().zip(s))
                .filter(|(p, _)| **p > 0.0)
                .fold(0.0_f64, |most, (_, s)| {
                    most.max((s * attend.score_scale).abs())
                });
            let relative = unit * (16.0 * most + positions as f64 + 16.0);
            // Scores moved when they were written down: dp = p (ds − Σ p ds).
            let moved = |s: f64| self.stored.moved(s) * attend.score_scale.abs();
            let mean: f64 = p.iter().zip(s).map(|(p, s)| p * moved(*s)).sum();
            out.extend(p.iter().zip(s).map(|(p, s)| {
                let lost = if *p > 0.0 { 1e-37 } else { 0.0 };
                p * (relative + moved(*s) + mean) + lost
            }));
        }
        Some(out)
    }

    /// `Σ p v` where the kernel forms its own probabilities, chunk by chunk, from the same keys.
    pub(super) fn heads(
        &self,
        site: &Site<'_, '_>,
        attend: &Attend,
        right: &[f64],
    ) -> Option<Vec<f64>> {
        let (value, probs) = (site.input(attend.value)?, site.tensor(&attend.probs)?);
        let cache = &site.reference.graph.caches[attend.cache];
        let (positions, len) = (site.tokens.len(), cache.value_width);
        let sizes = self.score_sizes(site, attend);
        let moved: Vec<Vec<f64>> = (0..positions)
            .map(|p| {
                let heads = value.row(p).chunks(len);
                heads.flat_map(|v| self.cache.moved(v)).collect()
            })
            .collect();
        let unit = self.unit();
        // Devices may add all positions up in a row.
        let terms = if self.device.is_some() {
            positions
        } else {
            positions.min(128)
        };
        let mut out = Vec::with_capacity(right.len());
        for (at, token) in site.rows.clone().enumerate() {
            for head in 0..attend.heads {
                let kv = head / (attend.heads / cache.heads) * len;
                let start = (head * positions + token) * positions;
                let row = &probs.values[start..start + positions];
                let square = (head * site.rows.len() + at) * positions;
                // Two computations of a score differ by twice its error.
                let largest = (0..positions)
                    .filter(|&p| row[p] > 0.0)
                    .fold(0.0, |most, p| {
                        let size = sizes.as_ref().map_or(8.0, |sizes| sizes[square + p].0);
                        f64::max(most, size)
                    });
                let error =
                    2.0 * (cache.key_width as f64 + 8.0) * unit * largest * attend.score_scale;
                let eta = libm::expm1(error + 64.0 * unit);
                let y = &right[(at * attend.heads + head) * len..][..len];
                out.extend((0..len).map(|d| {
                    let seen = (0..positions).filter(|&p| row[p] != 0.0);
                    let mut sum = 0.0;
                    for p in seen {
                        let (v, m) = (value.row(p)[kv + d], moved[p][kv + d]);
                        sum += row[p].abs()
                            * ((v - y[d]).abs() * 2.0 * eta
                                + m * (1.0 + 2.0 * eta)
                                + (terms as f64 + 24.0) * unit * (v.abs() + m));
                    }
                    sum + 1e-37
                }));
            }
        }
        Some(out)
    }
}

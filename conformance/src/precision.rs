//! How exactly an engine computes, and from that how far each value of an operation may be off.

mod attention;

use crate::bound::{self, ROUNDING, Remembered, UNDERFLOW, Weights};
use crate::recording::Provenance;
use crate::reference::{Part, Site};
use fidelis_engine::graph::{Activate, Op, Pairing};
use fidelis_simd::Format;

/// How activations enter products with quantised weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operand {
    /// As they are.
    Exact,
    /// As bytes with a scale per 32.
    Bytes,
    /// As bytes with a scale per 256 where weights come in blocks of 256, else per 32: llama.cpp.
    Blocks,
    /// As halves, whatever the weights are: a device.
    Halves,
    /// As two bytes each with a scale per 32, whatever the weights are: a device.
    Words,
}

/// How exactly an engine computes.
#[derive(Clone, Debug, PartialEq)]
pub struct Precision {
    /// Relative error of a rounding over that of an `f32`.
    pub rounding: f64,
    /// How activations enter products with quantised weights.
    pub operand: Operand,
    /// How keys and values are remembered.
    pub cache: Remembered,
    /// Another engine's kernels: sums of other shapes, angles in `f32`.
    pub foreign: bool,
    /// The activation goes through a table of halves: llama.cpp's GELU.
    pub half_gelu: bool,
    /// A device, which adds so many terms in a row, at most; 0: a row's.
    pub device: Option<usize>,
    /// The weights of Gemma's norms are held less 1: transformers.
    pub less_one: bool,
    /// What writing a value down moved it by.
    pub stored: Stored,
}

/// What writing a value down moved it by.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Stored {
    /// Times its magnitude.
    pub relative: f64,
    /// In any case.
    pub absolute: f64,
}

impl Stored {
    /// What [`Provenance::stored`] says; nothing if that is unknown.
    fn of(text: &str) -> Self {
        let relative = match text {
            "f32" => ROUNDING,
            "f16" => 8192.0 * ROUNDING,
            "bf16" => 65536.0 * ROUNDING,
            _ => 0.0,
        };
        let digits = text
            .strip_prefix("decimals ")
            .and_then(|n| n.parse::<u8>().ok());
        Self {
            relative,
            absolute: digits.map_or(0.0, |digits| 0.5 * libm::pow(10.0, -f64::from(digits))),
        }
    }

    /// By how much a value may have moved.
    pub fn moved(self, x: f64) -> f64 {
        self.relative * x.abs() + self.absolute
    }

    /// Whether anything moved.
    pub fn is_exact(self) -> bool {
        self == Self::default()
    }
}

impl Precision {
    /// The tier `f32` with keys and values as they are.
    pub const SINGLE: Self = Self {
        rounding: 1.0,
        operand: Operand::Exact,
        cache: Remembered::Single,
        foreign: false,
        half_gelu: false,
        device: None,
        less_one: false,
        stored: Stored {
            relative: 0.0,
            absolute: 0.0,
        },
    };

    /// What a recording's provenance implies.
    ///
    /// `fidelis` computes as its tiers say. Of llama.cpp and of engines that do not say more, `f32` is assumed; `tier` may be
    /// `f32`, `f16`, `bf16`, `f64` or `quantised`, and `cache` as in `--cache-type-k`.
    pub fn of(provenance: &Provenance) -> Self {
        let foreign = !provenance.engine.starts_with("fidelis");
        let audit = matches!(&provenance.tier[..], "audit" | "f64");
        let cache = match &provenance.cache[..] {
            "f16" if !audit => Remembered::Half,
            "q8_0" if !audit => Remembered::Byte,
            _ => Remembered::Single,
        };
        Self {
            rounding: match &provenance.tier[..] {
                // The reference rounds as often as the engine, and both call functions with an error of some units.
                "audit" | "f64" => 16.0 / (1_u64 << 29) as f64,
                "f16" => 8192.0,
                "bf16" => 65536.0,
                _ => 1.0,
            },
            operand: match &provenance.tier[..] {
                "quantised" => Operand::Blocks,
                tier if tier.contains("inputs f16") => Operand::Halves,
                tier if tier.contains("inputs words") => Operand::Words,
                tier if tier.starts_with("fast") || tier.contains("inputs bytes") => Operand::Bytes,
                _ => Operand::Exact,
            },
            device: provenance
                .tier
                .split_once(", sums of ")
                .and_then(|(_, terms)| terms.parse().ok()),
            cache,
            foreign,
            half_gelu: provenance.engine.starts_with("llama.cpp"),
            less_one: provenance.engine.starts_with("transformers"),
            stored: Stored::of(&provenance.stored),
        }
    }

    /// How far each of a site's values may be off; `None` if an input is missing.
    pub fn bounds(&self, site: &Site<'_, '_>, right: &[f64]) -> Option<Vec<f64>> {
        let bounds = match (site.op(), site.node.part) {
            (Op::Attend(attend), Part::Scores) => self.scores(site, attend),
            (Op::Attend(attend), Part::Probs) => self.probs(site, attend, right),
            (Op::Attend(attend), _) => self.heads(site, attend, right),
            (op, _) => self.rows(site, op, right),
        }?;
        let kernels = if self.foreign { 2.0 } else { 1.0 };
        let written = right.iter().map(|&y| self.stored.moved(y));
        Some(
            bounds
                .into_iter()
                .zip(written)
                .map(|(b, w)| b * kernels + w)
                .collect(),
        )
    }

    fn unit(&self) -> f64 {
        ROUNDING * self.rounding
    }

    fn rows(&self, site: &Site<'_, '_>, op: &Op, right: &[f64]) -> Option<Vec<f64>> {
        let width = site.node.width;
        let each = |bound: &dyn Fn(usize, usize, f64) -> f64| -> Vec<f64> {
            let at = |(i, &y): (usize, &f64)| {
                self.rounding * bound(site.rows.start + i / width, i % width, y)
            };
            right.iter().enumerate().map(at).collect()
        };
        Some(match op {
            Op::Embed { table, scale, .. } => {
                let table = site.weight(*table);
                let sizes: Vec<f64> = (site.rows.clone())
                    .flat_map(|token| {
                        let row = table.row(site.tokens[token] as usize);
                        Weights::decode(table.format, row, width).sizes
                    })
                    .collect();
                let first = site.rows.start;
                // Others round the scale, a root, whatever they compute in.
                let root = if self.foreign && f64::from(*scale as f32) != *scale {
                    ROUNDING
                } else {
                    0.0
                };
                let mut all = each(&|token, i, y| {
                    bound::scaled(y, sizes[(token - first) * width + i], *scale)
                });
                all.iter_mut()
                    .zip(right)
                    .for_each(|(bound, y)| *bound += root * y.abs());
                all
            }
            Op::Norm {
                weight,
                heads,
                input,
                ..
            } => {
                let weight = crate::reference::rows::decoded(site.weight(*weight), 0);
                let len = width / heads;
                // Others add the squares in f32.
                let sum = match self.device {
                    Some(_) => (len as f64 / 2.0 + 8.0) * ROUNDING,
                    None if self.foreign => len as f64 / 8.0 * ROUNDING,
                    None => 0.0,
                };
                site.input(*input)?;
                // And of Gemma some hold weights less 1, as floats, and add it.
                let less_one = self.less_one && site.reference.has_post_norms();
                each(&|_, i, y| {
                    let w = weight[i % len];
                    let moved = if less_one && w != 0.0 {
                        ROUNDING * ((w - 1.0).abs() + w.abs()) * (y / w).abs()
                    } else {
                        0.0
                    };
                    bound::norm(y, w) + sum * y.abs() + moved
                })
            }
            Op::MatMul {
                input,
                weight,
                first,
                ..
            } => {
                let (x, weight) = (site.input(*input)?, site.weight(*weight));
                let mut out = vec![0.0; right.len()];
                for j in 0..width {
                    let row = Weights::decode(weight.format, weight.row(first + j), x.width());
                    for (at, token) in site.rows.clone().enumerate() {
                        out[at * width + j] = self.product(weight.format, &row, x.row(token));
                    }
                }
                out
            }
            Op::Bias { .. } | Op::Add { .. } => each(&|_, _, y| bound::rounded(y)),
            Op::Rope {
                input, heads, rope, ..
            } => {
                let x = site.input(*input)?;
                let rope = &site.reference.graph.ropes[rope.0 as usize];
                let pairs = rope.frequencies.len();
                let len = width / heads;
                each(&|token, i, y| {
                    let (head, at) = (i / len * len, i % len);
                    let Some((pair, other, turned)) = partner(rope.pairing, at, pairs) else {
                        return 0.0;
                    };
                    let (a, b) = (x.row(token)[i], x.row(token)[head + other]);
                    let angle = token as f64 * rope.frequencies[pair];
                    let (s, c) = libm::sincos(angle);
                    let own = if turned {
                        bound::rotation(b * s * rope.magnitude, a * c * rope.magnitude)
                    } else {
                        bound::rotation(a * c * rope.magnitude, b * s * rope.magnitude)
                    };
                    // Others multiply the angles up in f32, pair after pair.
                    let angles = if self.foreign {
                        ROUNDING * (a.abs() + b.abs()) * (angle * (pair as f64 + 4.0) + 4.0)
                    } else {
                        0.0
                    };
                    own + angles + UNDERFLOW * y.abs()
                })
            }
            Op::Gate {
                gate, up, activate, ..
            } => {
                let (gate, up) = (site.input(*gate)?, site.input(*up)?);
                each(&|token, i, y| {
                    let (g, u) = (gate.row(token)[i], up.row(token)[i]);
                    // Others add 1 to a tangent near −1, which cancels.
                    let cancelled = if self.foreign {
                        2.0 * ROUNDING * (g * u).abs()
                    } else {
                        0.0
                    };
                    // WGSL's exponential has an error of 3 + 2 |x| units of f32's last place.
                    let exponential = if self.device.is_some() {
                        match activate {
                            Activate::Silu => ROUNDING * (6.0 + 4.0 * g.abs()) * y.abs(),
                            Activate::GeluTanh => 12.0 * ROUNDING * (g * u).abs(),
                        }
                    } else {
                        0.0
                    };
                    cancelled
                        + exponential
                        + match activate {
                            Activate::Silu => bound::silu_gate(y, g, u),
                            Activate::GeluTanh if self.half_gelu => {
                                // Argument and result are rounded to 11 bits, those below 2⁻¹⁴ to multiples
                                // of 2⁻²⁴; the slope is at most 1.13.
                                let bits = (1.13 * (g * u).abs() + y.abs()) / 2048.0;
                                let multiples = 2.13 * u.abs() / (1_u64 << 25) as f64;
                                bound::gelu_gate(y, g, u) + bits + multiples
                            }
                            Activate::GeluTanh => bound::gelu_gate(y, g, u),
                        }
                })
            }
            Op::SoftCap { cap, .. } => {
                let cap = f64::from(*cap);
                // As above, of a tangent by exponentials.
                let exponential = if self.device.is_some() {
                    12.0 * ROUNDING * cap
                } else {
                    0.0
                };
                each(&|_, _, y| bound::soft_cap(y, cap) + exponential)
            }
            Op::Attend(_) => return None,
        })
    }

    fn product(&self, format: Format, row: &Weights, x: &[f64]) -> f64 {
        let kernels = match self.device {
            None if self.foreign => 2.0,
            None => 1.0,
            // 16 sums have a sixteenth of the terms each, and are joined in four steps.
            Some(terms) => {
                let all = x.len().max(1);
                let row = if terms == 0 { all } else { all.min(terms) };
                2.0 * (row as f64 + 16.0) / (all.div_ceil(16) as f64 + 4.0)
            }
        };
        let summed = bound::product_f32(row, x) * self.rounding * kernels;
        let sizes = || row.values.iter().map(|w| w.abs());
        match self.operand {
            // To 11 bits, and near zero to multiples of 2⁻²⁴.
            Operand::Halves => {
                let moved = |x: f64| x.abs() / 2048.0 + libm::pow(2.0, -25.0);
                let moved: f64 = sizes().zip(x).map(|(w, x)| w * moved(*x)).sum();
                return summed * (1.0 + 1.0 / 2048.0) + moved;
            }
            Operand::Words => {
                let largest = |x: &[f64]| x.iter().fold(0.0_f64, |most, x| most.max(x.abs()));
                let moved: f64 = (row.values.chunks(32).zip(x.chunks(32)))
                    .map(|(w, x)| {
                        0.51 * largest(x) / 32767.0 * w.iter().map(|w| w.abs()).sum::<f64>()
                    })
                    .sum();
                return summed * (1.0 + 1.0 / 32767.0) + moved;
            }
            _ => {}
        }
        if self.operand == Operand::Exact || format.is_float() {
            return summed;
        }
        if self.operand == Operand::Bytes || format.block_len() == 32 {
            return bound::product_fast(row, x);
        }
        let step = |x: &[f64]| x.iter().fold(0.0_f64, |most, x| most.max(x.abs())) / 127.0;
        let moved: f64 = (row.values.chunks(256).zip(x.chunks(256)))
            .map(|(w, x)| 0.51 * step(x) * w.iter().map(|w| w.abs()).sum::<f64>())
            .sum();
        let larger: Vec<f64> = (x.chunks(256))
            .flat_map(|x| x.iter().map(|v| v.abs() + step(x)))
            .collect();
        moved + bound::product_of_bytes(row, &larger)
    }
}

/// Of an element of a head: its pair, the other element, and whether it is the second.
fn partner(pairing: Pairing, at: usize, pairs: usize) -> Option<(usize, usize, bool)> {
    if at >= 2 * pairs {
        return None;
    }
    Some(match pairing {
        Pairing::Interleaved => (at / 2, at ^ 1, at % 2 == 1),
        Pairing::Halves if at < pairs => (at, at + pairs, false),
        Pairing::Halves => (at - pairs, at - pairs, true),
    })
}

//! Rotary positions: which pairs, by which angles, of what.

use super::parts::{fitted, head_minor, turned};
use super::{Family, Fault};
use crate::reference::rows::{turn, turn_by};
use crate::reference::{Part, Site, Wrong, attention};
use fidelis_engine::graph::{Op, Pairing, Rope};

const fn fault(name: &'static str, says: &'static str, fix: &'static str, wrong: Wrong) -> Fault {
    Fault {
        name,
        family: Family::Rope,
        shows: &["*.rope"],
        says,
        fix,
        wrong,
    }
}

pub(super) const FAULTS: &[Fault] = &[
    fault(
        "rope-missing",
        "queries and keys are not rotated (or every position is taken as 0, which is the same)",
        "rotate both by their positions after the projections (and norms)",
        |site| at(site, |_| 0.0),
    ),
    fault(
        "rope-k-missing",
        "keys are not rotated, queries are",
        "rotate both",
        |site| only(site, "attn_k.rope").then(|| at(site, |_| 0.0))?,
    ),
    fault(
        "rope-q-missing",
        "queries are not rotated, keys are",
        "rotate both",
        |site| only(site, "attn_q.rope").then(|| at(site, |_| 0.0))?,
    ),
    fault(
        "rope-mode-swapped",
        "pairs are rotated the other way round: interleaved (NORM) where this architecture uses halves (NEOX), or halves where it uses interleaved",
        "GGUF llama: (2i, 2i+1); Gemma, Qwen, Phi and unpermuted Hugging Face weights: (i, i + n/2)",
        |site| {
            with(site, |rope| {
                Some(Rope {
                    pairing: match rope.pairing {
                        Pairing::Interleaved => Pairing::Halves,
                        Pairing::Halves => Pairing::Interleaved,
                    },
                    ..rope.clone()
                })
            })
        },
    ),
    fault(
        "rope-sign-flipped",
        "pairs are rotated backwards",
        "(a, b) becomes (a cos − b sin, a sin + b cos)",
        |site| at(site, |position| -position),
    ),
    fault(
        "rope-pos-off-by-one",
        "positions are counted from 1 (harmless alone, wrong beside a cache that counts from 0)",
        "the first token is at position 0",
        |site| at(site, |position| position + 1.0),
    ),
    fault(
        "rope-theta-wrong",
        "the base of the angles (theta) is not the file's",
        "read `rope.freq_base`; sliding layers of Gemma 3 have their own",
        |site| {
            let rope = turned(site)?.rope;
            // Another of the graph's own bases has a fault of its own.
            let others = [1e6, 1e4, 5e5, 1e5, 1e3, 1e7];
            let variants = others.iter().filter_map(|&base| {
                let other = based(rope, base)?;
                let same = |known: &Rope| close(known, &other);
                // And so has an angle without its factors.
                let plain = unscaled(rope).is_some_and(|plain| same(&plain));
                (!plain && !site.reference.graph.ropes.iter().any(same)).then_some(())?;
                with(site, |_| Some(other.clone()))
            });
            fitted(site, variants.collect())
        },
    ),
    fault(
        "rope-theta-global-everywhere",
        "sliding layers are rotated with the global layers' angles",
        "sliding layers of Gemma 3 have base 10,000 and no scaling",
        |site| layered(site, |windowed| windowed.then_some(false)),
    ),
    fault(
        "rope-theta-local-everywhere",
        "global layers are rotated with the sliding layers' angles",
        "every sixth layer of Gemma 3 is global and has `rope.freq_base`",
        |site| layered(site, |windowed| (!windowed).then_some(true)),
    ),
    fault(
        "rope-pattern-off-by-one",
        "the pattern of sliding and global layers is off by one: angles are those of a neighbouring layer's kind",
        "layer i is global if i % 6 = 5, counted from 0",
        |site| {
            let layer = site.node.layer()?;
            let graph = site.reference.graph;
            (graph.ropes.len() > 1).then_some(())?;
            let period = graph
                .caches
                .iter()
                .position(|cache| cache.window.is_none())?
                + 1;
            // The pattern as it is if layers were counted from 1.
            let global = (layer + 1) % period == period - 1;
            let windowed = !global;
            (windowed != graph.caches.get(layer)?.window.is_some()).then_some(())?;
            let other = rope_of(site, windowed)?.clone();
            with(site, |_| Some(other.clone()))
        },
    ),
    fault(
        "rope-half-rotated",
        "only half of each head is rotated",
        "rotate `rope.dimension_count` elements of a head",
        |site| {
            with(site, |rope| {
                let pairs = rope.frequencies.len() / 2;
                Some(Rope {
                    frequencies: (0..pairs).map(|i| rope.frequencies[2 * i]).collect(),
                    ..rope.clone()
                })
            })
        },
    ),
    fault(
        "rope-exponent-doubled",
        "the angles fall twice as fast from pair to pair",
        "base^(−2 i / n) for pair i of n / 2",
        |site| {
            with(site, |rope| {
                let first = *rope.frequencies.first()?;
                let squared = rope.frequencies.iter().map(|f| f * f / first);
                Some(Rope {
                    frequencies: squared.collect(),
                    ..rope.clone()
                })
            })
        },
    ),
    fault(
        "rope-factors-ignored",
        "the angles' scaling (rope_freqs, linear or YaRN) is not applied",
        "divide the angles by the file's factors",
        |site| {
            with(site, |rope| {
                let plain = unscaled(rope)?;
                Some(Rope {
                    magnitude: 1.0,
                    ..plain
                })
            })
        },
    ),
    fault(
        "rope-bf16-angles",
        "cosines and sines are rounded to bf16: the error grows with the position",
        "compute angles in f32 or better, and round cosines and sines once",
        |site| {
            let t = turned(site)?;
            let round = |x: f64| {
                let bits = (x as f32).to_bits();
                f64::from(f32::from_bits(
                    (bits + 0x7fff + (bits >> 16 & 1)) & 0xffff_0000,
                ))
            };
            let (pairing, pairs) = (t.rope.pairing, t.rope.frequencies.len());
            site.each(|token| {
                let angle = |pair: usize| {
                    let (s, c) = libm::sincos(token as f64 * t.rope.frequencies[pair]);
                    (round(c * t.rope.magnitude), round(s * t.rope.magnitude))
                };
                turn_by(t.input.row(token), t.heads, pairing, &angle, pairs)
            })
        },
    ),
    fault(
        "rope-head-split",
        "rows are split head-minor ([element][head]) before the rotation",
        "a row is head after head",
        |site| {
            let t = turned(site)?;
            // Where heads are normalised first, that is where the split shows.
            let normed = format!("blk.{}.attn_q.norm", site.node.layer()?);
            (t.heads > 1 && site.reference.node(&normed).is_none()).then_some(())?;
            site.each(|token| {
                let row = head_minor(t.input.row(token), t.heads);
                turn(&row, t.heads, t.rope, token as f64)
            })
        },
    ),
    Fault {
        name: "rope-on-v",
        family: Family::Rope,
        shows: &["*attn_heads"],
        says: "values are rotated too",
        fix: "rotate queries and keys alone",
        wrong: |site| {
            let attend = site.attend(Part::Heads)?;
            let value = site.input(attend.value)?;
            (value.tokens() == (0..site.tokens.len())).then_some(())?;
            let windowed = site.reference.graph.caches[attend.cache].window.is_some();
            let rope = rope_of(site, windowed)?;
            let cache = &site.reference.graph.caches[attend.cache];
            (2 * rope.frequencies.len() <= cache.value_width).then_some(())?;
            let rule = attention::Rule::of(site, attend);
            attention::heads_of(site, attend, &rule, |position, head| {
                let width = cache.value_width;
                let row = &value.row(position)[head * width..][..width];
                turn(row, 1, rope, position as f64)
            })
        },
    },
];

fn only(site: &Site<'_, '_>, role: &str) -> bool {
    site.node.role() == role
}

/// Turned by another position.
fn at(site: &Site<'_, '_>, position: impl Fn(f64) -> f64) -> Option<Vec<f64>> {
    let t = turned(site)?;
    site.each(|token| turn(t.input.row(token), t.heads, t.rope, position(token as f64)))
}

/// Turned by another table.
fn with(site: &Site<'_, '_>, other: impl Fn(&Rope) -> Option<Rope>) -> Option<Vec<f64>> {
    let t = turned(site)?;
    let rope = other(t.rope)?;
    (!close(&rope, t.rope)).then_some(())?;
    site.each(|token| turn(t.input.row(token), t.heads, &rope, token as f64))
}

fn close(a: &Rope, b: &Rope) -> bool {
    let near = |(a, b): (&f64, &f64)| (a - b).abs() <= 1e-9 * b.abs();
    a.pairing == b.pairing
        && a.frequencies.len() == b.frequencies.len()
        && near((&a.magnitude, &b.magnitude))
        && a.frequencies.iter().zip(&b.frequencies).all(near)
}

/// The same pairs with angles of another base.
fn based(rope: &Rope, base: f64) -> Option<Rope> {
    let pairs = rope.frequencies.len();
    let exponent = |pair: usize| -(pair as f64) / pairs as f64;
    (pairs > 0).then(|| Rope {
        frequencies: (0..pairs)
            .map(|pair| libm::pow(base, exponent(pair)))
            .collect(),
        ..rope.clone()
    })
}

/// The nearest table of a usual base, if this one is none.
fn unscaled(rope: &Rope) -> Option<Rope> {
    let bases = [1e4, 5e5, 1e6];
    let all: Vec<Rope> = bases.iter().filter_map(|&base| based(rope, base)).collect();
    if all.iter().any(|plain| close(plain, rope)) {
        return None;
    }
    // Factors divide: the true base is the one that no angle exceeds.
    let fits = |plain: &Rope| {
        let pairs = plain.frequencies.iter().zip(&rope.frequencies);
        pairs.clone().all(|(p, f)| *f <= p * (1.0 + 1e-9))
    };
    (all.into_iter()).filter(fits).min_by(|a, b| {
        let last = |rope: &Rope| rope.frequencies.last().copied().unwrap_or(0.0);
        last(a).total_cmp(&last(b))
    })
}

/// The table of the first layer of a kind.
fn rope_of<'s>(site: &Site<'s, '_>, windowed: bool) -> Option<&'s Rope> {
    let graph = site.reference.graph;
    let layer = (graph.caches.iter()).position(|cache| cache.window.is_some() == windowed)?;
    let node = site.reference.node(&format!("blk.{layer}.attn_q.rope"))?;
    match &graph.ops[node.op] {
        Op::Rope { rope, .. } => Some(&graph.ropes[rope.0 as usize]),
        _ => None,
    }
}

/// Turned by the table of another kind of layer, if `other(windowed)` names one.
fn layered(site: &Site<'_, '_>, other: impl Fn(bool) -> Option<bool>) -> Option<Vec<f64>> {
    let windowed = (site.reference.graph.caches.get(site.node.layer()?)?)
        .window
        .is_some();
    let rope = rope_of(site, other(windowed)?)?.clone();
    with(site, |_| Some(rope.clone()))
}

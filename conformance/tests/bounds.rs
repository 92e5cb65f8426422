//! `fast` and `f32` against `audit`, every operation on the same inputs: the observed error over the bound
//! that `fidelis_conformance::bound` derives from those inputs. It is never above 1; the largest is printed,
//! and a bound that is never used to a hundredth would find nothing.

use fidelis_conformance::bound::{self, Attention, Remembered, Weights};
use fidelis_simd::attend::{Attend, AttendScratch, CHUNK, CacheFormat, Column, KeyValues};
use fidelis_simd::dense::{Dense, DenseScratch, Dequantise};
use fidelis_simd::elementwise::{Curve, Gate, Pairs, RmsNorm, Rotate, Scale, SoftCap, Sum};
use fidelis_simd::encode::encode_row;
use fidelis_simd::fast::Decode;
use fidelis_simd::input::{InputGroup, Quantise};
use fidelis_simd::quant::Layout;
use fidelis_simd::{Format, Level, Real, with_layout};
use rand_core::Rng;
use rand_pcg::Pcg64Mcg;
use std::collections::BTreeMap;

/// Kinds of input.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Normal,
    Positive,
    Cancelling,
    WideRange,
    Denormal,
    Outlier,
    HalfSteps,
}

const KINDS: [Kind; 7] = [
    Kind::Normal,
    Kind::Positive,
    Kind::Cancelling,
    Kind::WideRange,
    Kind::Denormal,
    Kind::Outlier,
    Kind::HalfSteps,
];

struct Source(Pcg64Mcg);

impl Source {
    fn new(seed: u64) -> Self {
        Self(Pcg64Mcg::new(u128::from(seed) << 1 | 1))
    }

    fn unit(&mut self) -> f64 {
        f64::from(self.0.next_u32()) / 4_294_967_296.0
    }

    /// A sum of twelve evens: variance 1.
    fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.unit()).sum::<f64>() - 6.0
    }

    fn values(&mut self, kind: Kind, len: usize) -> Vec<f32> {
        let mut values: Vec<f32> = (0..len)
            .map(|i| match kind {
                Kind::Normal | Kind::Outlier | Kind::Cancelling => self.normal() as f32,
                Kind::Positive => (0.5 + self.unit()) as f32,
                Kind::WideRange => {
                    let exponent = (self.unit() * 40.0) as i32 - 20;
                    self.normal() as f32 * f32::from_bits(((127 + exponent) << 23).cast_unsigned())
                }
                Kind::Denormal => self.normal() as f32 * 1e-39,
                // Halfway between two bytes, but for the one that sets the scale.
                Kind::HalfSteps => match i % 32 {
                    0 => 127.0,
                    _ => (self.unit() * 126.0).floor() as f32 + 0.5,
                },
            })
            .collect();
        if kind == Kind::Outlier {
            let at = self.0.next_u32() as usize % len;
            values[at] = 1000.0;
        }
        values
    }
}

/// What was seen of an operation with a kind of input.
#[derive(Default)]
struct Seen {
    /// The largest share of a bound.
    ratio: f64,
    compared: usize,
    /// Of those, the results that are not zero.
    nonzero: usize,
    /// Without a bound.
    passed: usize,
}

/// By operation and kind of input.
#[derive(Default)]
struct Report(BTreeMap<(String, Kind), Seen>);

impl Report {
    fn see(&mut self, name: &str, kind: Kind, found: f64, truth: f64, bound: f64) {
        let error = (found - truth).abs();
        let ratio = if error == 0.0 { 0.0 } else { error / bound };
        assert!(
            ratio <= 1.0 && found.is_finite() && bound.is_finite(),
            "{name}, {kind:?}: {found:e} for {truth:e} is {ratio} of the bound {bound:e}"
        );
        let seen = self.0.entry((name.to_owned(), kind)).or_default();
        seen.ratio = seen.ratio.max(ratio);
        seen.compared += 1;
        seen.nonzero += usize::from(truth != 0.0);
    }

    /// A result that has no bound.
    fn pass(&mut self, name: &str, kind: Kind) {
        self.0.entry((name.to_owned(), kind)).or_default().passed += 1;
    }

    /// Prints the ratios; every operation must have come to a hundredth of its bound with some kind of input, and
    /// every kind must have given results to compare.
    fn finish(self) {
        let mut worst: BTreeMap<String, (f64, Kind, usize)> = BTreeMap::new();
        for ((name, kind), seen) in self.0 {
            assert!(
                2 * seen.nonzero >= seen.compared && seen.compared >= seen.passed,
                "{name}, {kind:?}: {} of {} results are not zero, {} have no bound",
                seen.nonzero,
                seen.compared,
                seen.passed
            );
            let all = worst.entry(name).or_insert((0.0, kind, 0));
            if seen.ratio > all.0 {
                (all.0, all.1) = (seen.ratio, kind);
            }
            all.2 += seen.compared;
        }
        for (name, (ratio, kind, count)) in &worst {
            println!("{name:24} {count:7} results, the worst {ratio:.3} of its bound ({kind:?})");
            assert!(
                *ratio > 0.01,
                "{name}: a bound of which {ratio} is used finds nothing"
            );
            assert!(*count >= 1000, "{name}: only {count} results");
        }
    }
}

fn wide(values: &[f32]) -> Vec<f64> {
    values.iter().map(|&x| f64::from(x)).collect()
}

/// Makes products of neighbours, and sums with `other`, cancel all but the last bits.
fn cancel(values: &mut [f32], other: &mut [f32]) {
    for (pair, others) in values.chunks_exact_mut(2).zip(other.chunks_exact_mut(2)) {
        pair[1] = pair[0];
        others[1] = -others[0] * (1.0 + 1e-6);
    }
}

/// A row of weights: encoded values where there is an encoder, else random bytes with moderate scales.
fn row(format: Format, values: &[f32], source: &mut Source) -> Vec<u8> {
    let mut row = vec![0; format.bytes_of(values.len()).expect("whole blocks")];
    // Encoders refuse what halves cannot hold.
    let values: Vec<f32> = values
        .iter()
        .map(|x| x.clamp(-60_000.0, 60_000.0))
        .collect();
    if encode_row(format, &values, &mut row).is_ok() {
        return row;
    }
    for block in row.chunks_exact_mut(format.block_bytes()) {
        loop {
            source.0.fill_bytes(block);
            let moderate = with_layout!(format, L => (0..L::GROUPS).all(|g| L::group(block, g).values::<f32>().iter().all(|x| x.abs() < 1e6)), float => true);
            if moderate {
                break;
            }
        }
    }
    row
}

fn product<R: Real>(format: Format, row: &[u8], input: &[R]) -> R {
    let mut result = R::default();
    Dense {
        format,
        rows: row,
        width: input.len(),
        inputs: input,
        scratch: &mut DenseScratch::default(),
        emit: &mut |_, _, values: &[R]| result = values[0],
    }
    .on(Level::best());
    result
}

fn fast<L: Layout>(row: &[u8], input: &[f32]) -> f32 {
    let mut groups = vec![InputGroup::default(); input.len() / 32];
    let level = Level::best();
    level
        .run(Quantise {
            values: input,
            groups: &mut groups,
        })
        .expect("finite");
    let mut out = [0.0];
    Decode {
        format: L::FORMAT,
        rows: row,
        input: &groups,
        out: &mut out,
    }
    .on(level);
    out[0]
}

/// Weights and activations of two kinds; where both cancel, their products do.
fn pair(weights: Kind, input: Kind, width: usize, source: &mut Source) -> [Vec<f32>; 2] {
    let mut pair = [source.values(weights, width), source.values(input, width)];
    let [weights_of, input_of] = &mut pair;
    if weights == Kind::Cancelling && input == Kind::Cancelling {
        cancel(weights_of, input_of);
    }
    pair
}

/// The activations as the bytes stand for them.
fn as_bytes(input: &[f32]) -> Vec<f64> {
    let groups = input.as_chunks::<32>().0.iter().map(InputGroup::quantise);
    let values =
        groups.flat_map(|group| group.quants.map(|q| f64::from(q) * f64::from(group.scale)));
    values.collect()
}

#[test]
fn products_are_within_their_bounds() {
    let mut report = Report::default();
    let mut source = Source::new(1);
    let kinds = KINDS.iter().flat_map(|&w| KINDS.map(|x| (w, x)));
    for &format in Format::ALL {
        for (weights_kind, kind) in kinds.clone() {
            for width in [256, 2048] {
                for _ in 0..12 {
                    let [values, mut input] = pair(weights_kind, kind, width, &mut source);
                    let row = row(format, &values, &mut source);
                    let weights = Weights::decode(format, &row, width);
                    if kind == Kind::HalfSteps {
                        // With the weights' signs, so that all roundings pull one way: up, to even.
                        for (x, w) in input.iter_mut().zip(&weights.values) {
                            if (*x - 0.5) % 2.0 == 1.0 {
                                *x = (*x - 1.0).max(0.5);
                            }
                            *x = x.copysign(*w as f32);
                        }
                    }
                    let exact = wide(&input);
                    let truth = product(format, &row, &exact);
                    let found = f64::from(product(format, &row, &input));
                    let bound = bound::product_f32(&weights, &exact);
                    report.see(&format!("f32 {format}"), kind, found, truth, bound);
                    if format.is_float() {
                        continue;
                    }
                    let found = with_layout!(format, L => fast::<L>(&row, &input), float => 0.0);
                    let bound = bound::product_fast(&weights, &exact);
                    report.see(&format!("fast {format}"), kind, found.into(), truth, bound);
                    let bytes = as_bytes(&input);
                    let truth = product(format, &row, &bytes);
                    let bound = bound::product_of_bytes(&weights, &bytes);
                    report.see(&format!("bytes {format}"), kind, found.into(), truth, bound);
                }
            }
        }
    }
    report.finish();
}

#[test]
fn work_on_single_tokens_is_within_its_bounds() {
    let mut report = Report::default();
    let mut source = Source::new(2);
    let level = Level::best();
    for (first, kind) in KINDS.iter().flat_map(|&a| KINDS.map(|b| (a, b))) {
        for _ in 0..12 {
            let [mut a, mut b] = pair(first, kind, 64, &mut source);
            if first == Kind::Cancelling {
                // Sums of the two, and the halves of turned pairs, nearly vanish.
                for (a, b) in a.iter().zip(&mut b) {
                    *b = -a * (1.0 + 1e-6);
                }
                let (low, high) = a.split_at_mut(32);
                for (i, (low, high)) in low.iter().zip(high).enumerate() {
                    let angle = i as f64 * 1.7;
                    *high = (f64::from(*low) * libm::cos(angle) / libm::sin(angle).max(0.1)) as f32;
                }
            }
            let [x, y] = [wide(&a), wide(&b)];
            let mut found = vec![0.0_f32; 64];
            let mut truth = vec![0.0_f64; 64];
            let mut each =
                |name, bound: &dyn Fn(usize, f64) -> f64, found: &[f32], truth: &[f64]| {
                    for (i, (&found, &truth)) in found.iter().zip(truth).enumerate() {
                        report.see(name, kind, found.into(), truth, bound(i, truth));
                    }
                };
            level.run(RmsNorm {
                input: &a,
                weight: &b,
                epsilon: 1e-6,
                out: &mut found,
            });
            level.run(RmsNorm {
                input: &x,
                weight: &y,
                epsilon: 1e-6,
                out: &mut truth,
            });
            each("norm", &|i, truth| bound::norm(truth, y[i]), &found, &truth);

            level.run(Sum {
                a: &a,
                b: &b,
                out: &mut found,
            });
            level.run(Sum {
                a: &x,
                b: &y,
                out: &mut truth,
            });
            each("sum", &|_, truth| bound::rounded(truth), &found, &truth);

            for (name, curve) in [("silu gate", Curve::Silu), ("gelu gate", Curve::GeluTanh)] {
                level.run(Gate {
                    gate: &a,
                    up: &b,
                    curve,
                    out: &mut found,
                });
                level.run(Gate {
                    gate: &x,
                    up: &y,
                    curve,
                    out: &mut truth,
                });
                let of = |i: usize, truth: f64| match curve {
                    Curve::Silu => bound::silu_gate(truth, x[i], y[i]),
                    Curve::GeluTanh => bound::gelu_gate(truth, x[i], y[i]),
                };
                each(name, &of, &found, &truth);
            }

            found.copy_from_slice(&a);
            truth.copy_from_slice(&x);
            level.run(SoftCap {
                values: &mut found,
                cap: 30.0,
            });
            level.run(SoftCap {
                values: &mut truth,
                cap: 30.0,
            });
            each(
                "soft cap",
                &|_, truth| bound::soft_cap(truth, 30.0),
                &found,
                &truth,
            );

            let root = 1152.0_f64.sqrt();
            found.copy_from_slice(&a);
            truth.copy_from_slice(&x);
            level.run(Scale {
                values: &mut found,
                scale: root as f32,
            });
            level.run(Scale {
                values: &mut truth,
                scale: root,
            });
            each(
                "scaled embedding",
                &|_, truth| bound::scaled(truth, 0.0, root),
                &found,
                &truth,
            );

            let angles: Vec<f64> = (0..32).map(|i| f64::from(i) * 1.7).collect();
            let cosines: Vec<f64> = angles.iter().map(|&angle| libm::cos(angle)).collect();
            let sines: Vec<f64> = angles.iter().map(|&angle| libm::sin(angle)).collect();
            let narrow = |values: &[f64]| values.iter().map(|&x| x as f32).collect::<Vec<f32>>();
            let pairs = Pairs::Halves;
            level.run(Rotate {
                input: &a,
                width: 64,
                cosines: &narrow(&cosines),
                sines: &narrow(&sines),
                pairs,
                out: &mut found,
            });
            level.run(Rotate {
                input: &x,
                width: 64,
                cosines: &cosines,
                sines: &sines,
                pairs,
                out: &mut truth,
            });
            let of = |i: usize, _: f64| {
                let (pair, turned) = (i % 32, i >= 32);
                let (low, high) = (x[pair], x[pair + 32]);
                let (c, s) = (cosines[pair], sines[pair]);
                if turned {
                    bound::rotation(low * s, high * c)
                } else {
                    bound::rotation(low * c, high * s)
                }
            };
            each("rotation", &of, &found, &truth);
        }
    }
    report.finish();
}

#[test]
fn rows_of_embeddings_are_within_their_bounds() {
    let mut report = Report::default();
    let mut source = Source::new(3);
    for &format in Format::ALL {
        for kind in KINDS {
            let values = source.values(kind, 256);
            let row = row(format, &values, &mut source);
            let weights = Weights::decode(format, &row, 256);
            let mut found = vec![0.0_f32; 256];
            Dequantise {
                format,
                row: &row,
                out: &mut found,
            }
            .on(Level::best());
            for ((&found, &truth), &size) in found.iter().zip(&weights.values).zip(&weights.sizes) {
                let bound = bound::scaled(truth, size, 1.0);
                report.see("embedding", kind, found.into(), truth, bound);
            }
        }
    }
    report.finish();
}

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

/// The bounds must find what is put in on purpose.
#[test]
fn a_wrong_result_is_beyond_its_bound() {
    let mut source = Source::new(5);
    let values = source.values(Kind::Normal, 256);
    let row = row(Format::Q4_K, &values, &mut source);
    let weights = Weights::decode(Format::Q4_K, &row, 256);
    let input = wide(&source.values(Kind::Normal, 256));
    let truth: f64 = weights.values.iter().zip(&input).map(|(w, x)| w * x).sum();
    let without_one = truth - weights.values[7] * input[7];
    assert!((truth - without_one).abs() > bound::product_f32(&weights, &input));
    assert!((truth - without_one).abs() > bound::product_of_bytes(&weights, &input));
    let pairs = weights.sizes.iter().zip(&input);
    let without_minima: f64 = pairs.map(|(size, x)| size * x).sum();
    assert!((truth - without_minima).abs() > bound::product_fast(&weights, &input));

    // The epsilon of another model, the other curve, the sine's sign, no cap.
    let off = |wrong: f64, truth: f64, bound: f64| assert!((wrong - truth).abs() > bound);
    let norm = |epsilon: f64| 0.5 / libm::sqrt(0.3 + epsilon);
    off(norm(1e-5), norm(1e-6), bound::norm(norm(1e-6), 1.0));
    let silu = 0.7 / (1.0 + libm::exp(-0.7)) * 0.3;
    let gelu = 0.35 * (1.0 + libm::tanh(0.797_884_560_802_865_4 * (0.7 + 0.044_715 * 0.343))) * 0.3;
    off(gelu, silu, bound::silu_gate(silu, 0.7, 0.3));
    off(silu, gelu, bound::gelu_gate(gelu, 0.7, 0.3));
    off(0.3 + 0.4, 0.3 - 0.4, bound::rotation(0.3, 0.4));
    let capped = 50.0 * libm::tanh(2.0 / 50.0);
    off(2.0, capped, bound::soft_cap(capped, 50.0));
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

//! What was seen of the bounds.

use crate::inputs::Kind;
use std::collections::BTreeMap;

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
pub(crate) struct Report(BTreeMap<(String, Kind), Seen>);

impl Report {
    pub(crate) fn see(&mut self, name: &str, kind: Kind, found: f64, truth: f64, bound: f64) {
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
    pub(crate) fn pass(&mut self, name: &str, kind: Kind) {
        self.0.entry((name.to_owned(), kind)).or_default().passed += 1;
    }

    /// Prints the ratios; every operation must have come to a hundredth of its bound with some kind of input, and
    /// every kind must have given results to compare.
    pub(crate) fn finish(self) {
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

//! Single numbers that somebody wrote down about a run: a few elements of a checkpoint, its sum, its extremes, its root mean square.
//!
//! They do not suffice to evaluate any operation on its recorded inputs, so they are compared with the model's own run from the ids on. Only the
//! first checkpoint that disagrees says something; what follows it follows from it. To find the fault, the whole run is repeated with
//! each one put in, up to that checkpoint's layer.

mod judge;

pub use judge::{Judged, judge};

use crate::recording::{Provenance, Tensor};

/// What a number is of a checkpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// An element, row-major.
    Element(usize),
    /// The least value.
    Min,
    /// The largest value.
    Max,
    /// The largest magnitude.
    Peak,
    /// The mean.
    Mean,
    /// The root mean square.
    Rms,
    /// The sum, added up in `f32`.
    Sum,
}

/// A number about a checkpoint.
#[derive(Clone, Debug, PartialEq)]
pub struct Claim {
    /// The checkpoint.
    pub checkpoint: String,
    /// What of it.
    pub what: What,
    /// The number.
    pub value: f64,
    /// Half a unit of its last digit.
    pub uncertainty: f64,
}

/// Numbers about a run.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Claims {
    /// The ids.
    pub tokens: Vec<u32>,
    /// In the order of the file.
    pub all: Vec<Claim>,
    /// Names in the file that are no checkpoints.
    pub ignored: Vec<String>,
    /// What made the run.
    pub provenance: Provenance,
}

impl What {
    /// The number of a checkpoint's values; `None` if it has no such element.
    pub fn of(self, tensor: &Tensor) -> Option<f64> {
        let values = &tensor.values;
        let count = values.len() as f64;
        let fold = |start, f: fn(f64, f64) -> f64| values.iter().fold(start, |a, &b| f(a, b));
        Some(match self {
            Self::Element(index) => *values.get(index)?,
            Self::Min => fold(f64::INFINITY, f64::min),
            Self::Max => fold(f64::NEG_INFINITY, f64::max),
            Self::Peak => values.iter().fold(0.0, |most, x| f64::max(most, x.abs())),
            Self::Mean => values.iter().sum::<f64>() / count,
            Self::Rms => libm::sqrt(values.iter().map(|x| x * x).sum::<f64>() / count),
            Self::Sum => values.iter().sum(),
        })
    }
}

/// A number and half a unit of its last digit; `None` if the text is no finite number.
pub(crate) fn number(text: &str) -> Option<(f64, f64)> {
    let value: f64 = text.parse().ok()?;
    let (mantissa, exponent) = match text.find(['e', 'E']) {
        Some(at) => (&text[..at], text[at + 1..].parse::<i32>().ok()?),
        None => (text, 0),
    };
    let digits = mantissa
        .split_once('.')
        .map_or(0, |(_, fraction)| fraction.len());
    let unit = libm::pow(10.0, f64::from(exponent) - digits as f64);
    value.is_finite().then_some((value, 0.5 * unit))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_known_to_half_a_unit_of_its_last_digit() {
        for (text, value, uncertainty) in [
            ("0.0998", 0.0998, 5e-5),
            ("-12", -12.0, 0.5),
            ("1.25e-3", 1.25e-3, 5e-6),
        ] {
            let (found, unit) = number(text).expect("a number");
            assert_eq!(found, value);
            assert!((unit / uncertainty - 1.0).abs() < 1e-12, "{text}: {unit}");
        }
        assert_eq!(number("nan"), None);
        assert_eq!(number("inf"), None);
        assert_eq!(number("x"), None);
    }
}

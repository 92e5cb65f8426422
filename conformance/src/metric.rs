//! How far two rows of logits are apart.
//!
//! A comparison of nothing, of different lengths or with a value that is not finite has no result.

/// What is wrong with a comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MetricError {
    /// There is nothing to compare.
    #[error("there are no values to compare")]
    Empty,
    /// The sides have different lengths.
    #[error("{truth} values cannot be compared with {found}")]
    Lengths {
        /// Of the truth.
        truth: usize,
        /// Of what is compared with it.
        found: usize,
    },
    /// The values are not whole rows.
    #[error("{values} values are not rows of {width}")]
    Width {
        /// Of a row.
        width: usize,
        /// In all.
        values: usize,
    },
    /// A value is infinite or not a number.
    #[error("value {index} is not finite")]
    NonFinite {
        /// The first such value of either side.
        index: usize,
    },
}

fn check(truth: &[f64], found: &[f64]) -> Result<(), MetricError> {
    let (t, f) = (truth.len(), found.len());
    if t != f {
        return Err(MetricError::Lengths { truth: t, found: f });
    }
    if truth.is_empty() {
        return Err(MetricError::Empty);
    }
    let mut pairs = truth.iter().zip(found);
    match pairs.position(|(t, f)| !t.is_finite() || !f.is_finite()) {
        Some(index) => Err(MetricError::NonFinite { index }),
        None => Ok(()),
    }
}

/// `max |found − truth|`.
///
/// # Errors
///
/// [`MetricError`] if there is nothing to compare.
pub fn largest_error(truth: &[f64], found: &[f64]) -> Result<f64, MetricError> {
    check(truth, found)?;
    let errors = truth.iter().zip(found).map(|(t, f)| (t - f).abs());
    Ok(errors.fold(0.0, f64::max))
}

/// `Σ p ln(p / q)`, in nats: `p` and `q` are the probabilities that the logits of the truth and of what is found give.
///
/// # Errors
///
/// [`MetricError`] if there is nothing to compare.
pub fn kl_divergence(truth: &[f64], found: &[f64]) -> Result<f64, MetricError> {
    check(truth, found)?;
    let [p, q] = [truth, found].map(log_probabilities);
    // Terms of p (ln p − ln q) cancel; p (e^d − 1 − d) with d = ln q − ln p does not, and sums to the same.
    let terms = p.iter().zip(&q).map(|(p, q)| {
        let d = q - p;
        // Where p vanishes beside q the exponential would overflow.
        if d > 50.0 {
            libm::exp(*q) - libm::exp(*p) * (1.0 + d)
        } else {
            libm::exp(*p) * (libm::expm1(d) - d)
        }
    });
    Ok(terms.sum())
}

fn log_probabilities(logits: &[f64]) -> Vec<f64> {
    let most = logits.iter().fold(f64::NEG_INFINITY, |m, &x| m.max(x));
    let sum: f64 = logits.iter().map(|x| libm::exp(x - most)).sum();
    let log_sum = most + libm::log(sum);
    logits.iter().map(|x| x - log_sum).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_outcomes_give_the_divergence_of_the_textbook() {
        // p = (1/2, 1/2), q = (1/4, 3/4): ½ ln 2 + ½ ln ⅔ = ½ ln 4/3.
        let found = kl_divergence(&[0.0, 0.0], &[0.0, libm::log(3.0)]).expect("finite");
        assert!(
            (found - 0.5 * libm::log(4.0 / 3.0)).abs() < 1e-15,
            "{found}"
        );
        assert_eq!(kl_divergence(&[1.0, 2.0], &[1.0, 2.0]), Ok(0.0));
        // A constant added to all logits changes nothing.
        assert!(
            kl_divergence(&[1.0, 2.0], &[8.0, 9.0])
                .expect("finite")
                .abs()
                < 1e-15
        );
    }

    #[test]
    fn what_cannot_be_compared_is_an_error() {
        assert_eq!(largest_error(&[], &[]), Err(MetricError::Empty));
        let lengths = MetricError::Lengths { truth: 1, found: 2 };
        assert_eq!(largest_error(&[1.0], &[1.0, 2.0]), Err(lengths));
        for bad in [f64::NAN, f64::INFINITY] {
            let wrong = Err(MetricError::NonFinite { index: 1 });
            assert_eq!(largest_error(&[1.0, bad], &[1.0, 1.0]), wrong);
            assert_eq!(kl_divergence(&[1.0, 1.0], &[1.0, bad]), wrong);
        }
        let far = kl_divergence(&[0.0, 2000.0], &[0.0, -2000.0]).expect("finite");
        assert!((far - 2000.0).abs() < 1e-9, "{far}");
        assert_eq!(largest_error(&[1.0, -1.0], &[1.0, 1.0]), Ok(2.0));
    }
}

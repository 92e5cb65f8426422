//! Sixteen candidates tried at once, one per lane.

/// One number per candidate.
pub(super) type Lanes = [f32; 16];

/// `value(lane)` in every lane.
#[inline(always)]
pub(super) fn lanes(value: impl Fn(usize) -> f32) -> Lanes {
    // A loop, not `array::from_fn`: it is turned into vector instructions more reliably.
    let mut lanes = [0.0; 16];
    for (lane, x) in lanes.iter_mut().enumerate() {
        *x = value(lane);
    }
    lanes
}

/// The integer nearest to `x`, ties to even, within `low` and `high`, which are below 2²².
#[inline(always)]
pub(super) fn round_within(x: f32, low: f32, high: f32) -> f32 {
    // Adding 1.5 · 2²³ leaves no bits below the unit.
    const UNIT: f32 = 12_582_912.0;
    let x = if x > low { x } else { low };
    let x = if x < high { x } else { high };
    (x + UNIT) - UNIT
}

/// `1 / x`, or 0 for 0.
#[inline(always)]
pub(super) fn inverse(x: f32) -> f32 {
    if x == 0.0 { 0.0 } else { 1.0 / x }
}

/// The integers that a format has.
#[derive(Clone, Copy, Debug)]
pub(super) struct Integers {
    /// The lowest.
    pub low: f32,
    /// The highest.
    pub high: f32,
}

/// What least squares needs to know of values `x` and each lane's integers `q`.
pub(super) struct Moments {
    /// `Σ q`.
    pub q: Lanes,
    /// `Σ q²`.
    pub qq: Lanes,
    /// `Σ x q`.
    pub xq: Lanes,
}

impl Integers {
    /// The moments with `q = round((x + raise) · inverse)`.
    #[inline(always)]
    pub(super) fn moments(self, values: &[f32], raise: &Lanes, inverse: &Lanes) -> Moments {
        let mut sums = Moments {
            q: [0.0; 16],
            qq: [0.0; 16],
            xq: [0.0; 16],
        };
        for &x in values {
            for lane in 0..16 {
                let q = round_within((x + raise[lane]) * inverse[lane], self.low, self.high);
                sums.q[lane] += q;
                sums.qq[lane] += q * q;
                sums.xq[lane] += x * q;
            }
        }
        sums
    }

    /// `Σ (x − (scale · q − min))²` with the best integers for every lane's scale and min.
    #[inline(always)]
    pub(super) fn errors(self, values: &[f32], scale: &Lanes, min: &Lanes) -> Lanes {
        let inverse = lanes(|lane| inverse(scale[lane]));
        let mut sums = [0.0; 16];
        for &x in values {
            for lane in 0..16 {
                let raised = x + min[lane];
                let q = round_within(raised * inverse[lane], self.low, self.high);
                let error = raised - scale[lane] * q;
                sums[lane] += error * error;
            }
        }
        sums
    }

    /// The best integers for one scale and min.
    #[inline(always)]
    pub(super) fn quantise(self, values: &[f32], scale: f32, min: f32, out: &mut [f32]) {
        let inverse = inverse(scale);
        for (q, &x) in out.iter_mut().zip(values) {
            *q = round_within((x + min) * inverse, self.low, self.high);
        }
    }
}

/// The first lane with the least error.
#[inline(always)]
pub(super) fn best(errors: &Lanes) -> usize {
    let mut best = 0;
    for lane in 1..16 {
        if errors[lane] < errors[best] {
            best = lane;
        }
    }
    best
}

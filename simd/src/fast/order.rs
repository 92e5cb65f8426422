//! In which order the rows of a decode are read.

use crate::prefetch::likes_streams;

/// Which rows are multiplied together, one in each lane. It changes no bit, but machines fetch ahead in different ways.
///
/// What one core multiplies from memory, in GB/s:
///
/// | machine, and what it reads plainly | order | `Q4_K` | `Q5_0` | `Q8_0` |
/// |---|---|---:|---:|---:|
/// | Zen 4, 25 | neighbours | 20 | 16 | 22 |
/// | Zen 4, 25 | streams | 15 | 9 | 10 |
/// | Xeon with AVX-512, 18 | neighbours | 11 | 10 | 11 |
/// | Xeon with AVX-512, 18 | streams | 18 | 19 | 20 |
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// 16 neighbours, and while these are multiplied, the next 16 are asked for in the order in which they lie: one stream.
    Neighbours,
    /// 16 runs of neighbours side by side: 16 long streams, each asked for a little ahead.
    Streams,
}

impl Order {
    /// The faster on this machine.
    pub fn best() -> Self {
        if likes_streams() {
            Self::Streams
        } else {
            Self::Neighbours
        }
    }

    /// Of `count` rows.
    #[inline(always)]
    pub(super) fn steps(self, count: usize) -> Steps {
        let steps = count.div_ceil(16);
        let (step, lane) = match self {
            Self::Neighbours => (16, 1),
            Self::Streams => (1, steps),
        };
        Steps { steps, step, lane }
    }
}

/// Rows taken 16 at a time.
#[derive(Clone, Copy)]
pub(super) struct Steps {
    /// How often.
    pub(super) steps: usize,
    /// Rows from one step to the next.
    step: usize,
    /// Rows from one lane to the next.
    lane: usize,
}

impl Steps {
    /// The row of `lane` at `step`; it may be past the end.
    #[inline(always)]
    pub(super) fn row(self, step: usize, lane: usize) -> usize {
        step * self.step + lane * self.lane
    }

    /// Writes the values of `step`'s rows, but those past the end.
    #[inline(always)]
    pub(super) fn write(self, step: usize, values: &[f32; 16], out: &mut [f32]) {
        for (lane, value) in values.iter().enumerate() {
            if let Some(out) = out.get_mut(self.row(step, lane)) {
                *out = *value;
            }
        }
    }
}

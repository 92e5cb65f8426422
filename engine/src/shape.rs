//! The shape of a tensor in a file.

use std::fmt;

/// Up to four dimensions, fastest first, as GGUF writes them; absent ones are 1.
///
/// A matrix of `rows` rows of `width` contiguous values is `[width, rows]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape(pub [usize; 4]);

impl Shape {
    /// `width` values.
    pub fn vector(width: usize) -> Self {
        Self([width, 1, 1, 1])
    }

    /// `rows` rows of `width` values.
    pub fn matrix(width: usize, rows: usize) -> Self {
        Self([width, rows, 1, 1])
    }

    /// Values in a row.
    pub fn width(self) -> usize {
        self.0[0]
    }

    /// Rows: the product of all dimensions but the first.
    pub fn rows(self) -> usize {
        self.0[1] * self.0[2] * self.0[3]
    }

    /// Values in all.
    pub fn len(self) -> usize {
        self.width() * self.rows()
    }

    /// Whether there are no values.
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let used = 1 + self.0.iter().rposition(|&n| n != 1).unwrap_or(0);
        let dims: Vec<String> = self.0[..used].iter().map(usize::to_string).collect();
        f.pad(&format!("[{}]", dims.join(", ")))
    }
}

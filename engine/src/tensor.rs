//! A tensor as it lies in a file.

use crate::shape::Shape;
use fidelis_simd::Format;

/// A named tensor: format, shape and the file's own bytes.
#[derive(Clone, Copy, Debug)]
pub struct Tensor<'a> {
    /// The name in the file.
    pub name: &'a str,
    /// How values are stored.
    pub format: Format,
    /// Dimensions, fastest first.
    pub shape: Shape,
    /// Row after row, each a whole number of blocks.
    pub bytes: &'a [u8],
}

impl<'a> Tensor<'a> {
    /// Bytes of a row.
    pub fn row_bytes(&self) -> usize {
        self.shape.width() / self.format.block_len() * self.format.block_bytes()
    }

    /// The bytes of row `row`.
    pub fn row(&self, row: usize) -> &'a [u8] {
        let bytes = self.row_bytes();
        &self.bytes[row * bytes..(row + 1) * bytes]
    }
}

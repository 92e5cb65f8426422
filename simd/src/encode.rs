//! Floats to block formats.
//!
//! A block format stores small integers and few scales; encoding is choosing the scales so that
//! the sum of squared errors is small. Every block is searched the same way:
//!
//! 1. Sixteen candidates for a scale (and an offset) are tried at once, one per lane: values are
//!    rounded to each candidate's integers, and least squares gives each lane the scale that suits
//!    its integers best; rounding and least squares alternate a few times.
//! 2. What the format stores is rounded to what it can store (a half, or a small integer times a
//!    half), and the neighbours of that are tried with their true error.
//! 3. In formats with scales of scales, the outer scales are fitted to the integers by least
//!    squares and step 2 is repeated.
//!
//! Only additions, multiplications, divisions and comparisons are used, in a fixed order: the bytes
//! are the same on every machine.

mod fit;
mod lanes;
pub mod mix;
mod q4_k;
mod q6_k;
mod scaled;
mod simple;

use crate::Format;
use half::{bf16, f16};

/// Why a row was not encoded.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
pub enum EncodeError {
    /// There is no encoder for the format.
    #[error("there is no encoder for {format}")]
    Unsupported {
        /// The format asked for.
        format: Format,
    },
    /// The values do not fill whole blocks.
    #[error("{values} values do not fill blocks of {} ({format})", format.block_len())]
    PartialBlock {
        /// The format asked for.
        format: Format,
        /// Values given.
        values: usize,
    },
    /// The place for the bytes has another length than the bytes.
    #[error("the row takes {wanted} bytes, there is room for {found}")]
    WrongRoom {
        /// Bytes that the values take.
        wanted: usize,
        /// Bytes there is room for.
        found: usize,
    },
    /// A value is infinite or not a number.
    #[error("value {index} of the row is not finite")]
    NotFinite {
        /// Where.
        index: usize,
    },
    /// A value is too large for the format.
    #[error("value {index} of the row, {value:e}, is too large for {format}")]
    OutOfRange {
        /// The format asked for.
        format: Format,
        /// Where.
        index: usize,
        /// The value.
        value: f32,
    },
}

/// Whether [`encode_row`] can write `format`.
pub fn is_supported(format: Format) -> bool {
    encoder(format).is_some()
}

/// Writes `values` as `format` to `out`.
///
/// Rows, and blocks within a row, are independent of one another.
///
/// # Errors
///
/// [`EncodeError`] if there is no encoder for the format, the values do not fill whole blocks, `out`
/// is not exactly as long as the result, a value is not finite, or a value's magnitude exceeds the
/// largest finite one of `BF16` in that format and of `F16` (65504) in all others but `F32`.
pub fn encode_row(format: Format, values: &[f32], out: &mut [u8]) -> Result<(), EncodeError> {
    let encode = encoder(format).ok_or(EncodeError::Unsupported { format })?;
    let wanted = format
        .bytes_of(values.len())
        .ok_or(EncodeError::PartialBlock {
            format,
            values: values.len(),
        })?;
    if out.len() != wanted {
        return Err(EncodeError::WrongRoom {
            wanted,
            found: out.len(),
        });
    }
    let largest = largest_magnitude(format);
    // NaN is in no range.
    let range = -largest..=largest;
    if let Some(index) = values.iter().position(|x| !range.contains(x)) {
        let value = values[index];
        return Err(if value.is_finite() {
            EncodeError::OutOfRange {
                format,
                index,
                value,
            }
        } else {
            EncodeError::NotFinite { index }
        });
    }
    let blocks = values.chunks_exact(format.block_len());
    for (values, out) in blocks.zip(out.chunks_exact_mut(format.block_bytes())) {
        encode(values, out);
    }
    Ok(())
}

/// The largest magnitude that a format is given.
fn largest_magnitude(format: Format) -> f32 {
    match format {
        Format::F32 => f32::MAX,
        Format::BF16 => bf16::MAX.to_f32_const(),
        _ => f16::MAX.to_f32_const(),
    }
}

/// Encodes one block.
type Encoder = fn(&[f32], &mut [u8]);

fn encoder(format: Format) -> Option<Encoder> {
    Some(match format {
        Format::F32 => |values, out| out.copy_from_slice(&values[0].to_le_bytes()),
        Format::F16 => |values, out| {
            out.copy_from_slice(&f16::from_f32_const(values[0]).to_le_bytes());
        },
        Format::BF16 => |values, out| {
            out.copy_from_slice(&bf16::from_f32_const(values[0]).to_le_bytes());
        },
        Format::Q4_0 => simple::q4_0,
        Format::Q4_1 => simple::q4_1,
        Format::Q5_0 => simple::q5_0,
        Format::Q5_1 => simple::q5_1,
        Format::Q8_0 => simple::q8_0,
        Format::Q4_K => q4_k::q4_k,
        Format::Q5_K => q4_k::q5_k,
        Format::Q6_K => q6_k::q6_k,
        _ => return None,
    })
}

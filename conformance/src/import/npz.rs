//! numpy's archives: a zip file whose members are arrays, stored without compression.

use crate::recording::{Recording, RecordingError, Tensor, ids_of, numbers};
use safetensors::Dtype;
use std::collections::BTreeMap;

/// Why an archive cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum NpzError {
    /// The zip structure is damaged.
    #[error("the archive is damaged or cut off at byte {at}")]
    Damaged {
        /// Where.
        at: usize,
    },
    /// A member is compressed.
    #[error("{member} is compressed; write the archive with numpy.savez, not savez_compressed")]
    Compressed {
        /// Its name.
        member: String,
    },
    /// A member is no array that can be read.
    #[error("{member} is no array of floats or integers in C order ({found})")]
    Array {
        /// Its name.
        member: String,
        /// What its header says.
        found: String,
    },
    /// What it holds is no recording.
    #[error(transparent)]
    Recording(#[from] RecordingError),
}

fn number(bytes: &[u8], at: usize, len: usize) -> Result<usize, NpzError> {
    let part = at.checked_add(len).and_then(|end| bytes.get(at..end));
    let part = part.ok_or(NpzError::Damaged { at })?;
    Ok(part
        .iter()
        .rev()
        .fold(0, |n, &byte| n << 8 | usize::from(byte)))
}

fn slice(bytes: &[u8], at: usize, len: usize) -> Result<&[u8], NpzError> {
    at.checked_add(len)
        .and_then(|end| bytes.get(at..end))
        .ok_or(NpzError::Damaged { at })
}

/// The members with their bytes, from the directory at the end.
fn members(bytes: &[u8]) -> Result<Vec<(String, &[u8])>, NpzError> {
    let end = bytes.windows(4).rposition(|w| w == b"PK\x05\x06");
    let end = end.ok_or(NpzError::Damaged { at: bytes.len() })?;
    // The directory's end has a comment of a length that it says, and nothing follows.
    slice(bytes, end + 22, number(bytes, end + 20, 2)?)?;
    let (count, mut at) = (number(bytes, end + 10, 2)?, number(bytes, end + 16, 4)?);
    let mut all = Vec::new();
    // Members that lie over each other would be more than the file.
    let mut left = bytes.len();
    for _ in 0..count {
        if slice(bytes, at, 4)? != b"PK\x01\x02" {
            return Err(NpzError::Damaged { at });
        }
        let method = number(bytes, at + 10, 2)?;
        let mut size = number(bytes, at + 20, 4)?;
        let [name, extra, comment] = [28, 30, 32].map(|offset| number(bytes, at + offset, 2));
        let (name, extra, comment) = (name?, extra?, comment?);
        let header = number(bytes, at + 42, 4)?;
        let text = String::from_utf8_lossy(slice(bytes, at + 46, name)?).into_owned();
        if method != 0 {
            return Err(NpzError::Compressed { member: text });
        }
        if size == 0xffff_ffff {
            // Large members have their sizes in a field of their own: uncompressed, then stored.
            size = number(bytes, at + 46 + name + 4, 8)?;
        }
        let [own_name, own_extra] = [26, 28].map(|offset| number(bytes, header + offset, 2));
        let data = slice(bytes, header + 30 + own_name? + own_extra?, size)?;
        left = (left.checked_sub(size)).ok_or(NpzError::Damaged { at: header })?;
        all.push((text, data));
        at += 46 + name + extra + comment;
    }
    Ok(all)
}

/// An array: its shape and numbers.
fn array(member: &str, bytes: &[u8]) -> Result<(Vec<usize>, Vec<f64>), NpzError> {
    if slice(bytes, 0, 6)? != b"\x93NUMPY" {
        return Err(NpzError::Array {
            member: member.to_owned(),
            found: "no numpy header".to_owned(),
        });
    }
    let wide = bytes.get(6).is_some_and(|&version| version > 1);
    let (start, len) = if wide {
        (12, number(bytes, 8, 4)?)
    } else {
        (10, number(bytes, 8, 2)?)
    };
    let header = String::from_utf8_lossy(slice(bytes, start, len)?).into_owned();
    let wrong = || NpzError::Array {
        member: member.to_owned(),
        found: header.trim().to_owned(),
    };
    let after = |key: &str| {
        header
            .split_once(key)
            .map(|(_, rest)| rest.trim_start_matches([':', ' ']))
    };
    let dtype = after("'descr'")
        .and_then(|rest| rest.split('\'').nth(1))
        .ok_or_else(wrong)?;
    let dtype = match dtype {
        "<f8" => Dtype::F64,
        "<f4" => Dtype::F32,
        "<f2" => Dtype::F16,
        "<i8" => Dtype::I64,
        "<i4" => Dtype::I32,
        "<u4" => Dtype::U32,
        _ => return Err(wrong()),
    };
    let rows = after("'fortran_order'").is_some_and(|rest| rest.starts_with("False"));
    let shape = after("'shape'").and_then(|rest| rest.strip_prefix('(')?.split(')').next());
    let shape = shape.filter(|_| rows).ok_or_else(wrong)?;
    let shape = (shape.split(','))
        .map(str::trim)
        .filter(|part| !part.is_empty())
        .map(|part| part.parse().map_err(|_| wrong()))
        .collect::<Result<Vec<usize>, _>>()?;
    let values = numbers(member, dtype, &bytes[start + len..])?;
    let count = shape.iter().try_fold(1_usize, |n, &dim| n.checked_mul(dim));
    if count != Some(values.len()) {
        return Err(wrong());
    }
    Ok((shape, values))
}

/// The arrays of an archive as a recording.
pub(super) fn read(bytes: &[u8], given: Option<&[u32]>) -> Result<Recording, NpzError> {
    let mut tensors = BTreeMap::new();
    for (member, bytes) in members(bytes)? {
        let name = member.strip_suffix(".npy").unwrap_or(&member).to_owned();
        let (shape, values) = array(&member, bytes)?;
        let tensor = Tensor {
            shape,
            first: 0,
            values,
        };
        tensors.insert(name, tensor);
    }
    let tokens = ids_of(&mut tensors, given)?;
    Ok(Recording::checked(tokens, tensors)?)
}

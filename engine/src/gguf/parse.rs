//! The header of one file.

use super::cursor::Cursor;
use super::value::{DEPTH, Kind, Value};
use super::{GgufError, foreign};
use crate::shape::Shape;
use crate::tensor::Tensor;
use fidelis_simd::Format;
use std::collections::HashSet;

/// One file's header and tensors.
pub(super) struct Part<'a> {
    pub(super) version: u32,
    pub(super) metadata: Vec<(&'a str, Value<'a>)>,
    pub(super) tensors: Vec<Tensor<'a>>,
}

/// A tensor before its bytes are known to exist.
struct Entry<'a> {
    name: &'a str,
    format: Format,
    shape: Shape,
    offset: u64,
}

/// Reads one file.
pub(super) fn part(bytes: &[u8]) -> Result<Part<'_>, GgufError> {
    if !bytes.starts_with(b"GGUF") {
        return Err(GgufError::Foreign {
            what: foreign::name(bytes),
        });
    }
    let mut cursor = Cursor::new(bytes);
    cursor.take(4, "the magic")?;
    let version = cursor.u32("the version")?;
    match version {
        2 | 3 => {}
        _ if matches!(version.swap_bytes(), 1..=3) => return Err(GgufError::BigEndian { version }),
        _ => return Err(GgufError::Version { version }),
    }
    let tensors = cursor.count("tensors", 8 + 4 + 8 + 4 + 8)?;
    let pairs = cursor.count("metadata keys", 8 + 4 + 1)?;
    let metadata = metadata(&mut cursor, pairs)?;
    let entries = (0..tensors)
        .map(|_| entry(&mut cursor))
        .collect::<Result<Vec<_>, _>>()?;
    let alignment = alignment(&metadata)?;
    let header = cursor.at() as u64;
    let start = header
        .checked_next_multiple_of(alignment)
        .unwrap_or(u64::MAX);
    let tensors = place(bytes, start, alignment, entries)?;
    Ok(Part {
        version,
        metadata,
        tensors,
    })
}

fn metadata<'a>(
    cursor: &mut Cursor<'a>,
    pairs: usize,
) -> Result<Vec<(&'a str, Value<'a>)>, GgufError> {
    let mut seen = HashSet::new();
    let mut metadata = Vec::new();
    for _ in 0..pairs {
        let key = cursor.str("a metadata key")?;
        if !seen.insert(key) {
            return Err(GgufError::DuplicateKey {
                key: key.to_owned(),
            });
        }
        let at = cursor.at();
        let id = cursor.u32("a value's type")?;
        let kind = Kind::from_id(id).ok_or_else(|| GgufError::Kind {
            id,
            key: key.to_owned(),
            at,
        })?;
        metadata.push((key, Value::read(cursor, kind, key, DEPTH)?));
    }
    Ok(metadata)
}

fn entry<'a>(cursor: &mut Cursor<'a>) -> Result<Entry<'a>, GgufError> {
    let name = cursor.str("a tensor's name")?;
    let tensor = || name.to_owned();
    let count = cursor.u32("a tensor's dimensions")?;
    if !(1..=4).contains(&count) {
        return Err(GgufError::Dimensions {
            tensor: tensor(),
            count,
        });
    }
    let dims = (0..count)
        .map(|_| cursor.u64("a tensor's dimensions"))
        .collect::<Result<Vec<_>, _>>()?;
    let id = cursor.u32("a tensor's type")?;
    let offset = cursor.u64("a tensor's offset")?;
    let format = Format::from_id(id).ok_or_else(|| GgufError::Format {
        tensor: tensor(),
        id,
    })?;
    let mut shape = [1; 4];
    let mut values = 1_usize;
    for (dim, &found) in shape.iter_mut().zip(&dims) {
        let possible = usize::try_from(found).ok().filter(|&n| n > 0);
        let product = possible
            .and_then(|n| values.checked_mul(n))
            .filter(|&n| n <= isize::MAX as usize / 8);
        let (Some(n), Some(product)) = (possible, product) else {
            return Err(GgufError::ImpossibleShape {
                tensor: tensor(),
                dims,
            });
        };
        (*dim, values) = (n, product);
    }
    let shape = Shape(shape);
    if format.bytes_of(shape.width()).is_none() {
        return Err(GgufError::PartialBlock {
            tensor: tensor(),
            shape,
            format,
        });
    }
    Ok(Entry {
        name,
        format,
        shape,
        offset,
    })
}

fn alignment(metadata: &[(&str, Value<'_>)]) -> Result<u64, GgufError> {
    let Some((key, value)) = metadata.iter().find(|(key, _)| *key == "general.alignment") else {
        return Ok(32);
    };
    let wrong = || GgufError::WrongKind {
        key: (*key).to_owned(),
        wanted: "an unsigned integer",
        found: value.kind(),
    };
    let alignment = value.as_u64().ok_or_else(wrong)?;
    if alignment.is_power_of_two() {
        Ok(alignment)
    } else {
        Err(GgufError::Alignment { alignment })
    }
}

/// Finds the bytes of the tensors, which must lie in the file, aligned, each for itself.
fn place<'a>(
    bytes: &'a [u8],
    data: u64,
    alignment: u64,
    entries: Vec<Entry<'a>>,
) -> Result<Vec<Tensor<'a>>, GgufError> {
    let mut ranges = Vec::with_capacity(entries.len());
    let mut tensors = Vec::with_capacity(entries.len());
    for entry in entries {
        let tensor = || entry.name.to_owned();
        if entry.offset % alignment != 0 {
            return Err(GgufError::Unaligned {
                tensor: tensor(),
                offset: entry.offset,
                alignment,
            });
        }
        let row = entry.shape.width() / entry.format.block_len() * entry.format.block_bytes();
        let size = (row as u64).saturating_mul(entry.shape.rows() as u64);
        let start = data.saturating_add(entry.offset);
        let end = start.saturating_add(size);
        let inside = usize::try_from(start)
            .ok()
            .zip(usize::try_from(end).ok())
            .and_then(|(start, end)| bytes.get(start..end));
        let inside = inside.ok_or_else(|| GgufError::OutOfFile {
            tensor: tensor(),
            start,
            end,
            len: bytes.len(),
        })?;
        ranges.push((entry.offset, size, entry.name));
        tensors.push(Tensor {
            name: entry.name,
            format: entry.format,
            shape: entry.shape,
            bytes: inside,
        });
    }
    ranges.sort_unstable();
    for pair in ranges.windows(2) {
        let ((start, size, first), (at, _, second)) = (pair[0], pair[1]);
        if start + size > at {
            return Err(GgufError::Overlap {
                first: first.to_owned(),
                second: second.to_owned(),
                at,
            });
        }
    }
    Ok(tensors)
}

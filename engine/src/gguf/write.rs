//! Writing GGUF version 3.

use super::GgufError;
use super::value::{Kind, Value};
use crate::shape::Shape;
use fidelis_simd::Format;
use std::io::{self, Write};
use std::path::Path;

/// A metadata value to be written.
#[derive(Clone, Debug, PartialEq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum OwnedValue {
    U8(u8),
    I8(i8),
    U16(u16),
    I16(i16),
    U32(u32),
    I32(i32),
    F32(f32),
    Bool(bool),
    Str(String),
    /// The type of the elements, which all have it, and they.
    Array(Kind, Vec<Self>),
    U64(u64),
    I64(i64),
    F64(f64),
}

impl OwnedValue {
    /// An array of strings.
    pub fn strings<'s>(texts: impl IntoIterator<Item = &'s str>) -> Self {
        Self::Array(
            Kind::Str,
            texts
                .into_iter()
                .map(|text| Self::Str(text.to_owned()))
                .collect(),
        )
    }

    /// An array of floats.
    pub fn f32s(values: &[f32]) -> Self {
        Self::Array(Kind::F32, values.iter().map(|&x| Self::F32(x)).collect())
    }

    /// An array of integers.
    pub fn i32s(values: &[i32]) -> Self {
        Self::Array(Kind::I32, values.iter().map(|&x| Self::I32(x)).collect())
    }

    fn kind(&self) -> Kind {
        match self {
            Self::U8(_) => Kind::U8,
            Self::I8(_) => Kind::I8,
            Self::U16(_) => Kind::U16,
            Self::I16(_) => Kind::I16,
            Self::U32(_) => Kind::U32,
            Self::I32(_) => Kind::I32,
            Self::F32(_) => Kind::F32,
            Self::Bool(_) => Kind::Bool,
            Self::Str(_) => Kind::Str,
            Self::Array(..) => Kind::Array,
            Self::U64(_) => Kind::U64,
            Self::I64(_) => Kind::I64,
            Self::F64(_) => Kind::F64,
        }
    }

    fn write(&self, to: &mut Vec<u8>) {
        match self {
            Self::U8(x) => to.push(*x),
            Self::I8(x) => to.push(x.cast_unsigned()),
            Self::U16(x) => to.extend(x.to_le_bytes()),
            Self::I16(x) => to.extend(x.to_le_bytes()),
            Self::U32(x) => to.extend(x.to_le_bytes()),
            Self::I32(x) => to.extend(x.to_le_bytes()),
            Self::F32(x) => to.extend(x.to_le_bytes()),
            Self::Bool(x) => to.push(u8::from(*x)),
            Self::Str(x) => text(to, x),
            Self::Array(kind, values) => {
                to.extend((*kind as u32).to_le_bytes());
                to.extend((values.len() as u64).to_le_bytes());
                values.iter().for_each(|value| value.write(to));
            }
            Self::U64(x) => to.extend(x.to_le_bytes()),
            Self::I64(x) => to.extend(x.to_le_bytes()),
            Self::F64(x) => to.extend(x.to_le_bytes()),
        }
    }
}

impl From<&Value<'_>> for OwnedValue {
    fn from(value: &Value<'_>) -> Self {
        match *value {
            Value::U8(x) => Self::U8(x),
            Value::I8(x) => Self::I8(x),
            Value::U16(x) => Self::U16(x),
            Value::I16(x) => Self::I16(x),
            Value::U32(x) => Self::U32(x),
            Value::I32(x) => Self::I32(x),
            Value::F32(x) => Self::F32(x),
            Value::Bool(x) => Self::Bool(x),
            Value::Str(x) => Self::Str(x.to_owned()),
            Value::Array(array) => Self::Array(
                array.kind(),
                array.values().map(|value| Self::from(&value)).collect(),
            ),
            Value::U64(x) => Self::U64(x),
            Value::I64(x) => Self::I64(x),
            Value::F64(x) => Self::F64(x),
        }
    }
}

fn text(to: &mut Vec<u8>, text: &str) {
    to.extend((text.len() as u64).to_le_bytes());
    to.extend(text.as_bytes());
}

/// Gives a tensor's bytes when they are written.
type Source<'s> = Box<dyn FnMut(&mut dyn Write) -> io::Result<()> + 's>;

struct Planned<'s> {
    name: String,
    format: Format,
    shape: Shape,
    bytes: usize,
    source: Source<'s>,
}

/// A file to be written: metadata, then tensors whose bytes are made while writing.
#[derive(Default)]
pub struct Writer<'s> {
    metadata: Vec<(String, OwnedValue)>,
    tensors: Vec<Planned<'s>>,
}

/// The alignment of tensors.
const ALIGNMENT: usize = 32;

/// Counts what passes through.
struct Counted<W> {
    to: W,
    bytes: usize,
}

impl<W: Write> Write for Counted<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.to.write(bytes)?;
        self.bytes += written;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

impl<'s> Writer<'s> {
    /// Sets a key; setting it again replaces the value.
    pub fn set(&mut self, key: &str, value: OwnedValue) -> &mut Self {
        match self.metadata.iter_mut().find(|(at, _)| at == key) {
            Some((_, old)) => *old = value,
            None => self.metadata.push((key.to_owned(), value)),
        }
        self
    }

    /// Adds a tensor whose bytes `source` writes: rows of whole blocks.
    ///
    /// # Panics
    ///
    /// If the rows do not fill whole blocks.
    pub fn tensor(
        &mut self,
        name: &str,
        format: Format,
        shape: Shape,
        source: impl FnMut(&mut dyn Write) -> io::Result<()> + 's,
    ) -> &mut Self {
        let row = format
            .bytes_of(shape.width())
            .expect("rows of whole blocks");
        self.tensors.push(Planned {
            name: name.to_owned(),
            format,
            shape,
            bytes: row * shape.rows(),
            source: Box::new(source),
        });
        self
    }

    fn header(&self) -> Vec<u8> {
        let mut header = b"GGUF\x03\0\0\0".to_vec();
        header.extend((self.tensors.len() as u64).to_le_bytes());
        header.extend((self.metadata.len() as u64).to_le_bytes());
        for (key, value) in &self.metadata {
            text(&mut header, key);
            header.extend((value.kind() as u32).to_le_bytes());
            value.write(&mut header);
        }
        let mut offset = 0_usize;
        for tensor in &self.tensors {
            text(&mut header, &tensor.name);
            let used = 1 + tensor.shape.0.iter().rposition(|&n| n != 1).unwrap_or(0);
            header.extend((used as u32).to_le_bytes());
            for &dim in &tensor.shape.0[..used] {
                header.extend((dim as u64).to_le_bytes());
            }
            header.extend(tensor.format.id().to_le_bytes());
            header.extend((offset as u64).to_le_bytes());
            offset += tensor.bytes.next_multiple_of(ALIGNMENT);
        }
        header.resize(header.len().next_multiple_of(ALIGNMENT), 0);
        header
    }

    /// Writes everything to `to`.
    ///
    /// # Errors
    ///
    /// The writer's own, or `InvalidData` around [`GgufError::Written`] if a source gives too many or too few bytes.
    pub fn write(&mut self, to: &mut dyn Write) -> io::Result<()> {
        to.write_all(&self.header())?;
        for tensor in &mut self.tensors {
            let mut counted = Counted {
                to: &mut *to,
                bytes: 0,
            };
            (tensor.source)(&mut counted)?;
            let (found, wanted) = (counted.bytes, tensor.bytes);
            if found != wanted {
                let error = GgufError::Written {
                    tensor: tensor.name.clone(),
                    found,
                    wanted,
                };
                return Err(io::Error::new(io::ErrorKind::InvalidData, error));
            }
            to.write_all(&[0; ALIGNMENT][..wanted.next_multiple_of(ALIGNMENT) - wanted])?;
        }
        to.flush()
    }

    /// Writes a file: `path` is the old one or the whole new one.
    ///
    /// # Errors
    ///
    /// [`GgufError::Write`] naming the file.
    pub fn write_file(&mut self, path: &Path) -> Result<(), GgufError> {
        crate::atomic::write_file(path, |to| self.write(to)).map_err(|source| GgufError::Write {
            path: path.to_owned(),
            source,
        })
    }
}

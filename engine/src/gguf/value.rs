//! Metadata values, borrowed from the file.

use super::GgufError;
use super::cursor::Cursor;
use std::fmt;

/// The type of a metadata value, with GGUF's number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Kind {
    U8 = 0,
    I8 = 1,
    U16 = 2,
    I16 = 3,
    U32 = 4,
    I32 = 5,
    F32 = 6,
    Bool = 7,
    Str = 8,
    Array = 9,
    U64 = 10,
    I64 = 11,
    F64 = 12,
}

impl Kind {
    const ALL: [Self; 13] = [
        Self::U8,
        Self::I8,
        Self::U16,
        Self::I16,
        Self::U32,
        Self::I32,
        Self::F32,
        Self::Bool,
        Self::Str,
        Self::Array,
        Self::U64,
        Self::I64,
        Self::F64,
    ];

    /// The type with GGUF's number `id`.
    pub fn from_id(id: u32) -> Option<Self> {
        Self::ALL.into_iter().find(|&kind| kind as u32 == id)
    }

    /// Bytes of a value, if all have the same.
    pub(super) fn bytes(self) -> Option<usize> {
        match self {
            Self::U8 | Self::I8 | Self::Bool => Some(1),
            Self::U16 | Self::I16 => Some(2),
            Self::U32 | Self::I32 | Self::F32 => Some(4),
            Self::U64 | Self::I64 | Self::F64 => Some(8),
            Self::Str | Self::Array => None,
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{self:?}").to_lowercase())
    }
}

/// A metadata value.
#[derive(Clone, Copy, Debug, PartialEq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Value<'a> {
    U8(u8),
    I8(i8),
    U16(u16),
    I16(i16),
    U32(u32),
    I32(i32),
    F32(f32),
    Bool(bool),
    Str(&'a str),
    Array(Array<'a>),
    U64(u64),
    I64(i64),
    F64(f64),
}

impl<'a> Value<'a> {
    /// The value's type.
    pub fn kind(&self) -> Kind {
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
            Self::Array(_) => Kind::Array,
            Self::U64(_) => Kind::U64,
            Self::I64(_) => Kind::I64,
            Self::F64(_) => Kind::F64,
        }
    }

    /// The value of an integer that is not negative.
    pub fn as_u64(&self) -> Option<u64> {
        match *self {
            Self::U8(x) => Some(x.into()),
            Self::U16(x) => Some(x.into()),
            Self::U32(x) => Some(x.into()),
            Self::U64(x) => Some(x),
            Self::I8(x) => x.try_into().ok(),
            Self::I16(x) => x.try_into().ok(),
            Self::I32(x) => x.try_into().ok(),
            Self::I64(x) => x.try_into().ok(),
            _ => None,
        }
    }

    /// The value of any number.
    pub fn as_f64(&self) -> Option<f64> {
        match *self {
            Self::F32(x) => Some(x.into()),
            Self::F64(x) => Some(x),
            Self::I8(x) => Some(x.into()),
            Self::I16(x) => Some(x.into()),
            Self::I32(x) => Some(x.into()),
            Self::I64(x) => Some(x as f64),
            _ => self.as_u64().map(|x| x as f64),
        }
    }

    /// Reads a value of type `kind`; `depth` more arrays may be nested.
    pub(super) fn read(
        cursor: &mut Cursor<'a>,
        kind: Kind,
        key: &str,
        depth: usize,
    ) -> Result<Self, GgufError> {
        const WHAT: &str = "a metadata value";
        Ok(match kind {
            Kind::U8 => Self::U8(cursor.u8(WHAT)?),
            Kind::I8 => Self::I8(cursor.u8(WHAT)?.cast_signed()),
            Kind::U16 => Self::U16(cursor.u16(WHAT)?),
            Kind::I16 => Self::I16(cursor.u16(WHAT)?.cast_signed()),
            Kind::U32 => Self::U32(cursor.u32(WHAT)?),
            Kind::I32 => Self::I32(cursor.u32(WHAT)?.cast_signed()),
            Kind::F32 => Self::F32(f32::from_bits(cursor.u32(WHAT)?)),
            Kind::Bool => Self::Bool(cursor.u8(WHAT)? != 0),
            Kind::Str => Self::Str(cursor.str("a string value")?),
            Kind::Array => Self::Array(Array::read(cursor, key, depth)?),
            Kind::U64 => Self::U64(cursor.u64(WHAT)?),
            Kind::I64 => Self::I64(cursor.u64(WHAT)?.cast_signed()),
            Kind::F64 => Self::F64(f64::from_bits(cursor.u64(WHAT)?)),
        })
    }
}

/// How deep arrays may be nested.
pub(super) const DEPTH: usize = 4;

/// An array of metadata, still as the file holds it.
#[derive(Clone, Copy, Debug)]
pub struct Array<'a> {
    kind: Kind,
    len: usize,
    bytes: &'a [u8],
}

impl PartialEq for Array<'_> {
    fn eq(&self, other: &Self) -> bool {
        (self.kind, self.len, self.bytes) == (other.kind, other.len, other.bytes)
    }
}

impl<'a> Array<'a> {
    /// Steps over an array.
    fn read(cursor: &mut Cursor<'a>, key: &str, depth: usize) -> Result<Self, GgufError> {
        let depth = depth.checked_sub(1).ok_or_else(|| GgufError::Depth {
            key: key.to_owned(),
            limit: DEPTH,
        })?;
        let at = cursor.at();
        let id = cursor.u32("an array's type")?;
        let kind = Kind::from_id(id).ok_or_else(|| GgufError::Kind {
            id,
            key: key.to_owned(),
            at,
        })?;
        let least = kind
            .bytes()
            .unwrap_or(if kind == Kind::Str { 8 } else { 12 });
        let len = cursor.count("array elements", least)?;
        let mut end = *cursor;
        match kind.bytes() {
            Some(bytes) => {
                end.take(bytes * len, "an array")?;
            }
            None => {
                for _ in 0..len {
                    Value::read(&mut end, kind, key, depth)?;
                }
            }
        }
        let bytes = cursor.take(end.at() - cursor.at(), "an array")?;
        Ok(Self { kind, len, bytes })
    }

    /// Elements.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The type of the elements.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The elements, in order.
    pub fn values(&self) -> impl Iterator<Item = Value<'a>> {
        let (mut cursor, kind) = (Cursor::new(self.bytes), self.kind);
        // Every element was read once when the file was, so none fails.
        (0..self.len).map_while(move |_| Value::read(&mut cursor, kind, "", DEPTH).ok())
    }

    /// The elements, if all are strings.
    pub fn strings(&self) -> Option<Vec<&'a str>> {
        self.values()
            .map(|value| {
                if let Value::Str(text) = value {
                    Some(text)
                } else {
                    None
                }
            })
            .collect()
    }

    /// The elements, if all are numbers.
    pub fn f32s(&self) -> Option<Vec<f32>> {
        self.values()
            .map(|value| value.as_f64().map(|x| x as f32))
            .collect()
    }

    /// The elements, if all are integers that fit.
    pub fn u32s(&self) -> Option<Vec<u32>> {
        self.values()
            .map(|value| value.as_u64().and_then(|x| x.try_into().ok()))
            .collect()
    }
}

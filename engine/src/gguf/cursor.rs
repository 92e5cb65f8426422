//! Reading little-endian numbers and strings one after another.

use super::GgufError;

/// A place in the bytes of a file.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// Bytes before.
    pub(super) fn at(&self) -> usize {
        self.at
    }

    /// Bytes after.
    pub(super) fn left(&self) -> usize {
        self.bytes.len() - self.at
    }

    /// The next `len` bytes.
    pub(super) fn take(&mut self, len: usize, what: &'static str) -> Result<&'a [u8], GgufError> {
        let end = self
            .at
            .checked_add(len)
            .filter(|&end| end <= self.bytes.len());
        let end = end.ok_or(GgufError::Truncated {
            what,
            at: self.at,
            end: self.bytes.len(),
        })?;
        let taken = &self.bytes[self.at..end];
        self.at = end;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self, what: &'static str) -> Result<[u8; N], GgufError> {
        let mut array = [0; N];
        array.copy_from_slice(self.take(N, what)?);
        Ok(array)
    }

    pub(super) fn u8(&mut self, what: &'static str) -> Result<u8, GgufError> {
        self.array(what).map(u8::from_le_bytes)
    }

    pub(super) fn u16(&mut self, what: &'static str) -> Result<u16, GgufError> {
        self.array(what).map(u16::from_le_bytes)
    }

    pub(super) fn u32(&mut self, what: &'static str) -> Result<u32, GgufError> {
        self.array(what).map(u32::from_le_bytes)
    }

    pub(super) fn u64(&mut self, what: &'static str) -> Result<u64, GgufError> {
        self.array(what).map(u64::from_le_bytes)
    }

    /// A count of things of at least `least` bytes each, which the rest must be able to hold.
    pub(super) fn count(&mut self, what: &'static str, least: usize) -> Result<usize, GgufError> {
        let at = self.at;
        let count = self.u64(what)?;
        let fits = usize::try_from(count).ok().filter(|count| {
            count
                .checked_mul(least)
                .is_some_and(|bytes| bytes <= self.left())
        });
        fits.ok_or(GgufError::Count {
            what,
            count,
            at,
            left: self.left(),
        })
    }

    /// A string: its length, then its bytes.
    pub(super) fn str(&mut self, what: &'static str) -> Result<&'a str, GgufError> {
        let len = self.count(what, 1)?;
        let at = self.at;
        std::str::from_utf8(self.take(len, what)?).map_err(|_| GgufError::Utf8 { what, at })
    }
}

//! Files are read into memory.

use std::fs::File;
use std::io::{self, Read};
use std::ops::Deref;

/// The bytes of a file.
#[derive(Debug)]
pub(super) struct Map(Vec<u8>);

impl Map {
    /// Reads a file to its end.
    pub(super) fn new(mut file: File) -> io::Result<Self> {
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        Ok(Self(bytes))
    }

    /// Bytes of memory.
    pub(super) fn bytes_held(&self) -> usize {
        self.0.capacity()
    }

    /// Does nothing: there is no file to read them from again.
    pub(super) fn drop_pages(&self, offset: usize, len: usize) {
        let _ = (offset, len);
    }
}

impl Deref for Map {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

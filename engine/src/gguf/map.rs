//! A mapped file.

use memmap2::Mmap;
use std::fs::File;
use std::io;
use std::ops::Deref;

/// The bytes of a file, as the system maps them.
#[derive(Debug)]
pub(super) struct Map(Mmap);

impl Map {
    /// Maps a file that has bytes.
    #[expect(unsafe_code, reason = "mapping a file is unsafe by nature")]
    pub(super) fn new(file: File) -> io::Result<Self> {
        // SAFETY: the map is only read; that nobody changes the file meanwhile is asked of the user.
        unsafe { Mmap::map(&file) }.map(Self)
    }
}

impl Deref for Map {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

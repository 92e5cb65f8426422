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

    /// Bytes of memory besides pages of the file.
    pub(super) fn bytes_held(&self) -> usize {
        0
    }

    /// Gives back the pages of `len` bytes from `offset`, and those that were brought in with them.
    pub(super) fn drop_pages(&self, offset: usize, len: usize) {
        pages::drop(&self.0, offset, len);
    }
}

impl Deref for Map {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

#[cfg(unix)]
mod pages {
    //! Pages that the system may have.

    use memmap2::{Mmap, UncheckedAdvice};

    /// Pages that the system brings in together when one of them is read.
    const TOGETHER: usize = 64 << 10;

    /// Gives back the pages of `len` bytes from `offset`, and those that were brought in with them.
    #[expect(
        unsafe_code,
        reason = "advice that discards memory is unsafe by nature"
    )]
    pub(super) fn drop(map: &Mmap, offset: usize, len: usize) {
        let before = (map.as_ptr().addr() + offset) % TOGETHER;
        let start = offset.saturating_sub(before);
        let end = (offset + len).next_multiple_of(TOGETHER).min(map.len());
        // SAFETY: the pages are a file's and nobody writes them, so that whoever reads them gets the same bytes again.
        let dropped =
            unsafe { map.unchecked_advise_range(UncheckedAdvice::DontNeed, start, end - start) };
        // It was advice; the pages stay, and nothing is wrong.
        let _ = dropped;
    }
}

#[cfg(not(unix))]
mod pages {
    //! Pages are the system's own affair here.

    use memmap2::Mmap;

    pub(super) fn drop(_: &Mmap, _: usize, _: usize) {}
}

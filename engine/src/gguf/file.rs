//! Files mapped into memory, or read into it.

use super::map::Map;
use super::{Gguf, GgufError, guard};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// A GGUF file, or all parts of a split one: mapped, or read into memory, as always in an engine without the feature `mmap`.
#[derive(Debug)]
pub struct File {
    parts: Vec<Part>,
}

/// The bytes of one file.
#[derive(Debug)]
enum Part {
    /// Pages come from the file when they are read.
    Mapped {
        /// Before the map: it ends first.
        _watch: Option<guard::Watch>,
        map: Map,
    },
    /// A copy.
    Read(Vec<u8>),
}

impl Part {
    fn bytes(&self) -> &[u8] {
        match self {
            Self::Mapped { map, .. } => map,
            Self::Read(bytes) => bytes,
        }
    }
}

impl File {
    /// Opens `path`, and its siblings if it is named `…-00001-of-0000N.gguf`.
    ///
    /// The file must not be changed while it is mapped; [`guard::install`] says what can be done about one that is cut short.
    ///
    /// # Errors
    ///
    /// [`GgufError`] if a part is missing or cannot be read.
    pub fn open(path: &Path) -> Result<Self, GgufError> {
        Self::of(path, map)
    }

    /// Reads the same into memory: whatever happens to the file then changes nothing.
    ///
    /// # Errors
    ///
    /// [`GgufError`] if a part is missing or cannot be read.
    pub fn read(path: &Path) -> Result<Self, GgufError> {
        Self::of(path, read)
    }

    fn of(path: &Path, part: fn(&Path) -> Result<Part, GgufError>) -> Result<Self, GgufError> {
        let paths = match split(path) {
            None => vec![path.to_owned()],
            Some((_, part @ 2.., count)) => {
                return Err(GgufError::NotFirstPart {
                    path: path.to_owned(),
                    part,
                    count,
                });
            }
            Some((stem, _, count)) => siblings(path, &stem, count)?,
        };
        let parts = paths.iter().map(|path| part(path));
        Ok(Self {
            parts: parts.collect::<Result<_, _>>()?,
        })
    }

    /// Reads the header.
    ///
    /// # Errors
    ///
    /// As [`Gguf::read`].
    pub fn gguf(&self) -> Result<Gguf<'_>, GgufError> {
        let parts: Vec<&[u8]> = self.parts().collect();
        let gguf = Gguf::read_parts(&parts);
        // What a file that is gone seems to say is no reason.
        guard::check(parts.into_iter())?;
        gguf
    }

    /// The bytes of every part, in order.
    pub fn parts(&self) -> impl Iterator<Item = &[u8]> {
        self.parts.iter().map(Part::bytes)
    }

    /// Bytes of all parts.
    pub fn len_bytes(&self) -> u64 {
        self.parts().map(|part| part.len() as u64).sum()
    }

    /// Bytes of memory that are held besides mapped pages.
    pub fn bytes_read(&self) -> usize {
        let read = self.parts.iter().map(|part| match part {
            Part::Mapped { map, .. } => map.bytes_held(),
            Part::Read(bytes) => bytes.capacity(),
        });
        read.sum()
    }

    /// Lets the system have the pages on which `bytes` of this file lie, and some beside them; they are read again when they are next needed.
    ///
    /// Nothing happens to bytes of another origin, to a file that was [read](Self::read), or where the system cannot do that.
    pub fn drop_pages(&self, bytes: &[u8]) {
        let within = self.parts.iter().find_map(|part| match part {
            Part::Mapped { map, .. } => {
                let offset = bytes.as_ptr().addr().checked_sub(map.as_ptr().addr())?;
                (offset + bytes.len() <= map.len()).then_some((map, offset))
            }
            Part::Read(_) => None,
        });
        if let Some((map, offset)) = within {
            map.drop_pages(offset, bytes.len());
        }
    }
}

/// The stem, part and count of a name like `stem-00001-of-00003.gguf`.
fn split(path: &Path) -> Option<(String, u32, u32)> {
    let name = path.file_name()?.to_str()?.strip_suffix(".gguf")?;
    let (rest, count) = name.rsplit_once("-of-")?;
    let (stem, part) = rest.rsplit_once('-')?;
    let number = |text: &str| (text.len() == 5).then(|| text.parse().ok()).flatten();
    Some((stem.to_owned(), number(part)?, number(count)?))
}

fn siblings(path: &Path, stem: &str, count: u32) -> Result<Vec<PathBuf>, GgufError> {
    let sibling = |part| {
        let sibling = path.with_file_name(format!("{stem}-{part:05}-of-{count:05}.gguf"));
        if sibling.exists() {
            Ok(sibling)
        } else {
            Err(GgufError::MissingPart {
                path: sibling,
                first: path.to_owned(),
                count,
            })
        }
    };
    (1..=count.max(1)).map(sibling).collect()
}

/// Opens a part, which is not empty.
fn open(path: &Path) -> Result<(std::fs::File, u64), GgufError> {
    let file = std::fs::File::open(path).map_err(|source| failed(path, source))?;
    let metadata = file.metadata().map_err(|source| failed(path, source))?;
    if metadata.is_dir() {
        return Err(GgufError::Directory {
            path: path.to_owned(),
        });
    }
    if metadata.len() == 0 {
        return Err(GgufError::Foreign {
            what: "an empty file",
        });
    }
    Ok((file, metadata.len()))
}

fn failed(path: &Path, source: io::Error) -> GgufError {
    GgufError::Io {
        path: path.to_owned(),
        source,
    }
}

fn map(path: &Path) -> Result<Part, GgufError> {
    let (file, _) = open(path)?;
    let map = Map::new(file).map_err(|source| failed(path, source))?;
    Ok(Part::Mapped {
        _watch: guard::Watch::new(path, &map),
        map,
    })
}

fn read(path: &Path) -> Result<Part, GgufError> {
    let (mut file, len) = open(path)?;
    let no_room = |_| failed(path, io::ErrorKind::OutOfMemory.into());
    let mut bytes = Vec::new();
    bytes
        .try_reserve_exact(usize::try_from(len).unwrap_or(usize::MAX))
        .map_err(no_room)?;
    file.read_to_end(&mut bytes)
        .map_err(|source| failed(path, source))?;
    Ok(Part::Read(bytes))
}

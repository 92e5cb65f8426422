//! Files as bytes in memory.

use super::map::Map;
use super::{Gguf, GgufError};
use std::path::{Path, PathBuf};

/// A GGUF file, or all parts of a split one: mapped, or read into memory in an engine without the feature `mmap`.
#[derive(Debug)]
pub struct File {
    parts: Vec<Map>,
}

impl File {
    /// Opens `path`, and its siblings if it is named `…-00001-of-0000N.gguf`.
    ///
    /// The file must not be changed while it is mapped.
    ///
    /// # Errors
    ///
    /// [`GgufError`] if a part is missing or cannot be read.
    pub fn open(path: &Path) -> Result<Self, GgufError> {
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
        let parts = paths
            .iter()
            .map(|path| map(path))
            .collect::<Result<_, _>>()?;
        Ok(Self { parts })
    }

    /// Reads the header.
    ///
    /// # Errors
    ///
    /// As [`Gguf::read`].
    pub fn gguf(&self) -> Result<Gguf<'_>, GgufError> {
        let parts: Vec<&[u8]> = self.parts.iter().map(|part| &part[..]).collect();
        Gguf::read_parts(&parts)
    }

    /// The bytes of every part, in order.
    pub fn parts(&self) -> impl Iterator<Item = &[u8]> {
        self.parts.iter().map(|part| &part[..])
    }

    /// Bytes of all parts.
    pub fn len_bytes(&self) -> u64 {
        self.parts.iter().map(|part| part.len() as u64).sum()
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

fn map(path: &Path) -> Result<Map, GgufError> {
    let failed = |source| GgufError::Io {
        path: path.to_owned(),
        source,
    };
    let file = std::fs::File::open(path).map_err(failed)?;
    let metadata = file.metadata().map_err(failed)?;
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
    Map::new(file).map_err(failed)
}

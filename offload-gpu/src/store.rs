//! Compiled kernels on disk, so that a driver compiles them once.

use crate::trust;
use std::io::Write as _;
use std::path::{Path, PathBuf};

/// Bytes of the digest that a file begins with.
const DIGEST: usize = 32;

/// The driver's cache of compiled kernels, and the file that it comes from and goes to.
pub(crate) struct Store {
    pub(crate) cache: wgpu::PipelineCache,
    file: PathBuf,
}

impl Store {
    /// The cache of an adapter, with what an earlier process left in `folder`; `None` if the adapter has none.
    pub(crate) fn open(
        device: &wgpu::Device,
        info: &wgpu::AdapterInfo,
        folder: &Path,
    ) -> Option<Self> {
        if !device.features().contains(wgpu::Features::PIPELINE_CACHE) {
            return None;
        }
        let file = folder.join(wgpu::util::pipeline_cache_key(info)?);
        let data = std::fs::read(&file).ok();
        let cache = trust::pipelines(device, data.as_deref().and_then(unsealed));
        Some(Self { cache, file })
    }

    /// Keeps what has been compiled; false if it cannot be kept, so that the next process compiles again.
    pub(crate) fn save(&self) -> bool {
        let data = self.cache.get_data();
        data.is_some_and(|data| replace(&self.file, &sealed(&data)).is_ok())
    }
}

/// Where this system keeps what programs can make again: `FIDELIS_CACHE`, or the user's own folder for that.
/// `None` if there is none, or `FIDELIS_CACHE` is empty.
pub(crate) fn folder() -> Option<PathBuf> {
    let named = |name| std::env::var_os(name).map(PathBuf::from);
    if let Some(folder) = named("FIDELIS_CACHE") {
        return (!folder.as_os_str().is_empty()).then_some(folder);
    }
    let base = named("XDG_CACHE_HOME")
        .or_else(|| named("LOCALAPPDATA"))
        .or_else(|| Some(named("HOME")?.join(".cache")))?;
    base.is_absolute().then(|| base.join("fidelis"))
}

/// The data behind its digest.
fn sealed(data: &[u8]) -> Vec<u8> {
    let mut sealed = blake3::hash(data).as_bytes().to_vec();
    sealed.extend_from_slice(data);
    sealed
}

/// The data, if nothing has changed it.
fn unsealed(sealed: &[u8]) -> Option<&[u8]> {
    let (digest, data) = sealed.split_at_checked(DIGEST)?;
    (blake3::hash(data).as_bytes() == digest).then_some(data)
}

/// Writes a file beside its place and moves it there, so that others see it whole or not at all.
fn replace(file: &Path, bytes: &[u8]) -> std::io::Result<()> {
    if std::fs::read(file).is_ok_and(|old| old == bytes) {
        return Ok(());
    }
    let folder = file.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder)?;
    let beside = file.with_extension(format!("{}.part", std::process::id()));
    let written = std::fs::File::create(&beside).and_then(|mut part| part.write_all(bytes));
    let moved = written.and_then(|()| std::fs::rename(&beside, file));
    if moved.is_err() {
        let _ = std::fs::remove_file(&beside);
    }
    moved
}

#[cfg(test)]
mod tests {
    use super::{replace, sealed, unsealed};

    #[test]
    fn a_file_that_was_changed_or_cut_off_is_not_used() {
        let whole = sealed(b"compiled kernels");
        assert_eq!(unsealed(&whole), Some(&b"compiled kernels"[..]));
        for cut in 0..whole.len() {
            assert_eq!(unsealed(&whole[..cut]), None, "{cut} bytes");
        }
        for at in 0..whole.len() {
            let mut changed = whole.clone();
            changed[at] ^= 4;
            assert_eq!(unsealed(&changed), None, "byte {at}");
        }
    }

    #[test]
    fn a_file_is_replaced_whole_and_nothing_is_left_beside_it() {
        let folder = std::env::temp_dir().join(format!("fidelis-store-{}", std::process::id()));
        let file = folder.join("deep").join("kernels");
        for text in ["one", "another", "another"] {
            replace(&file, text.as_bytes()).expect("the folder can be written");
            assert_eq!(std::fs::read_to_string(&file).expect("written"), text);
        }
        let beside = file.parent().expect("a folder").read_dir().expect("read");
        assert_eq!(beside.count(), 1);
        std::fs::remove_dir_all(&folder).expect("removed");
    }
}

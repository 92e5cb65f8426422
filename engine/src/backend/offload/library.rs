//! Finding and loading a plug-in.

use super::device::{check, text_or};
use super::error::OffloadError;
use super::loader;
use fidelis_abi::{Api, DeviceInfo, Message, Text, VERSION};
use std::env::consts::{DLL_PREFIX, DLL_SUFFIX};
use std::path::{Path, PathBuf};

/// The name of the GPU plug-in, without the system's additions.
const NAME: &str = "fidelis_offload_gpu";

/// Devices listed at most.
const DEVICES: usize = 64;

/// The functions of the table, in order; the last one may be missing.
const FUNCTIONS: [&str; 14] = [
    "about is null",
    "devices is null",
    "open is null",
    "close is null",
    "memory is null",
    "supports is null",
    "weight is null",
    "upload is null",
    "drop_weight is null",
    "plan is null",
    "drop_plan is null",
    "profile is null",
    "run is null",
    "greedy",
];

const _: () = assert!(size_of::<Api>() == 8 + FUNCTIONS.len() * size_of::<usize>());

/// A loaded plug-in. It stays loaded until the process ends.
#[derive(Clone, Debug)]
pub struct Plugin {
    pub(super) api: &'static Api,
    path: PathBuf,
}

impl Plugin {
    /// Loads the library at `path`. Its code runs: it must be trusted as the program itself is.
    ///
    /// # Errors
    ///
    /// [`OffloadError`]: no such file, not a library, not a plug-in, of another version, a broken table.
    pub fn open(path: &Path) -> Result<Self, OffloadError> {
        // A bare name would be looked for along the system's search path.
        let path = path
            .canonicalize()
            .ok()
            .filter(|path| path.is_file())
            .ok_or_else(|| OffloadError::Missing {
                path: path.to_owned(),
            })?;
        let entry = match loader::entry(&path) {
            Ok(Some(entry)) => entry,
            Ok(None) => {
                return Err(OffloadError::MissingSymbol {
                    path,
                    symbol: "fidelis_offload_entry",
                });
            }
            Err(source) => return Err(OffloadError::NotLibrary { path, source }),
        };
        // SAFETY: the entry may be called from any thread with any version.
        let table = unsafe { entry(VERSION) };
        let api = read_table(table, &path)?;
        Ok(Self { api, path })
    }

    /// Loads the GPU plug-in that lies beside the program. The working directory does not matter.
    ///
    /// # Errors
    ///
    /// As for [`Self::open`].
    pub fn beside_program() -> Result<Self, OffloadError> {
        let program = std::env::current_exe()
            .and_then(|program| program.canonicalize())
            .map_err(OffloadError::NoFolder)?;
        Self::open(&program.with_file_name(format!("{DLL_PREFIX}{NAME}{DLL_SUFFIX}")))
    }

    /// Where it lies.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Its name and version.
    pub fn about(&self) -> String {
        let mut about = Text::empty();
        // SAFETY: the text is ours and lives through the call.
        unsafe { (self.api.about)(&raw mut about) };
        text_or(&about, "a plug-in without a name")
    }

    /// The devices there are, the best first.
    ///
    /// # Errors
    ///
    /// [`OffloadError`] if the plug-in cannot tell.
    pub fn devices(&self) -> Result<Vec<DeviceInfo>, OffloadError> {
        let mut infos = vec![DeviceInfo::empty(); DEVICES];
        let (mut count, mut message) = (0, Message::empty());
        // SAFETY: there is room for as many as said, and everything lives through the call.
        let status = unsafe {
            (self.api.devices)(
                infos.as_mut_ptr(),
                DEVICES as u32,
                &raw mut count,
                &raw mut message,
            )
        };
        check("devices", status, &message, &[])?;
        infos.truncate(count as usize);
        Ok(infos)
    }

    /// The device at this place of the list.
    ///
    /// # Errors
    ///
    /// [`OffloadError::NoDevice`] and [`OffloadError::NoSuchDevice`], and what [`Self::devices`] gives.
    pub fn device(&self, index: u32) -> Result<DeviceInfo, OffloadError> {
        let devices = self.devices()?;
        if devices.is_empty() {
            return Err(OffloadError::NoDevice);
        }
        let count = devices.len();
        devices
            .into_iter()
            .nth(index as usize)
            .ok_or(OffloadError::NoSuchDevice { index, count })
    }
}

/// Checks the version, then the size, then that no function is null; only then it is a table.
fn read_table(table: *const Api, path: &Path) -> Result<&'static Api, OffloadError> {
    let path = || path.to_owned();
    if table.is_null() {
        return Err(OffloadError::Refused {
            path: path(),
            wanted: VERSION,
        });
    }
    if !table.is_aligned() {
        return Err(OffloadError::BrokenTable {
            path: path(),
            what: "it is not aligned",
        });
    }
    let numbers = table.cast::<u32>();
    // SAFETY: every table of every version starts with these two numbers.
    let (found, size) = unsafe { (numbers.read(), numbers.add(1).read()) };
    if found != VERSION {
        return Err(OffloadError::Version {
            path: path(),
            found,
            wanted: VERSION,
        });
    }
    if (size as usize) < size_of::<Api>() {
        return Err(OffloadError::ShortTable {
            path: path(),
            found: size,
            wanted: size_of::<Api>(),
        });
    }
    // SAFETY: the table is as large as that; a function pointer is a word, and a null one is no function.
    let words =
        unsafe { std::slice::from_raw_parts(numbers.add(2).cast::<*const ()>(), FUNCTIONS.len()) };
    let needed = words.iter().zip(FUNCTIONS).take(FUNCTIONS.len() - 1);
    if let Some((_, what)) = needed.into_iter().find(|(word, _)| word.is_null()) {
        return Err(OffloadError::BrokenTable { path: path(), what });
    }
    // SAFETY: version, size and pointers are right, and by the contract it lives as long as the process.
    Ok(unsafe { &*table })
}

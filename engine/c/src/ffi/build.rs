//! What this library is.

use fidelis_engine::sample::SPECIFICATION;
use fidelis_simd::Level;
use std::ffi::{CString, c_char};
use std::sync::OnceLock;

/// The library's version, such as "0.1.0". Never freed.
///
/// Threads: any, at any time.
#[unsafe(no_mangle)]
pub extern "C" fn fidelis_version() -> *const c_char {
    const VERSION: &str = concat!(env!("CARGO_PKG_VERSION"), "\0");
    VERSION.as_ptr().cast()
}

/// How the library was built: version, machine, system, profile. Never freed.
///
/// Threads: any, at any time.
#[unsafe(no_mangle)]
pub extern "C" fn fidelis_build() -> *const c_char {
    static BUILD: OnceLock<CString> = OnceLock::new();
    kept(&BUILD, || {
        let profile = if cfg!(debug_assertions) {
            "debug"
        } else {
            "release"
        };
        format!(
            "fidelis {} {}-{} {profile}",
            env!("CARGO_PKG_VERSION"),
            std::env::consts::ARCH,
            std::env::consts::OS
        )
    })
}

/// The SIMD levels that this machine can run, from the slowest to the fastest, separated by commas. Never freed.
///
/// Threads: any, at any time.
#[unsafe(no_mangle)]
pub extern "C" fn fidelis_levels() -> *const c_char {
    static LEVELS: OnceLock<CString> = OnceLock::new();
    kept(&LEVELS, || {
        let names: Vec<&str> = Level::available()
            .iter()
            .map(|level| level.name())
            .collect();
        names.join(",")
    })
}

/// The rules of sampling.
pub(super) fn sampling() -> *const c_char {
    static SAMPLING: OnceLock<CString> = OnceLock::new();
    kept(&SAMPLING, || SPECIFICATION.to_owned())
}

/// A level's name.
pub(super) fn level_name(level: Level) -> *const c_char {
    static NAMES: OnceLock<Vec<CString>> = OnceLock::new();
    let names = NAMES.get_or_init(|| {
        let levels = Level::available().into_iter();
        levels
            .filter_map(|level| CString::new(level.name()).ok())
            .collect()
    });
    let found = names
        .iter()
        .find(|name| name.as_bytes() == level.name().as_bytes());
    found.map_or(c"".as_ptr(), |name| name.as_ptr())
}

fn kept(text: &'static OnceLock<CString>, make: impl FnOnce() -> String) -> *const c_char {
    text.get_or_init(|| CString::new(make()).unwrap_or_default())
        .as_ptr()
}

//! The library that was built, and what it exports.

use fidelis_engine::backend::offload::Plugin;
use std::env::consts::{DLL_PREFIX, DLL_SUFFIX};
use std::path::PathBuf;

/// Where the build puts it: beside the tests.
pub(crate) fn path() -> PathBuf {
    let name = format!("{DLL_PREFIX}fidelis_offload_gpu{DLL_SUFFIX}");
    let program = std::env::current_exe().expect("the program's path");
    program.with_file_name(name)
}

/// The plug-in, if this machine has an adapter.
pub(crate) fn plugin() -> Option<Plugin> {
    let plugin = Plugin::open(&path()).expect("the plug-in loads without a GPU too");
    let devices = plugin.devices().expect("a list");
    if devices.is_empty() && std::env::var_os("FIDELIS_REQUIRE_GPU").is_none() {
        println!("GPU TESTS DID NOT RUN: there is no adapter");
        return None;
    }
    assert!(!devices.is_empty(), "FIDELIS_REQUIRE_GPU: no adapter");
    Some(plugin)
}

#[cfg(target_os = "linux")]
#[test]
fn one_symbol_is_exported() {
    let output = std::process::Command::new("nm")
        .args(["--dynamic", "--defined-only", "--extern-only"])
        .arg(path())
        .output()
        .expect("nm, which comes with the linker");
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8_lossy(&output.stdout);
    let names: Vec<&str> = text
        .lines()
        .filter_map(|line| line.split_whitespace().last())
        .collect();
    assert_eq!(names, ["fidelis_offload_entry"]);
}

#[test]
fn another_version_of_the_contract_is_refused() {
    use fidelis_abi::VERSION;
    for version in [0, VERSION + 1, u32::MAX] {
        assert!(fidelis_offload_gpu::fidelis_offload_entry(version).is_null());
    }
    assert!(!fidelis_offload_gpu::fidelis_offload_entry(VERSION).is_null());
}

//! The engine's dependency tree: a GPU is reached at run time or not at all.

#![cfg(any(unix, windows))]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// Packages of a lock file, with the names of what each depends on.
fn packages(lock: &str) -> BTreeMap<&str, Vec<&str>> {
    let mut packages: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for package in lock.split("[[package]]").skip(1) {
        let mut lines = package.lines();
        let line = lines.find_map(|line| line.strip_prefix("name = \""));
        let Some(name) = line.and_then(|line| line.strip_suffix('"')) else {
            continue;
        };
        // ` "name",` or ` "name version",`
        let needs = package.lines().filter_map(|line| {
            let line = line.strip_prefix(" \"")?;
            line.split(['"', ' ']).next()
        });
        packages.entry(name).or_default().extend(needs);
    }
    packages
}

/// A package and all that it needs, directly or not; what only its tests need included.
fn closure<'l>(packages: &BTreeMap<&'l str, Vec<&'l str>>, root: &'l str) -> BTreeSet<&'l str> {
    let (mut found, mut rest) = (BTreeSet::new(), vec![root]);
    while let Some(name) = rest.pop() {
        if found.insert(name) {
            rest.extend(packages.get(name).into_iter().flatten());
        }
    }
    found
}

#[test]
fn no_gpu_crate_is_among_what_the_engine_is_built_from() {
    let lock = Path::new(env!("CARGO_MANIFEST_DIR")).join("../Cargo.lock");
    let lock = std::fs::read_to_string(lock).expect("the workspace's lock file");
    let packages = packages(&lock);
    let needed = closure(&packages, "fidelis-engine");
    // It is read rightly: the loader is found, and what that needs.
    assert!(needed.contains("libloading") && needed.contains("fidelis-simd"));
    assert!(needed.len() > 30, "{needed:?}");
    for gpu in [
        "fidelis-offload-gpu",
        "wgpu",
        "wgpu-core",
        "wgpu-hal",
        "naga",
        "ash",
        "metal",
        "cudarc",
        "opencl3",
        "vulkano",
    ] {
        assert!(!needed.contains(gpu), "{gpu} is in the engine's tree");
    }
}

/// What is left without features, and that each feature brings what it is for.
#[test]
fn without_features_nothing_is_built_for_threads_files_templates_or_devices() {
    let crates = [
        ("mmap", "memmap2"),
        ("offload", "fidelis-abi"),
        ("offload", "libloading"),
        ("templates", "minijinja"),
        ("templates", "jiff"),
        ("constraints", "llguidance"),
        ("threads", "rayon"),
        ("tokenizers", "tokenizers"),
    ];
    let bare = tree(&[]);
    assert!(
        bare.contains("fidelis-simd"),
        "it is read rightly: {bare:?}"
    );
    for absent in crates
        .map(|(_, name)| name)
        .iter()
        .chain(&["ahash", "getrandom"])
    {
        assert!(
            !bare.contains(*absent),
            "{absent} is built without features"
        );
    }
    for (feature, name) in crates {
        assert!(
            tree(&["--features", feature]).contains(name),
            "{feature}: {name}"
        );
    }
}

/// The packages that the engine without its default features is built from.
fn tree(options: &[&str]) -> BTreeSet<String> {
    let output = std::process::Command::new(env!("CARGO"))
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .args([
            "tree",
            "--offline",
            "--no-default-features",
            "--edges",
            "normal",
        ])
        .args([
            "--package",
            "fidelis-engine",
            "--prefix",
            "none",
            "--format",
            "{p}",
        ])
        .args(options)
        .output()
        .expect("cargo is there");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    let lines = String::from_utf8_lossy(&output.stdout).into_owned();
    let names = lines.lines().filter_map(|line| line.split(' ').next());
    names.map(str::to_owned).collect()
}

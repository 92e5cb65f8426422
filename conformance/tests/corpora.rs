//! The fuzzer's targets without the fuzzer: every seed, every input that once failed, and some changes of each.

#[path = "../../engine/fuzz/src/lib.rs"]
pub mod targets;

use rand_core::Rng;
use rand_pcg::Pcg64Mcg;
use std::fs;
use std::path::{Path, PathBuf};
use targets::{TARGETS, Target};

/// Changes of each seed.
const CHANGES: usize = 100;

fn seeds(target: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../engine/fuzz/seeds");
    let mut seeds: Vec<PathBuf> = fs::read_dir(folder.join(target))
        .expect("every target has seeds")
        .map(|entry| entry.expect("an entry").path())
        .collect();
    seeds.sort();
    assert!(!seeds.is_empty(), "{target}");
    seeds
}

/// Runs the target; a panic names the seed.
fn check(target: Target, seed: &Path, what: &str, bytes: &[u8]) {
    let come_back = std::panic::catch_unwind(|| target(bytes));
    assert!(come_back.is_ok(), "{}, {what}: see above", seed.display());
}

#[test]
fn every_seed_comes_back() {
    for (name, target) in TARGETS {
        for seed in seeds(name) {
            check(target, &seed, "as it is", &fs::read(&seed).expect("a seed"));
        }
    }
}

#[test]
fn changed_and_cut_seeds_come_back() {
    let mut random = Pcg64Mcg::new(11);
    for (name, target) in TARGETS {
        for seed in seeds(name) {
            let whole = fs::read(&seed).expect("a seed");
            for change in 0..CHANGES {
                let mut bytes = whole.clone();
                for _ in 0..=random.next_u32() % 3 {
                    let at = random.next_u32() as usize % bytes.len();
                    match random.next_u32() % 4 {
                        0 => bytes.truncate(at + 1),
                        1 => bytes.insert(at, random.next_u32() as u8),
                        // Neighbours that are small numbers and 0xff make large ones.
                        2 => bytes[at] = 0xff,
                        _ => bytes[at] ^= 1 << (random.next_u32() % 8),
                    }
                }
                check(target, &seed, &format!("change {change}"), &bytes);
            }
        }
    }
}

// A folder without a target would be seeds that nobody runs.
#[test]
fn every_folder_of_seeds_has_its_target() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../engine/fuzz/seeds");
    for entry in fs::read_dir(folder).expect("seeds") {
        let name = entry.expect("an entry").file_name();
        assert!(
            TARGETS.iter().any(|(target, _)| *target == name),
            "{name:?}"
        );
    }
}

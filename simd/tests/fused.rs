//! A processor with fused multiply-add must not get other bits because the compiler knows of it.

#![cfg(target_arch = "x86_64")]

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

/// The lines of the example `arithmetic`, compiled with the target features `features`.
fn lines(features: &str) -> Vec<String> {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("fused{features}"));
    let output = Command::new(env!("CARGO"))
        .args(["run", "--quiet", "--release", "--package", "fidelis-simd"])
        .args(["--example", "arithmetic", "--target-dir"])
        .arg(target)
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .env("CARGO_PROFILE_RELEASE_LTO", "off")
        .env("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "8")
        .env("RUSTFLAGS", format!("-Ctarget-feature={features}"))
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo runs");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    let (first, lines) = text.split_once('\n').expect("lines");
    let fused = features.contains("+fma");
    assert_eq!(first, format!("fused multiply-add: {fused}"), "{features}");
    lines.lines().map(str::to_owned).collect()
}

#[test]
fn with_and_without_fused_multiply_add_the_bits_are_the_same() {
    let without = lines("-fma");
    let mut by_operation: BTreeMap<(&str, &str), Vec<(&str, &str)>> = BTreeMap::new();
    for line in &without {
        let fields: Vec<&str> = line.split('\t').collect();
        let [level, precision, name, digest] = fields[..] else {
            panic!("{line}");
        };
        by_operation
            .entry((precision, name))
            .or_default()
            .push((level, digest));
    }
    assert_eq!(by_operation.len(), 16, "operations");
    for (operation, digests) in &by_operation {
        let (_, scalar) = digests[0];
        for (level, digest) in digests {
            assert_eq!(*digest, scalar, "{operation:?} on {level}");
        }
    }
    if is_x86_feature_detected!("fma") {
        assert_eq!(lines("+fma,+avx2"), without);
    } else {
        println!("this CPU has no fused multiply-add: compiled without it alone");
    }
}

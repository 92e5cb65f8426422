//! The kernels against the machine's own limits: floors that only a broken kernel falls through.

use std::process::Command;

/// What every format of an own kernel must reach with one token and with many, of the limits measured in the same run.
///
/// A quarter to a third of what was seen on a busy machine with AVX-512; debug builds of the tests are optimised.
const FLOORS: [(&str, f64, f64); 4] = [
    ("Q4_K", 0.25, 0.12),
    ("Q6_K", 0.25, 0.10),
    ("Q8_0", 0.30, 0.12),
    ("Q5_0", 0.25, 0.12),
];

#[test]
fn no_kernel_of_the_best_level_is_far_below_the_machines_limits() {
    let best = fidelis_simd::Level::best().name();
    if !["avx512vnni", "avx2"].contains(&best) {
        eprintln!("NOT TESTED: the floors are of x86-64 with AVX2 or AVX-512");
        return;
    }
    // Other programs slow a measurement down; a broken kernel is slow every time.
    let found: Vec<String> = (0..3).map_while(|_| below_a_floor(best)).collect();
    assert!(found.len() < 3, "each time: {found:?}");
}

/// Measures the kernels of `level`; what is below its floor first.
fn below_a_floor(level: &str) -> Option<String> {
    let output = Command::new(env!("CARGO_BIN_EXE_fidelis"))
        .args(["bench", "--kernels", "--level", level, "-r", "3"])
        .args(["--output", "json"])
        .output()
        .expect("the program runs");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let all: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let kernels = all["kernels"].as_array().expect("a list");
    FLOORS.iter().find_map(|&(format, decode, prefill)| {
        let kernel = kernels
            .iter()
            .find(|kernel| kernel["format"] == format)
            .unwrap_or_else(|| panic!("{format} was not measured"));
        let share = |name: &str| kernel[name].as_f64().expect("a number");
        let found = (share("decode_share"), share("prefill_share"));
        let is_above = found.0 >= decode && found.1 >= prefill;
        (!is_above)
            .then(|| format!("{format}: {found:?} of the limits, floors {decode} and {prefill}"))
    })
}

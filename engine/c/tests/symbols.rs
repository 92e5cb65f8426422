//! What the shared library exports.

#![cfg(target_os = "linux")]

use std::process::Command;

#[test]
fn only_the_headers_functions_are_exported() {
    let program = std::env::current_exe().expect("the program's path");
    let listed = Command::new("nm")
        .args(["--dynamic", "--defined-only", "--extern-only"])
        .arg(program.with_file_name("libfidelis.so"))
        .output();
    let listed = match listed {
        Err(error) if std::env::var_os("FIDELIS_REQUIRE_CC").is_none() => {
            return println!("NOT TESTED: no nm ({error})");
        }
        listed => listed.expect("binutils"),
    };
    assert!(listed.status.success(), "{listed:?}");
    let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
    // Versions of the linker's are no symbols.
    let mut exported: Vec<&str> = listed
        .lines()
        .filter(|line| !line.contains(" A "))
        .filter_map(|line| line.split_whitespace().last())
        .collect();
    exported.sort_unstable();
    let header = include_str!("../include/fidelis.h");
    let mut declared: Vec<&str> = header
        .split("\nFIDELIS_API")
        .skip(1)
        .filter_map(|function| {
            function
                .split('(')
                .next()?
                .split([' ', '*', '\n'])
                .next_back()
        })
        .collect();
    declared.sort_unstable();
    assert!(declared.len() > 30, "{declared:?}");
    assert_eq!(exported, declared);
}

//! Files, flags and the help.

use crate::helpers::{Folder, ends, receipt};

#[test]
fn files_that_cannot_be_read_or_written_are_named() {
    let folder = Folder::new("files");
    let absent = folder.path("absent.json");
    ends(&["verify", &absent], 1, "absent.json");
    ends(&["verify"], 1, "Usage");
    let nowhere = folder.path("no/such/folder/r.json");
    ends(&["run", "-p", "x", "--receipt", &nowhere], 1, "r.json");
    ends(
        &["run", "-p", "x", "--receipt", &folder.path("")],
        1,
        "cannot write a receipt",
    );
    ends(&["run", "-p", "x", "--sign", "key.pem"], 1, "--receipt");
    let none = folder.path("none.json");
    ends(
        &["run", "-p", "x", "-n", "0", "--receipt", &none],
        1,
        "a receipt of no token holds nothing to compare",
    );
    let path = receipt(&folder, &["-p", "x", "-n", "1"]);
    ends(&["verify", &path, "-m", &absent], 1, "absent.json");
    for command in [&["verify", &path][..], &["run", "-p", "x", "-n", "1"]] {
        let level = [command, &["--level", "mmx"]].concat();
        ends(&level, 9, "cannot run the SIMD level \"mmx\"");
    }
    ends(&["verify", &path, "--public", &absent], 1, "absent.json");
    let left: Vec<_> = std::fs::read_dir(&folder.0)
        .expect("a folder")
        .map(|entry| entry.expect("an entry").file_name())
        .collect();
    assert_eq!(left, ["receipt.json"]);
}

#[test]
fn the_help_lists_the_exit_codes() {
    for line in [
        "0  every bit agrees",
        "2  the replay differs",
        "3  another model",
        "4  the receipt is damaged",
        "5  the receipt is of another version",
        "6  the signature is missing or wrong",
        "7  the receipt is cut off",
        "8  the key is of the wrong kind",
        "9  the CPU lacks the level",
    ] {
        ends(&["verify", "--help"], 0, line);
    }
}

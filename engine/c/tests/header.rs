//! The C header says what the crate says.

use std::path::Path;

/// Set, the header is written instead of compared.
const WRITE: &str = "FIDELIS_WRITE_HEADER";

#[test]
fn the_header_is_generated_from_the_crate() -> Result<(), Box<dyn std::error::Error>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let config = cbindgen::Config::from_file(root.join("cbindgen.toml"))?;
    let mut written = Vec::new();
    cbindgen::generate_with_config(root, config)?.write(&mut written);
    let written = String::from_utf8(written)?;
    let path = root.join("include/fidelis.h");
    if std::env::var_os(WRITE).is_some() {
        return Ok(std::fs::write(path, written)?);
    }
    // A checkout may have turned line ends.
    let committed = std::fs::read_to_string(path)?.replace("\r\n", "\n");
    assert!(
        committed == written,
        "include/fidelis.h is out of date; {WRITE}=1 cargo test -p fidelis-c --test header writes it"
    );
    Ok(())
}

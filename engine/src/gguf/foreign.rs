//! What a file is that is not GGUF.

/// What the first bytes look like.
pub(super) fn name(bytes: &[u8]) -> &'static str {
    let text: String = bytes
        .iter()
        .take(512)
        .map(|byte| char::from(byte.to_ascii_lowercase()))
        .collect();
    let text = text.trim_start();
    match bytes {
        [] => "an empty file",
        [b'P', b'K', 3, 4, ..] => "a zip archive (a PyTorch checkpoint?)",
        [0x80, 2..=5, ..] => "a Python pickle (an old PyTorch checkpoint?)",
        [b'l' | b't', b'm' | b'j', b'g', b'g', ..] | [b'f', b'm' | b'j', b'g', b'g', ..] => {
            "a GGML file from before GGUF; convert it again"
        }
        [0x1f, 0x8b, ..] => "a gzip archive",
        [0x89, b'H', b'D', b'F', ..] => "an HDF5 file (a Keras model?)",
        [_, _, _, _, _, _, _, 0, b'{', ..] => "a safetensors file; convert it to GGUF first",
        _ if text.starts_with("version https://git-lfs") => {
            "a Git LFS pointer; the file itself was not downloaded"
        }
        _ if text.starts_with("<!doctype")
            || text.starts_with("<html")
            || text.starts_with("<?xml") =>
        {
            "a web page (a failed download?)"
        }
        _ if text.starts_with('{') => "JSON text",
        _ => "something else: it does not begin with the letters GGUF",
    }
}

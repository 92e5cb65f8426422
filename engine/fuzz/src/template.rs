//! Chat templates, which are programs that come with a file.
//!
//! ```text
//! source NUL message NUL message …
//! ```

use fidelis_engine::text::{ChatTemplate, Message};
use std::hint::black_box;

/// Renders a conversation by the template that `bytes` begin with.
pub fn template(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let mut parts = text.split('\0');
    let source = parts.next().unwrap_or_default();
    if is_known_to_be_large(source) {
        return;
    }
    let roles = ["system", "user", "assistant"].into_iter().cycle();
    let messages: Vec<Message> = roles
        .zip(parts)
        .map(|(role, content)| Message::new(role, content))
        .collect();
    let Ok(template) = ChatTemplate::new(source, "<s>", "</s>") else {
        return;
    };
    for open in [false, true] {
        let _ = black_box(template.render(&messages, open));
    }
}

/// Whether a product may make a list or a text of gigabytes, which the library does not limit.
fn is_known_to_be_large(source: &str) -> bool {
    let mut runs = source.split(|character: char| !character.is_ascii_digit());
    source.contains('*') && runs.any(|run| run.len() > 4)
}

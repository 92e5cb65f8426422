//! Special tokens are found in a text before anything else.

use super::Specials;
use super::vocabulary::{TokenKind, Vocabulary};

/// A piece of text, or a special token that stood in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fragment<'t> {
    /// To be encoded.
    Text(&'t str),
    /// Found.
    Token(u32),
}

/// Cuts `text` at special tokens, the longest first; user-defined ones always count.
pub(super) fn split<'t>(
    vocabulary: &Vocabulary,
    text: &'t str,
    specials: Specials,
) -> Vec<Fragment<'t>> {
    if text.is_empty() {
        return Vec::new();
    }
    let mut fragments = vec![Fragment::Text(text)];
    for &id in &vocabulary.specials {
        if specials == Specials::AsText && vocabulary.kind(id) != Some(TokenKind::UserDefined) {
            continue;
        }
        let token = &vocabulary.tokens[id];
        if text.contains(token) {
            fragments = fragments
                .into_iter()
                .flat_map(|fragment| cut(fragment, token, id))
                .collect();
        }
    }
    fragments
}

fn cut<'t>(fragment: Fragment<'t>, token: &str, id: u32) -> Vec<Fragment<'t>> {
    let Fragment::Text(text) = fragment else {
        return vec![fragment];
    };
    let mut parts = Vec::new();
    for (index, part) in text.split(token).enumerate() {
        if index > 0 {
            parts.push(Fragment::Token(id));
        }
        if !part.is_empty() {
            parts.push(Fragment::Text(part));
        }
    }
    parts
}

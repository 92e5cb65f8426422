//! Which checkpoints, layers and positions are recorded.

use super::RecordingError;
use std::ops::RangeInclusive;

/// Which checkpoints, layers and positions are recorded; all, unless said otherwise.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    /// Names, with `*` for any characters; none: every name.
    pub names: Vec<String>,
    /// Layers; checkpoints outside of layers are not affected. None: every layer.
    pub layers: Option<RangeInclusive<usize>>,
    /// Tokens. None: every one. Scores and probabilities keep every token in any case.
    pub positions: Option<RangeInclusive<usize>>,
}

impl Selection {
    /// Whether a checkpoint is recorded.
    pub fn wants(&self, name: &str) -> bool {
        let named = self.names.is_empty() || self.names.iter().any(|p| matches(p, name));
        let layered = match (&self.layers, layer(name)) {
            (Some(layers), Some(layer)) => layers.contains(&layer),
            _ => true,
        };
        named && layered
    }

    /// Reads `3`, `3-7`, `3-` or `-7`.
    ///
    /// # Errors
    ///
    /// [`RecordingError::Selection`] if it is none of these.
    pub fn range(text: &str) -> Result<RangeInclusive<usize>, RecordingError> {
        let wrong = || RecordingError::Selection {
            text: text.to_owned(),
            wanted: "a number or a range such as 3-7",
        };
        let number = |part: &str, absent| match part {
            "" => Ok(absent),
            part => part.parse().map_err(|_| wrong()),
        };
        let range = match text.split_once('-') {
            Some((from, to)) => number(from, 0)?..=number(to, usize::MAX)?,
            None => {
                let only = text.parse().map_err(|_| wrong())?;
                only..=only
            }
        };
        if text.is_empty() || text == "-" || range.is_empty() {
            return Err(wrong());
        }
        Ok(range)
    }
}

/// The layer in a checkpoint's name.
pub(crate) fn layer(name: &str) -> Option<usize> {
    name.strip_prefix("blk.")?.split('.').next()?.parse().ok()
}

/// Whether `pattern`, in which `*` is any characters, is all of `text`.
pub(crate) fn matches(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((start, rest)) => text.strip_prefix(start).is_some_and(|text| {
            (0..=text.len())
                .filter(|&at| text.is_char_boundary(at))
                .any(|at| matches(rest, &text[at..]))
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_is_any_characters() {
        for (pattern, text, wanted) in [
            ("logits", "logits", true),
            ("logits", "logits.raw", false),
            ("blk.*.attn_q", "blk.12.attn_q", true),
            ("blk.*.attn_q", "blk.1.attn_q.rope", false),
            ("*rope", "blk.1.attn_q.rope", true),
            ("*", "", true),
        ] {
            assert_eq!(matches(pattern, text), wanted, "{pattern} {text}");
        }
    }

    #[test]
    fn layers_leave_out_other_layers_alone() {
        let selection = Selection {
            layers: Some(1..=2),
            ..Selection::default()
        };
        let wanted = ["blk.1.out", "blk.2.ffn_act", "logits", "token_embd"];
        assert!(wanted.iter().all(|name| selection.wants(name)));
        assert!(!selection.wants("blk.0.out") && !selection.wants("blk.10.out"));
    }

    #[test]
    fn ranges_are_read_and_nonsense_is_refused() {
        assert_eq!(Selection::range("3").expect("a number"), 3..=3);
        assert_eq!(Selection::range("3-7").expect("a range"), 3..=7);
        assert_eq!(Selection::range("-7").expect("a range"), 0..=7);
        for wrong in ["", "-", "x", "7-3", "1-2-3"] {
            assert!(Selection::range(wrong).is_err(), "{wrong}");
        }
    }
}

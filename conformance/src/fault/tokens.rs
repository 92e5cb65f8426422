//! Ids that an engine made of a text, beside those that it should have made.

use fidelis_engine::text::{Bos, ChatTemplate, Message, Specials, TextError, Tokenizer};

/// A way to get the ids wrong.
pub struct TokenFault {
    /// A short name.
    pub name: &'static str,
    /// What is wrong.
    pub says: &'static str,
    /// What to do.
    pub fix: &'static str,
    /// Whether the ids were made that way.
    fits: fn(&Ids<'_>) -> bool,
}

/// A text, its ids, and those that were found.
pub struct Ids<'i> {
    /// The file's tokenizer.
    pub tokenizer: &'i Tokenizer,
    /// The file's chat template.
    pub template: Option<&'i ChatTemplate>,
    /// The text.
    pub text: &'i str,
    /// Its ids.
    pub right: &'i [u32],
    /// What an engine made of it.
    pub found: &'i [u32],
}

/// What ids show.
pub struct Verdict {
    /// The ids of the text.
    pub right: Vec<u32>,
    /// The first index at which others were found.
    pub first: Option<usize>,
    /// The faults that explain it; the first is the likeliest.
    pub faults: Vec<&'static TokenFault>,
}

/// Judges the ids that an engine made of a text.
///
/// # Errors
///
/// [`TextError`] if the text cannot be encoded.
pub fn judge(
    tokenizer: &Tokenizer,
    template: Option<&ChatTemplate>,
    text: &str,
    found: &[u32],
) -> Result<Verdict, TextError> {
    let right = tokenizer.encode(text, Specials::Parse, Bos::Auto)?;
    let longest = right.len().max(found.len());
    let first = (0..longest).find(|&at| right.get(at) != found.get(at));
    let ids = Ids {
        tokenizer,
        template,
        text,
        right: &right,
        found,
    };
    let faults = match first {
        None => vec![],
        Some(_) => FAULTS.iter().filter(|fault| (fault.fits)(&ids)).collect(),
    };
    Ok(Verdict {
        right,
        first,
        faults,
    })
}

/// The faults, the most specific first.
pub const FAULTS: &[TokenFault] = &[
    TokenFault {
        name: "wrong-vocabulary",
        says: "ids beyond the vocabulary: they were made with another model's tokenizer",
        fix: "use the tokenizer of the file (tokenizer.ggml.tokens)",
        fits: |ids| {
            ids.found
                .iter()
                .any(|&id| id as usize >= ids.tokenizer.vocabulary_len())
        },
    },
    TokenFault {
        name: "double-bos",
        says: "two beginning-of-sequence tokens: the template has one and the tokenizer adds another",
        fix: "add BOS only if the text does not begin with it",
        fits: |ids| {
            ids.tokenizer.bos().is_some_and(|bos| {
                ids.found.starts_with(&[bos, bos]) && ids.found[1..] == *ids.right
            })
        },
    },
    TokenFault {
        name: "bos-missing",
        says: "the beginning-of-sequence token is missing",
        fix: "add it where tokenizer.ggml.add_bos_token says so (absent: yes, for SentencePiece)",
        fits: |ids| {
            ids.tokenizer
                .bos()
                .is_some_and(|bos| ids.right.first() == Some(&bos) && ids.right[1..] == *ids.found)
        },
    },
    TokenFault {
        name: "bos-spurious",
        says: "a beginning-of-sequence token that this model does not take",
        fix: "heed tokenizer.ggml.add_bos_token",
        fits: |ids| {
            ids.tokenizer.bos().is_some_and(|bos| {
                ids.right.first() != Some(&bos)
                    && ids.found.first() == Some(&bos)
                    && ids.found[1..] == *ids.right
            })
        },
    },
    TokenFault {
        name: "eos-appended",
        says: "an end-of-sequence token follows the prompt: the model is asked what comes after the end",
        fix: "append EOS only where tokenizer.ggml.add_eos_token says so",
        fits: |ids| {
            ids.tokenizer.eos().is_some_and(|eos| {
                ids.found.last() == Some(&eos) && ids.found[..ids.found.len() - 1] == *ids.right
            })
        },
    },
    TokenFault {
        name: "special-token-as-text",
        says: "control tokens in the text were spelled out as characters",
        fix: "look control tokens up whole, before anything is split",
        fits: |ids| {
            encoded(ids, ids.text, Specials::AsText).is_some_and(|wrong| wrong == ids.found)
        },
    },
    TokenFault {
        name: "chat-vs-raw-prompt",
        says: "the text was rendered by the chat template first (or the other engine renders by itself)",
        fix: "feed both engines ids, not text",
        fits: |ids| {
            let message = [Message::new("user", ids.text)];
            let rendered = ids
                .template
                .and_then(|template| template.render(&message, true).ok());
            rendered
                .and_then(|text| encoded(ids, &text, Specials::Parse))
                .is_some_and(|wrong| wrong == ids.found)
        },
    },
    TokenFault {
        name: "whitespace-collapsed",
        says: "line breaks or tabs were turned into spaces",
        fix: "encode them as they are",
        fits: |ids| {
            let collapsed = ids.text.replace(['\n', '\t', '\r'], " ");
            let spelled = text(ids, ids.found);
            collapsed != ids.text
                && (encoded(ids, &collapsed, Specials::Parse)
                    .is_some_and(|wrong| wrong == ids.found)
                    || (!spelled.contains('\n')
                        && ids.text.contains('\n')
                        && bare(&spelled) == bare(&collapsed)))
        },
    },
    TokenFault {
        name: "space-prefix-spurious",
        says: "a space was put before the text (or after special tokens)",
        fix: "heed tokenizer.ggml.add_space_prefix",
        fits: |ids| spaces(ids).is_some_and(|more| more > 0),
    },
    TokenFault {
        name: "space-prefix-missing",
        says: "the space that SentencePiece puts before the text (and after special tokens) is missing",
        fix: "heed tokenizer.ggml.add_space_prefix (absent: yes)",
        fits: |ids| spaces(ids).is_some_and(|more| more < 0),
    },
    TokenFault {
        name: "prompt-cut-off",
        says: "the ids end before the text does",
        fix: "check template and length limits; do not edit a template to fit a count",
        fits: |ids| ids.found.len() < ids.right.len() && ids.right.starts_with(ids.found),
    },
    TokenFault {
        name: "merges-not-loaded",
        says: "the text is cut nearly into characters: merges were not loaded or not applied",
        fix: "no merges loaded must be fatal; they may be pairs or strings",
        fits: |ids| {
            text(ids, ids.found) == text(ids, ids.right)
                && 2 * ids.found.len() >= 3 * ids.right.len()
        },
    },
    TokenFault {
        name: "longest-match-instead-of-merges",
        says: "pieces were matched longest first, not merged by rank",
        fix: "merge by score (SentencePiece) or by rank (byte pairs)",
        fits: |ids| {
            text(ids, ids.found) == text(ids, ids.right)
                && greedy(ids).is_some_and(|wrong| wrong == ids.found)
        },
    },
    TokenFault {
        name: "split-differently",
        says: "the same text, cut into other pieces",
        fix: "compare the pre-tokenizer's expression and the order of merges",
        fits: |ids| text(ids, ids.found) == text(ids, ids.right),
    },
    TokenFault {
        name: "other-text",
        says: "the ids spell another text",
        fix: "print the text of the ids; check the template's rendering, and that the argument is used at all",
        fits: |ids| bare(&text(ids, ids.found)) != bare(&text(ids, ids.right)),
    },
];

fn encoded(ids: &Ids<'_>, text: &str, specials: Specials) -> Option<Vec<u32>> {
    ids.tokenizer.encode(text, specials, Bos::Auto).ok()
}

/// The text of ids, as it is.
fn text(ids: &Ids<'_>, list: &[u32]) -> String {
    let bytes: Vec<u8> = list
        .iter()
        .flat_map(|&id| ids.tokenizer.piece(id))
        .collect();
    String::from_utf8_lossy(&bytes).into_owned()
}

fn bare(text: &str) -> String {
    text.chars().filter(|c| !c.is_whitespace()).collect()
}

/// How many spaces more the ids spell, if that is all that differs.
fn spaces(ids: &Ids<'_>) -> Option<i64> {
    let [found, right] = [ids.found, ids.right].map(|list| text(ids, list));
    let without = |text: &str| text.replace(' ', "");
    (found != right && without(&found) == without(&right)).then_some(())?;
    let count = |text: &str| text.matches(' ').count() as i64;
    Some(count(&found) - count(&right))
}

/// The text cut into the longest pieces that the vocabulary has, from left to right.
fn greedy(ids: &Ids<'_>) -> Option<Vec<u32>> {
    let bos = ids
        .right
        .iter()
        .take(1)
        .filter(|&&id| Some(id) == ids.tokenizer.bos());
    let mut out: Vec<u32> = bos.copied().collect();
    let marked = text(ids, &ids.right[out.len()..]).replace(' ', "▁");
    let mut rest = &marked[..];
    while !rest.is_empty() {
        let ends = rest.char_indices().map(|(at, c)| at + c.len_utf8());
        let pieces = ends.filter_map(|end| Some((end, ids.tokenizer.token_id(&rest[..end])?)));
        let (end, id) = pieces.fold(None, |_, longer| Some(longer))?;
        out.push(id);
        rest = &rest[end..];
    }
    Some(out)
}

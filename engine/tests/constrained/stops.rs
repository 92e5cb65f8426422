//! Stop strings, with tokens that the test dictates.

use crate::demo::{answers, constraint, hot};
use fidelis_engine::constrain::{ConstraintError, Form, Guide, Progress};
use fidelis_engine::session::{Limits, Stop};
use fidelis_engine::text::Tokenizer;

/// Allows one token after another.
struct Dictation {
    tokens: Vec<u32>,
    given: usize,
}

impl Dictation {
    /// A text, a byte a token.
    fn new(tokenizer: &Tokenizer, text: &str) -> Self {
        let token = |byte| tokenizer.token_id(&format!("<0x{byte:02X}>"));
        Self {
            tokens: text
                .bytes()
                .map(|byte| token(byte).expect("a byte"))
                .collect(),
            given: 0,
        }
    }
}

impl Guide for Dictation {
    fn forbid(&mut self, logits: &mut [f32]) -> Result<Progress, ConstraintError> {
        let wanted = self.tokens.get(self.given).map(|&token| token as usize);
        for (token, logit) in logits.iter_mut().enumerate() {
            if Some(token) != wanted {
                *logit = f32::NEG_INFINITY;
            }
        }
        Ok(wanted.map_or(Progress::Complete, |_| Progress::Open))
    }

    fn accept(&mut self, token: u32) -> Result<Progress, ConstraintError> {
        assert_eq!(token, self.tokens[self.given]);
        self.given += 1;
        Ok(if self.given == self.tokens.len() {
            Progress::Complete
        } else {
            Progress::Open
        })
    }
}

#[test]
fn stop_strings_span_tokens_overlap_and_begin_one_another() {
    for (stops, said, wanted, stop) in [
        (&["cd"][..], "abcdef", "ab", Stop::StopString),
        (&["f"], "abcdef", "abcde", Stop::StopString),
        (&["abcdef"], "abcdef", "", Stop::StopString),
        (&["cdx", "fg"], "abcdef", "abcdef", Stop::End),
        // What the first began, the second completes.
        (&["bcx", "cd"], "abcdef", "ab", Stop::StopString),
        (&["cd", "bcx"], "abcdef", "ab", Stop::StopString),
        // One begins the other: the shorter is there first.
        (&["bc", "bcd"], "abcdef", "a", Stop::StopString),
        (&["bcd", "bc"], "abcdef", "a", Stop::StopString),
        // It is within the other.
        (&["bcde", "cd"], "abcdef", "ab", Stop::StopString),
        // It begins again within itself.
        (&["aab"], "aaab", "a", Stop::StopString),
        (&["", "d"], "abcdef", "abc", Stop::StopString),
        (&[""], "abc", "abc", Stop::End),
        // Characters of several bytes, and so of several tokens.
        (&["é→"], "aé→b", "a", Stop::StopString),
        (&["é←"], "aé→b", "aé→b", Stop::End),
    ] {
        let limits = Limits {
            stop_strings: stops.iter().map(|&stop| stop.to_owned()).collect(),
            ..Limits::default()
        };
        let dictation = |tokenizer: &Tokenizer| Dictation::new(tokenizer, said);
        let found = answers(dictation, &limits, [hot(0)]).pop().expect("one");
        let found = found.expect("an answer");
        assert_eq!(
            found,
            (wanted.to_owned(), Some(stop)),
            "{stops:?} in {said:?}"
        );
    }
}

#[test]
fn a_stop_string_ends_an_answer_that_the_constraint_would_go_on_with() {
    let fresh = constraint(&Form::Regex("x{3}(ab){4}c".to_owned()));
    for (stop, wanted) in [
        ("xab", "xx"),
        ("ba", "xxxa"),
        ("bc", "xxxabababa"),
        ("zz", "xxxababababc"),
    ] {
        let limits = Limits {
            stop_strings: vec![stop.to_owned()],
            ..Limits::default()
        };
        for said in answers(|_| fresh.clone(), &limits, (0..5).map(hot)) {
            let (text, why) = said.expect("an answer");
            let is_found = stop != "zz";
            assert_eq!(text, wanted, "{stop}");
            assert_eq!(
                why,
                Some(if is_found {
                    Stop::StopString
                } else {
                    Stop::End
                })
            );
        }
    }
}

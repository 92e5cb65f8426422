//! Grammars accept what they should, no more and no less: every short text, against recognisers written by hand.

use crate::demo::{constraint, tokenizer};
use fidelis_engine::constrain::{Constraint, Form, Guide, Progress};
use fidelis_engine::text::Tokenizer;

/// Whether a text, fed byte by byte, is allowed and then complete.
fn accepts(fresh: &Constraint, tokenizer: &Tokenizer, text: &str) -> bool {
    let mut constraint = fresh.clone();
    let mut progress = Progress::Open;
    let none = || vec![0.0; tokenizer.vocabulary_len()];
    for byte in text.bytes() {
        let token = tokenizer
            .token_id(&format!("<0x{byte:02X}>"))
            .expect("a byte");
        let mut logits = none();
        if progress == Progress::Complete
            || constraint.forbid(&mut logits).expect("a mask") == Progress::Complete
            || logits[token as usize].is_infinite()
        {
            return false;
        }
        progress = constraint.accept(token).expect("it was allowed");
    }
    let mut logits = none();
    progress == Progress::Complete
        || constraint.forbid(&mut logits).expect("a mask") == Progress::Complete
        || tokenizer.ends().any(|end| logits[end as usize].is_finite())
}

/// Every text of up to `length` of these characters.
fn texts(characters: &str, length: usize) -> Vec<String> {
    let mut all = vec![String::new()];
    let mut newest = all.clone();
    for _ in 0..length {
        newest = newest
            .iter()
            .flat_map(|text| characters.chars().map(move |c| format!("{text}{c}")))
            .collect();
        all.extend(newest.iter().cloned());
    }
    all
}

fn check(grammar: &str, characters: &str, length: usize, is_sentence: impl Fn(&str) -> bool) {
    let tokenizer = tokenizer();
    let fresh = constraint(&Form::Grammar(grammar.to_owned()));
    let texts = texts(characters, length);
    let right = texts.iter().filter(|text| is_sentence(text)).count();
    assert!(
        0 < right && right < texts.len(),
        "{grammar}: {right} sentences"
    );
    for text in &texts {
        let found = accepts(&fresh, &tokenizer, text);
        assert_eq!(found, is_sentence(text), "{grammar}: {text:?}");
    }
}

/// Whether brackets close what they open, and nothing is left open.
fn is_balanced(text: &str) -> bool {
    let mut depth = 0_i32;
    text.chars().all(|c| {
        depth += if c == '(' { 1 } else { -1 };
        depth >= 0
    }) && depth == 0
}

#[test]
fn rules_that_lead_to_themselves_on_either_side_or_in_the_middle() {
    check("root ::= (\"(\" root \")\")*", "()", 7, is_balanced);
    let odd = |text: &str| text.len() % 2 == 1;
    check("root ::= root \"aa\" | \"a\"", "ab", 5, |text| {
        odd(text) && !text.contains('b')
    });
    check("root ::= \"aa\" root | \"a\"", "ab", 5, |text| {
        odd(text) && !text.contains('b')
    });
    let palindrome = |text: &str| text.chars().eq(text.chars().rev());
    check(
        "root ::= \"a\" root \"a\" | \"b\" root \"b\" | [ab]?",
        "ab",
        6,
        palindrome,
    );
}

#[test]
fn what_could_go_on_does_not_swallow_what_follows() {
    // The longest match of `[a-z]*` would leave nothing for the tail.
    check(
        "root ::= [a-z]* tail\ntail ::= \"x\" tail?",
        "ax",
        5,
        |text| text.ends_with('x'),
    );
    check("root ::= [a-z]* \"x\"", "ax", 5, |text| text.ends_with('x'));
    // One text begins another.
    let pieces = |text: &str| {
        let mut ends = vec![0];
        while let Some(at) = ends.pop() {
            if at == text.len() {
                return true;
            }
            ends.extend(
                ["a", "aab", "b"]
                    .iter()
                    .filter(|piece| text[at..].starts_with(**piece))
                    .map(|piece| at + piece.len()),
            );
        }
        false
    };
    check(
        "root ::= (\"a\" | \"aab\" | \"b\") root?",
        "abc",
        5,
        |text| !text.is_empty() && pieces(text),
    );
    check("root ::= (\"a\" | \"aab\" | \"b\")+", "abc", 5, |text| {
        !text.is_empty() && pieces(text)
    });
}

#[test]
fn repetitions_count() {
    for (grammar, least, most) in [
        ("a{2}", 2, 2),
        ("a{2,}", 2, 9),
        ("a{0,3}", 0, 3),
        ("a{1,4}", 1, 4),
        ("a?", 0, 1),
        ("a*", 0, 9),
        ("a+", 1, 9),
        ("a{0}", 0, 0),
        ("\"a\" a? a?", 1, 3),
    ] {
        let is_right = |text: &str| !text.contains('b') && (least..=most).contains(&text.len());
        for a in ["\"a\"", "[a]", "(\"a\" | [a-a])"] {
            check(&format!("root ::= {grammar}\na ::= {a}"), "ab", 5, is_right);
            // The same, not regular.
            let loops = format!("root ::= r\nr ::= {grammar} | \"(\" r \")\"\na ::= {a}");
            check(&loops, "ab", 5, is_right);
        }
    }
}

#[test]
fn characters_are_unicode_and_their_classes_exact() {
    let one = |text: &str, is_right: &dyn Fn(char) -> bool| {
        let mut characters = text.chars();
        characters.next().is_some_and(is_right) && characters.next().is_none()
    };
    let characters = "aé→😀\n/]";
    check("root ::= .", characters, 2, |text| one(text, &|_| true));
    check("root ::= [^a/\\]]", characters, 2, |text| {
        one(text, &|c| !"a/]".contains(c))
    });
    check("root ::= [\\u00e8-\\u2191]", characters, 2, |text| {
        one(text, &|c| "é".contains(c))
    });
    check("root ::= [/\\]\\U0001F600]", characters, 2, |text| {
        one(text, &|c| "/]😀".contains(c))
    });
    check("root ::= \"\\xe9\\n\" | \"/\"", characters, 2, |text| {
        text == "é\n" || text == "/"
    });
}

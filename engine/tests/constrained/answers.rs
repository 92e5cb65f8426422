//! What comes out at high temperature, checked by other means than those that made it.

use crate::demo::{answers, constraint, hot, hot_answers};
use fidelis_engine::constrain::{Constraint, ConstraintError, Form, Tokens};
use fidelis_engine::sample::Settings;
use fidelis_engine::session::{Limits, SessionError, Stop};
use serde_json::Value;

/// Checks every answer, and that enough were completed for that to mean something; gives those that were not.
fn check(
    form: &Form,
    tokens: usize,
    seeds: u64,
    is_sentence: impl Fn(&str) -> bool,
) -> Vec<String> {
    let mut unfinished = Vec::new();
    for (seed, (text, stop)) in hot_answers(form, tokens, 0..seeds).into_iter().enumerate() {
        match stop {
            Stop::End => assert!(is_sentence(&text), "seed {seed}: {text:?}"),
            _ => unfinished.push(text),
        }
    }
    assert!(
        unfinished.len() * 2 <= seeds as usize,
        "{} of {seeds} were not completed",
        unfinished.len()
    );
    unfinished
}

const PERSON: &str = r##"{
    "type": "object",
    "properties": {
        "name": {"type": "string", "minLength": 1, "maxLength": 6},
        "age": {"type": "integer", "minimum": 0, "maximum": 120},
        "colour": {"enum": ["red", "green", 3, null]},
        "flags": {"type": "array", "items": {"type": "boolean"}, "minItems": 1, "maxItems": 3},
        "friend": {"$ref": "#/$defs/friend"}
    },
    "required": ["name", "age", "colour", "flags"],
    "additionalProperties": false,
    "$defs": {"friend": {"type": "object", "properties": {"code": {"type": "string", "pattern": "^[A-C]{2}[0-9]$"}},
        "required": ["code"], "additionalProperties": false}}
}"##;

fn is_person(text: &str) -> bool {
    let Ok(Value::Object(person)) = serde_json::from_str(text) else {
        return false;
    };
    let is_right = |(name, value): (&String, &Value)| match name.as_str() {
        "name" => value
            .as_str()
            .is_some_and(|text| (1..=6).contains(&text.chars().count())),
        "age" => value.as_u64().is_some_and(|age| age <= 120),
        "colour" => ["\"red\"", "\"green\"", "3", "null"].contains(&value.to_string().as_str()),
        "flags" => value.as_array().is_some_and(|flags| {
            (1..=3).contains(&flags.len()) && flags.iter().all(Value::is_boolean)
        }),
        "friend" => value.as_object().is_some_and(|friend| {
            let code = friend
                .get("code")
                .and_then(Value::as_str)
                .unwrap_or_default();
            let code = code.as_bytes();
            friend.len() == 1
                && code.len() == 3
                && code[..2].iter().all(|byte| (b'A'..=b'C').contains(byte))
                && code[2].is_ascii_digit()
        }),
        _ => false,
    };
    ["name", "age", "colour", "flags"]
        .iter()
        .all(|name| person.contains_key(*name))
        && person.iter().all(is_right)
}

#[test]
fn the_check_of_persons_finds_what_is_wrong() {
    let right = r#"{"name":"é\n","age":120,"colour":null,"flags":[true],"friend":{"code":"AC0"}}"#;
    assert!(is_person(right));
    for (from, to) in [
        ("120", "121"),
        ("120", "1.5"),
        ("null", "\"blue\""),
        ("[true]", "[]"),
        ("AC0", "AD0"),
        ("\"age\"", "\"years\""),
        ("\"é\\n\"", "\"\""),
        ("}}", "}"),
    ] {
        assert!(!is_person(&right.replace(from, to)), "{from} as {to}");
    }
}

#[test]
fn what_a_schema_describes_validates_and_what_is_cut_off_begins_such_a_text() {
    let form = Form::JsonSchema(PERSON.to_owned());
    let unfinished = check(&form, 250, 40, is_person);
    for text in unfinished.into_iter().chain(
        hot_answers(&form, 12, 40..60)
            .into_iter()
            .map(|said| said.0),
    ) {
        let error = serde_json::from_str::<Value>(&text).expect_err("it was cut off");
        assert!(error.is_eof(), "{text:?}: {error}");
    }
}

#[test]
fn what_a_regular_expression_describes_matches() {
    let pattern = r"(GET|POST) /[a-z]{1,8}(\?[a-z]=\d{1,3})? [α-ω]{2}[^\x00-\x7f]?";
    let whole = regex::Regex::new(&format!("^(?:{pattern})$")).expect("a regular expression");
    check(&Form::Regex(pattern.to_owned()), 60, 40, |text| {
        whole.is_match(text)
    });
}

/// JSON as llama.cpp's users write it, but that brackets must be closed soon.
const JSON: &str = r#"
# values
root   ::= object
value  ::= object | array | string | number | ("true" | "false" | "null") ws
object ::= "{" ws ( string ":" ws value ("," ws string ":" ws value){0,2} )? "}" ws
array  ::= "[" ws ( value ("," ws value){0,2} )? "]" ws
string ::= "\"" (
    [^"\\\x7F\x00-\x1F] | "\\" (["\\bfnrt] | "u" [0-9a-cA-C] [0-9a-fA-F]{3})
  ){0,5} "\"" ws
number ::= ("-"? ([0-9] | [1-9] [0-9]{0,5})) ("." [0-9]{1,3})? ([eE] [-+]? [0-9])? ws
ws     ::= | " " | "\n" [ \t]{0,3}
"#;

#[test]
fn what_a_recursive_grammar_describes_is_json() {
    let form = Form::Grammar(JSON.to_owned());
    let is_object =
        |text: &str| serde_json::from_str::<Value>(text).is_ok_and(|value| value.is_object());
    for text in check(&form, 200, 40, is_object) {
        let error = serde_json::from_str::<Value>(&text).expect_err("it was cut off");
        assert!(error.is_eof(), "{text:?}: {error}");
    }
}

#[test]
fn the_largest_logit_wins_among_those_allowed_and_any_number_of_answers_share_a_constraint() {
    let fresh = constraint(&Form::Regex("[A-Z]{3}|yes".to_owned()));
    let greedy = || Settings {
        temperature: 0.0,
        ..Settings::default()
    };
    let said = answers(
        |_| fresh.clone(),
        &Limits::default(),
        [greedy(), hot(1), greedy()],
    );
    let said: Vec<_> = said
        .into_iter()
        .map(|said| said.expect("an answer"))
        .collect();
    assert_eq!(said[0], said[2]);
    for (text, stop) in said {
        assert_eq!(stop, Some(Stop::End));
        assert!(
            text == "yes"
                || (text.len() == 3 && text.bytes().all(|byte| byte.is_ascii_uppercase())),
            "{text:?}"
        );
    }
}

#[test]
fn a_constraint_that_leaves_no_token_is_an_error_with_a_name() {
    // Nothing is forbidden by the grammar alone: a bias takes what it leaves.
    let yes = Form::Regex("y".to_owned());
    let fresh = constraint(&yes);
    let tokens = crate::demo::tokenizer();
    let all = (0..tokens.vocabulary_len() as u32).filter(|&id| tokens.piece(id) == b"y");
    let mut settings = hot(0);
    settings.logit_bias = all.map(|id| (id, f32::NEG_INFINITY)).collect();
    assert!(!settings.logit_bias.is_empty());
    for said in answers(|_| fresh.clone(), &Limits::default(), [settings]) {
        assert!(
            matches!(
                said,
                Err(SessionError::Constraint(ConstraintError::NoToken))
            ),
            "{said:?}"
        );
    }
}

#[test]
fn what_cannot_be_kept_to_is_refused_with_its_reason() {
    let tokens = Tokens::new(&crate::demo::tokenizer()).expect("tokens");
    let long = (0..20_000).map(|n| format!("r{n} ::= r{} \"a\" | \"b\"\n", n + 1));
    let long = format!("root ::= r0\n{}r20000 ::= \"c\"", long.collect::<String>());
    for (form, said) in [
        (
            Form::JsonSchema("{\"type\": }".to_owned()),
            "line 1 column 10",
        ),
        (Form::JsonSchema("[]".to_owned()), "a schema is an object"),
        (
            Form::JsonSchema("false".to_owned()),
            "a schema is an object",
        ),
        (
            Form::JsonSchema("{\"type\": \"thing\"}".to_owned()),
            "thing",
        ),
        (
            Form::JsonSchema("{\"type\": \"string\", \"pattern\": \"(\"}".to_owned()),
            "cannot be kept to",
        ),
        (Form::Regex(String::new()), "empty"),
        (Form::Regex("a(b".to_owned()), "unclosed group"),
        (Form::Regex("(?=a)b".to_owned()), "look-around"),
        (
            Form::Grammar("root ::= \"a\" |\n  b c".to_owned()),
            "line 2, column 3: rule `b`",
        ),
        (Form::Grammar("root ::= \"a\" root".to_owned()), "no text"),
        (Form::Grammar(long), "rules"),
    ] {
        let error = Constraint::new(&tokens, &form)
            .expect_err("refused")
            .to_string();
        assert!(error.contains(said), "{error}");
    }
}

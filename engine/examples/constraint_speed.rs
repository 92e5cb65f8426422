//! How long a constraint takes with a file's vocabulary: `constraint_speed FILE.gguf`.
//!
//! A text is fed token by token, and what may come next is computed before each.

use fidelis_engine::constrain::{Constraint, Form, Guide, Progress, Tokens};
use fidelis_engine::gguf::File;
use fidelis_engine::text::{Bos, Specials, Tokenizer};
use std::error::Error;
use std::time::Instant;

const SCHEMA: &str = r#"{"type": "object", "properties": {"name": {"type": "string"}, "values": {"type": "array", "items": {"type": "integer"}}}}"#;
const GRAMMAR: &str = r#"
root   ::= value
value  ::= object | array | string | number | "true" | "false" | "null"
object ::= "{" ws (string ":" ws value ("," ws string ":" ws value)*)? "}"
array  ::= "[" ws (value ("," ws value)*)? "]"
string ::= "\"" ([^"\\\x00-\x1F] | "\\" ["\\bfnrt])* "\""
number ::= "-"? [0-9]+ ("." [0-9]+)?
ws     ::= " "?
"#;
const TEXT: &str = r#"{"name": "a text of some words, with a number: 12", "values": [1, 23, 456]}"#;

fn main() -> Result<(), Box<dyn Error>> {
    let path = std::env::args_os().nth(1).ok_or("which file?")?;
    let file = File::open(path.as_ref())?;
    let tokenizer = Tokenizer::read(&file.gguf()?)?;
    let start = Instant::now();
    let tokens = Tokens::new(&tokenizer)?;
    println!(
        "{} tokens arranged in {:.0} ms",
        tokenizer.vocabulary_len(),
        start.elapsed().as_secs_f64() * 1e3
    );
    let ids = tokenizer.encode(TEXT, Specials::AsText, Bos::Never)?;
    for (name, form) in [
        ("schema", Form::JsonSchema(SCHEMA.to_owned())),
        ("grammar with recursion", Form::Grammar(GRAMMAR.to_owned())),
        ("regular expression", Form::Regex(".{0,200}".to_owned())),
    ] {
        let start = Instant::now();
        let mut constraint = Constraint::new(&tokens, &form)?;
        let made = start.elapsed();
        let mut times = Vec::new();
        for &id in &ids {
            let mut logits = vec![0.0; tokenizer.vocabulary_len()];
            let start = Instant::now();
            let progress = constraint.forbid(&mut logits)?;
            if progress == Progress::Complete || logits[id as usize].is_infinite() {
                break;
            }
            constraint.accept(id)?;
            times.push(start.elapsed().as_secs_f64() * 1e3);
        }
        let mean = times.iter().sum::<f64>() / times.len() as f64;
        let most = times.iter().fold(0.0, |most: f64, &time| most.max(time));
        println!(
            "{name}: made in {:.1} ms; of {} tokens each took {mean:.2} ms, the slowest {most:.2} ms",
            made.as_secs_f64() * 1e3,
            times.len(),
        );
    }
    Ok(())
}

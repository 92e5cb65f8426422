//! llama.cpp's grammars, GBNF, as rules of characters.
//!
//! ```text
//! # a comment
//! root  ::= "yes" | "no" [.!]? | list
//! list  ::= item ("," item){0,3}
//! item  ::= [a-z]+ | "\"" [^"\\]* "\"" | .
//! ```
//!
//! A rule ends with its line, unless a group is open or an alternate is to come. Escapes: `\n \r \t \\ \" \[ \]`, `\xHH`, `\uHHHH`, `\UHHHHHHHH`.

mod scan;

use super::ConstraintError;
use scan::{Place, Scan};
use std::collections::HashMap;

/// Groups within groups, at most.
const DEPTH: usize = 100;
/// Repetitions, at most; llama.cpp has the same bound.
const REPETITIONS: u32 = 2000;

/// Rules by number, what is not a character or a rule taken apart.
#[derive(Debug)]
pub(super) struct Grammar {
    pub(super) rules: Vec<Rule>,
    /// The rule of whole answers.
    pub(super) root: usize,
}

/// The sequences that a rule stands for.
pub(super) type Rule = Vec<Vec<Item>>;

/// A part of a sequence, so many times.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Item {
    pub(super) symbol: Symbol,
    pub(super) least: u32,
    /// `None`: any number.
    pub(super) most: Option<u32>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Symbol {
    /// One character of these ranges, ends included.
    Character(Vec<(char, char)>),
    /// One of all others.
    Not(Vec<(char, char)>),
    /// Another rule.
    Rule(usize),
}

impl Item {
    fn once(symbol: Symbol) -> Self {
        Self {
            symbol,
            least: 1,
            most: Some(1),
        }
    }
}

impl Grammar {
    /// Reads a grammar.
    ///
    /// # Errors
    ///
    /// [`ConstraintError::Grammar`] with the place at fault.
    pub(super) fn read(text: &str) -> Result<Self, ConstraintError> {
        let mut reader = Reader {
            scan: Scan::new(text),
            rules: Vec::new(),
            names: HashMap::new(),
            depth: 0,
        };
        reader.scan.skip(true);
        while reader.scan.peek().is_some() {
            reader.rule()?;
        }
        let end = reader.scan.place();
        reader.finish(end)
    }
}

/// A grammar in the making.
struct Reader<'t> {
    scan: Scan<'t>,
    /// `None`: named, but not met yet.
    rules: Vec<Option<Rule>>,
    /// The numbers of named rules, and where each was first named.
    names: HashMap<String, (usize, Place)>,
    depth: usize,
}

impl Reader<'_> {
    /// Every rule that is named was given, and so was `root`.
    fn finish(self, end: Place) -> Result<Grammar, ConstraintError> {
        let missing = self
            .names
            .iter()
            .filter(|(_, (at, _))| self.rules[*at].is_none());
        if let Some((name, (_, place))) = missing.min_by_key(|(_, (at, _))| *at) {
            return Err(place.wrong(format!("rule `{name}` is not defined")));
        }
        let Some(&(root, _)) = self.names.get("root") else {
            return Err(end.wrong("there is no rule `root`".to_owned()));
        };
        Ok(Grammar {
            rules: self.rules.into_iter().flatten().collect(),
            root,
        })
    }

    /// `name ::= alternates`, and the end of its line.
    fn rule(&mut self) -> Result<(), ConstraintError> {
        let place = self.scan.place();
        let name = self.scan.name()?;
        self.scan.skip(false);
        self.scan.expect("::=")?;
        self.scan.skip(true);
        let number = self.number(&name, place);
        let rule = self.alternates()?;
        if self.rules[number].replace(rule).is_some() {
            return Err(place.wrong(format!("rule `{name}` is defined twice")));
        }
        match self.scan.peek() {
            None | Some('\n' | '\r') => {
                self.scan.skip(true);
                Ok(())
            }
            Some(')') => Err(self.scan.wrong("`)` closes no group")),
            Some(_) => Err(self
                .scan
                .wrong("expected a part of a rule, or the end of the line")),
        }
    }

    fn number(&mut self, name: &str, place: Place) -> usize {
        if let Some(&(number, _)) = self.names.get(name) {
            return number;
        }
        self.rules.push(None);
        let number = self.rules.len() - 1;
        self.names.insert(name.to_owned(), (number, place));
        number
    }

    /// A rule without a name.
    fn add(&mut self, rule: Rule) -> Symbol {
        self.rules.push(Some(rule));
        Symbol::Rule(self.rules.len() - 1)
    }

    /// Sequences between bars.
    fn alternates(&mut self) -> Result<Rule, ConstraintError> {
        let mut rule = vec![self.sequence()?];
        loop {
            // A bar may begin the next line.
            if self.scan.peek() != Some('|') && !self.scan.skip_to('|') {
                return Ok(rule);
            }
            self.scan.expect("|")?;
            self.scan.skip(true);
            rule.push(self.sequence()?);
        }
    }

    fn sequence(&mut self) -> Result<Vec<Item>, ConstraintError> {
        let mut items: Vec<Item> = Vec::new();
        loop {
            let mut part = match self.scan.peek() {
                Some('"') => self.literal()?,
                Some('[') => vec![Item::once(self.class()?)],
                Some('.') => {
                    self.scan.next();
                    vec![Item::once(Symbol::Not(Vec::new()))]
                }
                Some('(') => vec![Item::once(self.group()?)],
                Some('<') => return Err(self.scan.wrong("tokens in grammars are not supported")),
                Some(c) if Scan::is_name(c) => {
                    let place = self.scan.place();
                    let name = self.scan.name()?;
                    vec![Item::once(Symbol::Rule(self.number(&name, place)))]
                }
                Some('*' | '+' | '?' | '{') => {
                    return Err(self.scan.wrong("there is nothing before it to repeat"));
                }
                _ => return Ok(items),
            };
            self.scan.skip(self.depth > 0);
            while let Some((least, most)) = self.repetition()? {
                let single = part.len() == 1 && part[0] == Item::once(part[0].symbol.clone());
                let symbol = if single {
                    part[0].symbol.clone()
                } else {
                    self.add(vec![part])
                };
                part = vec![Item {
                    symbol,
                    least,
                    most,
                }];
                self.scan.skip(self.depth > 0);
            }
            items.append(&mut part);
        }
    }

    /// `"text"`, a character an item.
    fn literal(&mut self) -> Result<Vec<Item>, ConstraintError> {
        let open = self.scan.place();
        self.scan.next();
        let mut items = Vec::new();
        loop {
            match self.scan.peek() {
                None | Some('\n') => {
                    return Err(open.wrong("the text has no closing `\"`".to_owned()));
                }
                Some('"') => {
                    self.scan.next();
                    return Ok(items);
                }
                Some(_) => {
                    let c = self.scan.character()?;
                    items.push(Item::once(Symbol::Character(vec![(c, c)])));
                }
            }
        }
    }

    /// `[a-z_]` or `[^a-z_]`.
    fn class(&mut self) -> Result<Symbol, ConstraintError> {
        let open = self.scan.place();
        self.scan.next();
        let others = self.scan.take('^');
        let mut ranges = Vec::new();
        while !self.scan.take(']') {
            if self.scan.peek().is_none() {
                return Err(open.wrong("the characters have no closing `]`".to_owned()));
            }
            let place = self.scan.place();
            let first = self.scan.character()?;
            let mut last = first;
            if self.scan.peek() == Some('-') && self.scan.peek_second() != Some(']') {
                self.scan.next();
                last = self.scan.character()?;
            }
            if last < first {
                return Err(place.wrong(format!("the range from {first:?} to {last:?} is empty")));
            }
            ranges.push((first, last));
        }
        match (others, ranges.is_empty()) {
            (true, _) => Ok(Symbol::Not(ranges)),
            (false, false) => Ok(Symbol::Character(ranges)),
            (false, true) => Err(open.wrong("`[]` is no character at all".to_owned())),
        }
    }

    fn group(&mut self) -> Result<Symbol, ConstraintError> {
        let open = self.scan.place();
        if self.depth == DEPTH {
            return Err(open.wrong(format!("groups are nested more than {DEPTH} deep")));
        }
        self.scan.next();
        self.depth += 1;
        self.scan.skip(true);
        let rule = self.alternates()?;
        self.depth -= 1;
        if !self.scan.take(')') {
            return Err(match self.scan.peek() {
                None => open.wrong("the group has no closing `)`".to_owned()),
                Some(_) => self.scan.wrong("expected a part of the group, `|` or `)`"),
            });
        }
        Ok(self.add(rule))
    }

    /// `*`, `+`, `?`, `{n}`, `{n,}` or `{n,m}`, if one is there.
    fn repetition(&mut self) -> Result<Option<(u32, Option<u32>)>, ConstraintError> {
        let place = self.scan.place();
        let many = match self.scan.peek() {
            Some('*') => (0, None),
            Some('+') => (1, None),
            Some('?') => (0, Some(1)),
            Some('{') => {
                self.scan.next();
                let least = self.scan.number(REPETITIONS)?;
                let mut most = Some(least);
                if self.scan.take(',') {
                    most = match self.scan.peek() {
                        Some('}') => None,
                        _ => Some(self.scan.number(REPETITIONS)?),
                    };
                }
                if self.scan.peek() != Some('}') {
                    return Err(self.scan.wrong("expected `}`"));
                }
                if most.is_some_and(|most| most < least) {
                    return Err(place.wrong("the larger number comes first".to_owned()));
                }
                (least, most)
            }
            _ => return Ok(None),
        };
        self.scan.next();
        Ok(Some(many))
    }
}

#[cfg(test)]
mod tests {
    use super::{Grammar, Item, Symbol};
    use crate::constrain::ConstraintError;

    #[test]
    fn a_grammar_is_rules_of_characters() {
        let text = "# yes\nroot ::= \"a\\x42\" [x-z\\]-]* | # no\n  other{2,3}\nother ::= (\n . |\n [^\\u00e9]\n)\n";
        let grammar = Grammar::read(text).expect("a grammar");
        let once = |symbol| Item {
            symbol,
            least: 1,
            most: Some(1),
        };
        let one = |c| once(Symbol::Character(vec![(c, c)]));
        let mut class = once(Symbol::Character(vec![('x', 'z'), (']', ']'), ('-', '-')]));
        (class.least, class.most) = (0, None);
        let mut other = once(Symbol::Rule(1));
        (other.least, other.most) = (2, Some(3));
        assert_eq!(grammar.root, 0);
        assert_eq!(
            grammar.rules,
            [
                vec![vec![one('a'), one('B'), class], vec![other]],
                vec![vec![once(Symbol::Rule(2))]],
                vec![
                    vec![once(Symbol::Not(vec![]))],
                    vec![once(Symbol::Not(vec![('é', 'é')]))]
                ],
            ]
        );
    }

    #[test]
    fn what_is_wrong_is_said_with_its_place() {
        for (text, place, said) in [
            ("", (1, 1), "no rule `root`"),
            ("start ::= \"a\"", (1, 14), "no rule `root`"),
            ("root ::= a\n# b\n", (1, 10), "rule `a` is not defined"),
            ("root ::= \"a\nb ::= \"", (1, 10), "no closing `\"`"),
            ("root ::= [a\n", (1, 10), "no closing `]`"),
            ("root ::= [z-a]", (1, 11), "is empty"),
            ("root ::= []", (1, 10), "no character"),
            ("root ::= (\"a\"\n  | \"b\"", (1, 10), "no closing `)`"),
            ("root ::= \"a\" )", (1, 14), "closes no group"),
            ("root ::= * \"a\"", (1, 10), "nothing before it"),
            ("root ::= \"a\"{3,2}", (1, 13), "larger number comes first"),
            ("root ::= \"a\"{x}", (1, 14), "a number"),
            ("root ::= \"a\"{9999}", (1, 14), "2000"),
            ("root ::= \"\\q\"", (1, 11), "escape"),
            ("root ::= \"\\ud800\"", (1, 11), "no character"),
            ("root = \"a\"", (1, 6), "`::=`"),
            ("root ::= \"a\"\n\nroot ::= \"b\"", (3, 1), "defined twice"),
            ("root ::= <[7]>", (1, 10), "tokens in grammars"),
            ("root ::= \"é\" %", (1, 14), "expected a part"),
        ] {
            match Grammar::read(text) {
                Err(ConstraintError::Grammar {
                    line,
                    column,
                    reason,
                }) => {
                    assert_eq!((line, column), place, "{text:?}: {reason}");
                    assert!(reason.contains(said), "{text:?}: {reason}");
                }
                other => panic!("{text:?}: {other:?}"),
            }
        }
        let deep = format!("root ::= {}\"a\"{}", "(".repeat(5000), ")".repeat(5000));
        assert!(Grammar::read(&deep).is_err());
    }
}

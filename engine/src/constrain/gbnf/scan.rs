//! The characters of a grammar's text, and where they are.

use crate::constrain::ConstraintError;
use std::iter::Peekable;
use std::str::Chars;

/// A line and a character in it, from 1.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    line: usize,
    column: usize,
}

impl Place {
    pub(super) fn wrong(self, reason: String) -> ConstraintError {
        ConstraintError::Grammar {
            line: self.line,
            column: self.column,
            reason,
        }
    }
}

/// What is left of a text.
pub(super) struct Scan<'t> {
    rest: Peekable<Chars<'t>>,
    place: Place,
}

impl<'t> Scan<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        Self {
            rest: text.chars().peekable(),
            place: Place { line: 1, column: 1 },
        }
    }

    /// Where the next character is.
    pub(super) fn place(&self) -> Place {
        self.place
    }

    /// An error there.
    pub(super) fn wrong(&self, reason: &str) -> ConstraintError {
        self.place.wrong(reason.to_owned())
    }

    pub(super) fn peek(&mut self) -> Option<char> {
        self.rest.peek().copied()
    }

    pub(super) fn peek_second(&self) -> Option<char> {
        self.rest.clone().nth(1)
    }

    pub(super) fn next(&mut self) -> Option<char> {
        let c = self.rest.next()?;
        if c == '\n' {
            self.place.line += 1;
            self.place.column = 1;
        } else {
            self.place.column += 1;
        }
        Some(c)
    }

    /// Takes this character, if it is the next.
    pub(super) fn take(&mut self, wanted: char) -> bool {
        let found = self.peek() == Some(wanted);
        if found {
            self.next();
        }
        found
    }

    /// Passes white space and comments, line breaks too if `across` lines.
    pub(super) fn skip(&mut self, across: bool) {
        while let Some(c) = self.peek() {
            match c {
                ' ' | '\t' => {}
                '\n' | '\r' if across => {}
                '#' => {
                    while self.peek().is_some_and(|c| c != '\n') {
                        self.next();
                    }
                    continue;
                }
                _ => return,
            }
            self.next();
        }
    }

    /// Passes white space, line breaks and comments, if `wanted` is behind them.
    pub(super) fn skip_to(&mut self, wanted: char) -> bool {
        let (rest, place) = (self.rest.clone(), self.place);
        self.skip(true);
        let found = self.peek() == Some(wanted);
        if !found {
            (self.rest, self.place) = (rest, place);
        }
        found
    }

    pub(super) fn expect(&mut self, wanted: &str) -> Result<(), ConstraintError> {
        let place = self.place;
        if wanted.chars().all(|c| self.take(c)) {
            Ok(())
        } else {
            Err(place.wrong(format!("expected `{wanted}`")))
        }
    }

    /// Whether rules may have this character in their names.
    pub(super) fn is_name(c: char) -> bool {
        c.is_ascii_alphanumeric() || c == '-' || c == '_'
    }

    pub(super) fn name(&mut self) -> Result<String, ConstraintError> {
        let mut name = String::new();
        while let Some(c) = self.peek().filter(|&c| Self::is_name(c)) {
            name.push(c);
            self.next();
        }
        if name.is_empty() {
            return Err(self.wrong("expected the name of a rule"));
        }
        Ok(name)
    }

    pub(super) fn number(&mut self, most: u32) -> Result<u32, ConstraintError> {
        let place = self.place;
        let mut digits = String::new();
        while let Some(c) = self.peek().filter(char::is_ascii_digit) {
            digits.push(c);
            self.next();
        }
        match digits.parse() {
            Ok(number) if number <= most => Ok(number),
            Ok(_) => Err(place.wrong(format!("more than {most} repetitions"))),
            Err(_) if digits.is_empty() => Err(place.wrong("expected a number".to_owned())),
            Err(_) => Err(place.wrong(format!("more than {most} repetitions"))),
        }
    }

    /// A character of a text or a class, perhaps escaped.
    pub(super) fn character(&mut self) -> Result<char, ConstraintError> {
        let place = self.place;
        let c = self.next();
        if c != Some('\\') {
            return c.ok_or_else(|| place.wrong("the grammar ends here".to_owned()));
        }
        let digits = match self.next() {
            Some('n') => return Ok('\n'),
            Some('r') => return Ok('\r'),
            Some('t') => return Ok('\t'),
            Some(c @ ('\\' | '"' | '[' | ']')) => return Ok(c),
            Some('x') => 2,
            Some('u') => 4,
            Some('U') => 8,
            _ => return Err(place.wrong("this is no escape that is known".to_owned())),
        };
        let mut code = 0_u32;
        for _ in 0..digits {
            let digit = self.next().and_then(|c| c.to_digit(16));
            let digit = digit.ok_or_else(|| {
                place.wrong(format!("the escape needs {digits} hexadecimal digits"))
            })?;
            // The last of eight digits makes 32 bits.
            code = code << 4 | digit;
        }
        char::from_u32(code).ok_or_else(|| place.wrong(format!("{code:#x} is no character")))
    }
}

//! Grammars as the library reads them: in its variant of Lark.
//!
//! Lark has terminals, which are regular and each as long as can be, and rules over them. Where one terminal could begin another, the
//! longest match would lose sentences. So a grammar without recursion becomes one terminal, and in one with recursion every character is a
//! terminal of its own: both lose nothing.

use super::ConstraintError;
use super::gbnf::{Grammar, Item, Symbol};
use std::fmt::Write;

/// Whether rules are parts of one terminal.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Terminal,
    Rule,
}

/// Rules on one way through a grammar, at most: the library's compiler calls itself for each.
const DEPTH: usize = 200;

/// The grammar as Lark.
///
/// # Errors
///
/// [`ConstraintError::Unusable`] if it goes too deep or has no sentence.
pub(super) fn write(grammar: &Grammar) -> Result<String, ConstraintError> {
    let order = reachable(grammar)?;
    let ends = ending(grammar, &order);
    if !ends[grammar.root] {
        return Err(ConstraintError::Unusable {
            reason: "no text keeps to it: every way from `root` leads on for ever".to_owned(),
        });
    }
    let kind = if is_recursive(grammar, &order) {
        Kind::Rule
    } else {
        Kind::Terminal
    };
    let mut text = format!("start: {}\n", name(grammar.root, kind));
    for number in order.into_iter().filter(|&number| ends[number]) {
        // A way that never ends would be taken and lead nowhere.
        let sequences: Vec<String> = grammar.rules[number]
            .iter()
            .filter(|items| all_end(items, &ends))
            .map(|items| sequence(items, kind, &ends))
            .collect();
        // Writing to a string does not fail.
        let _ = writeln!(text, "{}: {}", name(number, kind), sequences.join(" | "));
    }
    Ok(text)
}

fn name(number: usize, kind: Kind) -> String {
    match kind {
        Kind::Terminal => format!("R{number}"),
        Kind::Rule => format!("r{number}"),
    }
}

fn references(grammar: &Grammar, number: usize) -> impl Iterator<Item = usize> {
    let items = grammar.rules[number].iter().flatten();
    items.filter_map(|item| match item.symbol {
        Symbol::Rule(number) if item.most != Some(0) => Some(number),
        _ => None,
    })
}

/// The rules that the root leads to, deepest first.
fn reachable(grammar: &Grammar) -> Result<Vec<usize>, ConstraintError> {
    let mut found = vec![false; grammar.rules.len()];
    found[grammar.root] = true;
    let mut order = Vec::new();
    let mut way = vec![(grammar.root, references(grammar, grammar.root))];
    while let Some((number, rest)) = way.last_mut() {
        match rest.find(|&next| !found[next]) {
            None => {
                order.push(*number);
                way.pop();
            }
            Some(_) if way.len() == DEPTH => {
                return Err(ConstraintError::Unusable {
                    reason: format!("its rules and groups lead through more than {DEPTH} others"),
                });
            }
            Some(next) => {
                found[next] = true;
                way.push((next, references(grammar, next)));
            }
        }
    }
    Ok(order)
}

/// Which rules have a sentence.
fn ending(grammar: &Grammar, reachable: &[usize]) -> Vec<bool> {
    let mut ends = vec![false; grammar.rules.len()];
    loop {
        let mut is_same = true;
        for &number in reachable {
            let rule = &grammar.rules[number];
            if !ends[number] && rule.iter().any(|items| all_end(items, &ends)) {
                ends[number] = true;
                is_same = false;
            }
        }
        if is_same {
            return ends;
        }
    }
}

/// Whether every part of a sequence is known to have a sentence, or need not stand there.
fn all_end(items: &[Item], ends: &[bool]) -> bool {
    let ends = |item: &Item| match item.symbol {
        Symbol::Rule(number) => item.least == 0 || ends[number],
        _ => true,
    };
    items.iter().all(ends)
}

/// Whether a rule leads back to itself: whether rules are left after those that lead only to removed ones are removed, again and again.
fn is_recursive(grammar: &Grammar, reachable: &[usize]) -> bool {
    let mut users = vec![Vec::new(); grammar.rules.len()];
    let mut needs = vec![0; grammar.rules.len()];
    for &number in reachable {
        for other in references(grammar, number) {
            users[other].push(number);
            needs[number] += 1;
        }
    }
    let mut free: Vec<usize> = reachable
        .iter()
        .copied()
        .filter(|&number| needs[number] == 0)
        .collect();
    let mut removed = 0;
    while let Some(number) = free.pop() {
        removed += 1;
        for &user in &users[number] {
            needs[user] -= 1;
            if needs[user] == 0 {
                free.push(user);
            }
        }
    }
    removed < reachable.len()
}

fn sequence(items: &[Item], kind: Kind, ends: &[bool]) -> String {
    let stands = |item: &&Item| match item.symbol {
        Symbol::Rule(number) => ends[number] && item.most != Some(0),
        _ => item.most != Some(0),
    };
    let items: Vec<String> = (items.iter().filter(stands))
        .map(|item| part(item, kind))
        .collect();
    if items.is_empty() {
        "\"\"".to_owned()
    } else {
        items.join(" ")
    }
}

fn part(item: &Item, kind: Kind) -> String {
    let symbol = match &item.symbol {
        Symbol::Rule(number) => name(*number, kind),
        Symbol::Character(ranges) => format!("/[{}]/", class(ranges)),
        Symbol::Not(ranges) if ranges.is_empty() => "/(?s:.)/".to_owned(),
        Symbol::Not(ranges) => format!("/[^{}]/", class(ranges)),
    };
    match (item.least, item.most) {
        (1, Some(1)) => symbol,
        (0, Some(1)) => format!("{symbol}?"),
        (0, None) => format!("{symbol}*"),
        (1, None) => format!("{symbol}+"),
        (least, None) => format!("{symbol}{{{least},}}"),
        (least, Some(most)) => format!("{symbol}{{{least},{most}}}"),
    }
}

fn class(ranges: &[(char, char)]) -> String {
    let code = |c: char| format!("\\x{{{:x}}}", u32::from(c));
    ranges
        .iter()
        .map(|&(first, last)| format!("{}-{}", code(first), code(last)))
        .collect()
}

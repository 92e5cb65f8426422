//! What engines get wrong, as data: each fault where it first shows, what it computes instead, and what to do about it.
//!
//! A fault of execution is a wrong variant of an operation, evaluated in `f64` on the inputs that were recorded. The one whose values fit the
//! recording is the fault; [`diagnose`] finds it. The catalogue's families are files of [`Fault`]s; a new fault is one entry.
//! What shows in the ids or in the file itself needs no run: [`tokens`] and [`inventory`].

mod activation;
mod attention;
mod binding;
mod cache;
mod decoding;
mod diagnose;
pub mod inventory;
mod logits;
mod mask;
mod norm;
mod parts;
mod rope;
pub mod tokens;

pub use decoding::read_apart;
pub use diagnose::{Diagnosis, Fit, diagnose};

use crate::recording::matches;
use crate::reference::{Node, Wrong};
use std::fmt;

/// What part of an engine a fault is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Family {
    /// Decoding of weights.
    Decoding,
    /// Which weight is used, and how its elements are addressed.
    Binding,
    /// Norms.
    Norm,
    /// Embedding scale, activations, gates and residuals.
    Activation,
    /// Rotary positions.
    Rope,
    /// Scores, masks, softmax and heads.
    Attention,
    /// Keys and values from earlier calls.
    Cache,
    /// The head.
    Logits,
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Decoding => "weight decoding",
            Self::Binding => "weight binding",
            Self::Norm => "norms",
            Self::Activation => "activation and residual",
            Self::Rope => "rope",
            Self::Attention => "attention",
            Self::Cache => "cache and decode",
            Self::Logits => "logits",
        })
    }
}

/// A way to get an operation wrong.
pub struct Fault {
    /// A short name.
    pub name: &'static str,
    /// Where it belongs.
    pub family: Family,
    /// The checkpoints at which it first shows, with `*` for any characters.
    pub shows: &'static [&'static str],
    /// What is wrong, to follow a checkpoint's name and a colon.
    pub says: &'static str,
    /// What to do.
    pub fix: &'static str,
    /// What is computed instead.
    pub wrong: Wrong,
}

impl Fault {
    /// Whether it may first show at this checkpoint.
    pub fn may_show(&self, node: &Node) -> bool {
        (self.shows.iter()).any(|pattern| matches(pattern, &node.name))
    }
}

impl fmt::Debug for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name)
    }
}

impl PartialEq for Fault {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

/// Every fault of execution.
pub fn catalogue() -> impl Iterator<Item = &'static Fault> {
    [
        decoding::FAULTS,
        binding::FAULTS,
        norm::FAULTS,
        activation::FAULTS,
        rope::FAULTS,
        attention::FAULTS,
        mask::FAULTS,
        cache::FAULTS,
        logits::FAULTS,
    ]
    .into_iter()
    .flatten()
}

/// The fault of a name.
pub fn named(name: &str) -> Option<&'static Fault> {
    catalogue().find(|fault| fault.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn names_are_told_apart() {
        let names: Vec<&str> = catalogue().map(|fault| fault.name).collect();
        let different: HashSet<&&str> = names.iter().collect();
        assert_eq!(different.len(), names.len(), "{names:?}");
        assert!(names.len() > 80, "only {}", names.len());
    }
}

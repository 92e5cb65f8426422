//! Does a model compute what its file says, and if not, which operation is wrong and why?
//!
//! | module | gives |
//! |---|---|
//! | [`recording`] | what a run computed, as a file |
//! | [`mod@reference`] | every operation once more, plainly, in `f64` |
//! | [`bound`] | how far rounding can carry an operation |
//! | [`compare`] | which operations of a recording are beyond that |
//! | [`claims`] | the same from single numbers that somebody wrote down |
//! | [`import`] | recordings of other engines |
//! | [`fault`] | wrong variants of operations, and which of them fits |
//! | [`plugin`] | whether a plug-in keeps its contract |
//! | [`receipt`] | runs that can be replayed |
//!
//! `oracle/README.md` says what an independent engine computed.

#![forbid(unsafe_code)]

pub mod accuracy;
pub mod bound;
pub mod candidate;
pub mod claims;
pub mod compare;
pub mod fault;
pub mod import;
pub mod metric;
pub mod plugin;
pub mod precision;
pub mod receipt;
pub mod recording;
pub mod reference;
pub mod report;
pub mod tiny;

//! The block formats: how groups of 32 weights come out of a file's bytes.
//!
//! A format says one thing, [`Layout::group`]; decoding, dot products and panels follow from it.

mod group;

pub use group::{Group, Layout};

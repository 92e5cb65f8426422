//! Does a model compute what its file says?

#![forbid(unsafe_code)]

pub mod tiny;

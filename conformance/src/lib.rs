//! Does a model compute what its file says? The comparisons are in `tests/`; `oracle/README.md` says
//! what they compare with.

#![forbid(unsafe_code)]

pub mod accuracy;
pub mod bound;
pub mod metric;
pub mod receipt;
pub mod tiny;

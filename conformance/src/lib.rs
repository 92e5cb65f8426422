//! Does a model compute what its file says? The comparisons are in `tests/`; `oracle/README.md` says
//! what they compare with. [`tiny`] makes models to compare.

#![forbid(unsafe_code)]

pub mod tiny;

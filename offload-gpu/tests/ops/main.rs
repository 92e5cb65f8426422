//! Every operation on the device against the processor's: equal bits where the order of sums is the same, and within the bounds that
//! `fidelis-conformance` derives from the inputs, with odd shapes and poisoned outputs.
//!
//! Without an adapter the tests say so and pass, unless `FIDELIS_REQUIRE_GPU` is set; `FIDELIS_GPU` is the number of the adapter.

mod attention;
mod harness;
mod products;
mod tokens;

//! Fault stubs.

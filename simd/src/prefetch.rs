//! Asking for memory before it is needed.

#[cfg(target_arch = "x86_64")]
#[path = "prefetch/x86.rs"]
mod machine;
#[cfg(not(target_arch = "x86_64"))]
#[path = "prefetch/none.rs"]
mod machine;

pub(crate) use machine::prefetch;

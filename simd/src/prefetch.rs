//! Asking for memory before it is needed.

#[cfg(target_arch = "x86_64")]
#[path = "prefetch/x86.rs"]
mod machine;
#[cfg(target_arch = "aarch64")]
#[path = "prefetch/aarch64.rs"]
mod machine;
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
#[path = "prefetch/none.rs"]
mod machine;

pub(crate) use machine::fetch;

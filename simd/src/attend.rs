//! Attention over a cache of keys and values.
//!
//! Positions are taken in chunks of [`CHUNK`], aligned to absolute positions. In a chunk
//!
//! ```text
//! s[p] = Σ_d query[d] · key[p][d]          one running sum, d in order
//! m = max s,  e[p] = exp(s[p] − m),  l = Σ e   (16 running sums, position p to sum p mod 16)
//! o[d] = Σ_p e[p] · value[p][d]            one running sum, p in order
//! ```
//!
//! and chunks are merged in order: with `M' = max(M, m)`,
//! `L' = L · exp(M − M') + l · exp(m − M')`, and `O` likewise. The output is `O / L`.
//! Positions that a query does not see take no part in any of it. Sixteen positions share a
//! register when scores are formed, sixteen elements of a value when values are added.

mod cache;
mod kernel;
mod single;
mod stored;

pub use cache::CacheFormat;
pub use kernel::{Attend, AttendScratch, Column, KeyValues};

/// Positions that are handled together, whoever handles them.
pub const CHUNK: usize = 128;

/// Positions whose keys are interleaved.
pub const KEY_BLOCK: usize = 16;

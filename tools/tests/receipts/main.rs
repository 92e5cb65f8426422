//! Receipts through the program: what verifies, and how everything else is refused.

mod claims;
mod damage;
mod helpers;
mod models;
mod replays;
mod signatures;
mod usage;

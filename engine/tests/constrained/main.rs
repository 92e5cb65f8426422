//! Answers under constraints: what the model chooses always parses, and nothing that would parse is forbidden.

mod answers;
mod demo;
mod sentences;
mod stops;

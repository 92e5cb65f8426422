//! Runs GGUF language models on the CPU.

pub mod backend;
pub mod gguf;
pub mod graph;
pub mod model;
pub mod sample;
pub mod session;
pub mod shape;
pub mod tensor;
pub mod text;

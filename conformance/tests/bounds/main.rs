//! `fast` and `f32` against `audit`, every operation on the same inputs: the observed error over the bound
//! that `fidelis_conformance::bound` derives from those inputs. It is never above 1; the largest is printed,
//! and a bound that is never used to a hundredth would find nothing.

mod attention;
mod inputs;
mod products;
mod report;
mod tokens;
mod wrong;

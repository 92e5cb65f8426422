//! The plug-in as a program meets it: the built library, through the engine.
//!
//! Without an adapter the tests of models say so and pass, unless `FIDELIS_REQUIRE_GPU` is set.

mod plugin {
    pub(crate) mod contract;
    pub(crate) mod library;
    pub(crate) mod models;
}

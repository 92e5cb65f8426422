//! The chain against values worked out by hand.

mod any;
mod draws;
mod filters;
mod penalties;
mod settings;

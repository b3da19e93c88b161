//! Facts about how flags are kept, through what the crate exports.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "tests"
)]

mod append;
mod carried;
mod conformance;
mod corpus;
mod cost;
mod cpython;
mod links;
mod literal_memory;
mod looking_back;
mod newest;
mod rows;
mod tolerance;

//! Facts about the store in local files, through what the crate exports.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "tests"
)]

mod backup;
mod conformance;
mod expiring;
mod faults;
mod head_rows;
mod lost;
mod opening;
mod processes;
mod upgrading;
